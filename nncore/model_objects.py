"""One model's versions and aliases in a bucket, where nothing can be renamed and nobody locks.

Layout, below ``models/<model>/``::

    numbers/<place>        taken: put there where it was absent; stays, so that none comes twice
    jobs/<job id>          the number that a job's version has, whichever of its executions makes it
    files/<n>/<SHA-256>    weights and all else of a version; files/<n>/report/ its report
    versions/<place>.json  its manifest, put there if absent when all else is: then there is one
    aliases.json           the last move of each alias; replaced only where nobody did meanwhile
    history/<time>-<tag>   a move; never replaced

The place of a number is what it lacks to a million millions: keys are listed ascending, so the
newest come first, however many there are.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

from nncore.errors import CorruptVersionError
from nncore.model_folder import MANIFEST_FILE, REPORT_FOLDER, ModelFolder, Noted, Stamp
from nncore.object_store import ObjectStore, Tag

ALL_NUMBERS = 10**12

State = dict[str, Any]  # "aliases" by name, each its last move; "deleting", the numbers that go


class ModelObjects:
    """The versions and aliases of the model below `path`, a prefix of keys in `store`."""

    def __init__(self, store: ObjectStore, path: str) -> None:
        self._store = store
        self._path = path

    def numbers(self) -> list[int]:
        """Return the numbers of all versions, ascending."""
        return list(self._listed("versions"))[::-1]

    def newest(self, limit: int, below: int | None = None) -> list[int]:
        """Return the numbers of the newest versions, descending; only those under `below`."""
        return list(islice(self._listed("versions", below), limit))

    def has(self, version: int) -> bool:
        """Tell whether there is such a version."""
        return self._store.tag(self._manifest_key(version)) is not None

    def is_going(self, version: int) -> bool:
        """Tell whether a version is being removed, so that no alias may name it any more."""
        return version in self._state()[0]["deleting"]

    def stamp(self, version: int) -> Stamp | None:
        """Return what changes with a version's manifest, None where there is none.

        All else lies under its hash, and is checked and kept on this machine when it is loaded.

        Raises OSError.
        """
        return self._store.tag(self._manifest_key(version))

    def manifest(self, version: int) -> bytes:
        """Return a version's manifest. Raises OSError, FileNotFoundError."""
        return self._store.read_or_last(self._manifest_key(version))

    def read(self, version: int, name: str, sha256: str) -> bytes:
        """Return a file of a version. Raises OSError, FileNotFoundError."""
        return self._store.read_immutable(self._files(version, sha256), sha256)

    def publish(self, files: Mapping[str, bytes], job_id: str | None) -> int:
        """Store files as a new version and return its number.

        It is there with its manifest, which is put last. A job gets one number: of two executions
        of it that publish at once, one puts the manifest, and the other returns its number.

        Raises
        ------
        OSError
            If the server is away; there is no version then, and the number is passed over.
        """
        number = self._number_of(job_id) if job_id else self._take_number()
        for name, content in files.items():
            if name != MANIFEST_FILE:
                key = self._files(number, hashlib.sha256(content).hexdigest())
                self._store.write(key, content)
        self._store.create(self._manifest_key(number), files[MANIFEST_FILE])
        return number

    def delete(self, version: int, check: Callable[[], None]) -> None:
        """Remove a version, unless `check` raises; its number is not given again."""

        def mark(state: State) -> State:
            check()
            return state | {"deleting": [*state["deleting"], version]}

        self._change(mark)  # from now on no alias can name it
        self._remove(version)

    def remove_unfinished(self, seconds: float, jobs: Collection[str]) -> None:
        """Remove what processes left that died while they published or removed a version.

        Of publishing: what was put longer ago than `seconds`, unless it is one of `jobs` whose
        version it is to be.
        """
        for version in self._state()[0]["deleting"]:
            self._remove(version)
        left: dict[int, list[str]] = {}
        for key, age in self._store.ages(f"{self._path}/files"):
            if age > seconds:
                number = key.removeprefix(f"{self._path}/files/").partition("/")[0]
                left.setdefault(int(number), []).append(key)
        if unpublished := left.keys() - {*self.numbers()}:
            awaited = {*map(self._known_number_of, jobs)}
            for version in unpublished - awaited:
                self._store.remove(left[version])

    def report(self, version: int) -> list[str]:
        """Return the names of the files in a version's report, sorted."""
        found = self._store.keys(self._files(version, REPORT_FOLDER))
        return sorted(key.rpartition("/")[2] for key in found)

    def report_file(self, version: int, name: str) -> bytes:
        """Return a file of a version's report. Raises OSError."""
        return self._store.read(self._files(version, REPORT_FOLDER, name))

    def add_report(self, version: int, files: Mapping[str, bytes]) -> None:
        """Lay files into a version's report; each is there whole or not at all."""
        for name, content in files.items():
            self._store.write(self._files(version, REPORT_FOLDER, name), content)

    def alias(self, alias: str) -> bytes | None:
        """Return the last move of an alias, None where it was never set. Raises OSError."""
        return self.aliases().get(alias)

    def aliases(self) -> dict[str, bytes]:
        """Return the last move of each alias; where the server is away, as it was last seen."""
        try:
            content = self._store.read_or_last(self._aliases_key)
        except FileNotFoundError:
            return {}
        return {name: _line(move) for name, move in _parsed(content)["aliases"].items()}

    def alias_stamp(self, alias: str) -> Stamp | None:
        """Return what changes whenever `alias` moves, or None where there is none."""
        content = self.alias(alias)
        return None if content is None else hashlib.sha256(content).hexdigest()

    def move_alias(self, alias: str, change: Callable[[bytes | None], Noted | None]) -> None:
        """Let the move that `change` makes of the last one follow it, if it makes one.

        It is asked again where another process was quicker.
        """
        made: list[Noted] = []

        def follow(state: State) -> State | None:
            last = state["aliases"].get(alias)
            move = change(last and _line(last))
            made[:] = [move] if move else []
            moved = {alias: json.loads(move.line)} if move else {}
            return state | {"aliases": state["aliases"] | moved} if move else None

        self._change(follow)
        for move in made:
            with suppress(OSError):  # it has moved; whoever moves it next writes this line
                self.complete(move)

    def history(self) -> bytes:
        """Return all moves that were noted, a line each, oldest first."""
        return b"".join(self._store.read_all(list(self._store.keys(f"{self._path}/history"))))

    def complete(self, move: Noted) -> None:
        """Add a move to the history, where it stands by its name: once, whoever adds it."""
        self._store.create(f"{self._path}/history/{move.name}", move.line)

    def _listed(self, kind: str, below: int | None = None) -> Iterator[int]:
        """Yield numbers, descending."""
        prefix = f"{self._path}/{kind}"
        after = f"{prefix}/{_place(max(below, 1))}.json" if below is not None else None
        for key in self._store.keys(prefix, after):
            yield ALL_NUMBERS - int(key.rpartition("/")[2].removesuffix(".json"))

    def _take_number(self) -> int:
        while True:
            number = next(self._listed("numbers"), 0) + 1
            if self._store.create(f"{self._path}/numbers/{_place(number)}", b""):
                return number

    def _number_of(self, job_id: str) -> int:
        number = self._known_number_of(job_id)
        if number is None:
            self._store.create(self._job_key(job_id), b"%d" % self._take_number())
            number = int(self._store.read(self._job_key(job_id)))
        return number

    def _known_number_of(self, job_id: str) -> int | None:
        try:
            return int(self._store.read(self._job_key(job_id)))
        except FileNotFoundError:
            return None

    def _remove(self, version: int) -> None:
        """Remove a version that is marked as being removed."""

        def unmark(state: State) -> State:
            return state | {"deleting": [n for n in state["deleting"] if n != version]}

        self._store.remove([self._manifest_key(version)])
        self._store.remove(list(self._store.keys(self._files(version))))
        self._change(unmark)

    def _state(self) -> tuple[State, Tag | None]:
        try:
            content, tag = self._store.read_tagged(self._aliases_key)
        except FileNotFoundError:
            return {"aliases": {}, "deleting": []}, None
        return _parsed(content), tag

    def _change(self, change: Callable[[State], State | None]) -> None:
        while True:
            state, tag = self._state()
            changed = change(state)
            if changed is None:
                return
            content = json.dumps(changed, indent=1).encode()
            if tag is None:
                done = self._store.create(self._aliases_key, content)
            else:
                done = self._store.replace(self._aliases_key, content, tag)
            if done:
                return

    def _manifest_key(self, version: int) -> str:
        return f"{self._path}/versions/{_place(version)}.json"

    def _files(self, version: int, *names: str) -> str:
        return "/".join((self._path, "files", str(version), *names))

    def _job_key(self, job_id: str) -> str:
        return f"{self._path}/jobs/{job_id}"

    @property
    def _aliases_key(self) -> str:
        return f"{self._path}/aliases.json"


StoredModel = ModelFolder | ModelObjects


def _place(number: int) -> str:
    return f"{ALL_NUMBERS - number:012d}"


def _parsed(content: bytes) -> State:
    try:
        state = json.loads(content)
        aliases, deleting = dict(state["aliases"]), list(state["deleting"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CorruptVersionError(f"aliases.json cannot be read: {error}") from None
    return {"aliases": aliases, "deleting": deleting}


def _line(move: Any) -> bytes:
    return json.dumps(move).encode() + b"\n"
