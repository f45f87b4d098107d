"""One model's versions and aliases on a disk.

Versions are numbered folders that are there whole or not at all, aliases files that are replaced.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from nncore.durable import replace_file, stage, sync_folder, write_file
from nncore.names import is_alias_name

MANIFEST_FILE = "manifest.json"
WEIGHTS_FILE = "weights.safetensors"
GOLDEN_FILE = "golden.safetensors"
REPORT_FOLDER = "report"
LATEST_FILE = ".latest"
STAGING_FOLDER = ".staging"
SCATTERED = 100  # free numbers in a row after which the folder is listed instead

HISTORY_FILE = "history.jsonl"

LOADED_FILES = MANIFEST_FILE, WEIGHTS_FILE, GOLDEN_FILE

Stamp = tuple[int, ...] | str


class Noted(NamedTuple):
    """A move of an alias as it is kept: a line of JSON, and a name that no other move has."""

    name: str
    line: bytes


class ModelFolder:
    """The versions in ``path/versions``, the aliases in ``path/aliases``, which need not be there.

    ``.latest`` holds the highest number that was ever given. So none is given twice, and neither
    publishing nor looking at the newest versions takes longer the more there are.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._aliases = path / "aliases"

    @property
    def _versions(self) -> Path:
        return self.path / "versions"

    def numbers(self) -> list[int]:
        """Return the numbers of all versions, ascending."""
        return sorted(int(name) for name in names(self._versions) if is_number(name))

    def newest(self, limit: int, below: int | None = None) -> list[int]:
        """Return the numbers of the newest versions, descending; only those under `below`."""
        number = self._latest() if below is None else min(below - 1, self._latest())
        found: list[int] = []
        missing = 0
        while number > 0 and len(found) < limit:
            if missing > SCATTERED:
                return (
                    found
                    + [n for n in reversed(self.numbers()) if n <= number][: limit - len(found)]
                )
            if self.has(number):
                found.append(number)
                missing = 0
            else:
                missing += 1
            number -= 1
        return found

    def has(self, version: int) -> bool:
        """Tell whether there is such a version."""
        return (self._versions / str(version)).is_dir()

    def stamp(self, version: int) -> Stamp | None:
        """Return what changes with a file that is loaded: a stat of each. Raises OSError."""
        paths = [f"{self._versions}/{version}/{name}" for name in LOADED_FILES]
        return tuple(number for path in paths for number in _stamp(path))

    def is_going(self, version: int) -> bool:
        """Tell whether a version is being removed: here that is done in one step."""
        return False

    def manifest(self, version: int) -> bytes:
        """Return a version's manifest. Raises OSError, FileNotFoundError where there is none."""
        return (self._versions / str(version) / MANIFEST_FILE).read_bytes()

    def read(self, version: int, name: str, sha256: str) -> bytes:
        """Return a file of a version, whatever its hash. Raises OSError, FileNotFoundError."""
        return (self._versions / str(version) / name).read_bytes()

    def publish(self, files: Mapping[str, bytes], job_id: str | None) -> int:
        """Store files as a new version and return its number.

        They are written into a hidden folder, brought to the disk, and the folder is renamed to the
        next number. So no reader ever sees half a version, and of two processes that publish at
        once each gets a number of its own. That a job publishes once, its folder sees to.

        Raises
        ------
        OSError
            If the disk is full or not writable; nothing is left behind then.
        """
        staging = self._stage()
        try:
            for name, content in files.items():
                write_file(staging / name, content)
            staging.chmod(0o755)
            sync_folder(staging)
            self._versions.mkdir(exist_ok=True)
            with self.locked():
                number = self._rename_to_next(staging)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        return number

    def delete(self, version: int, check: Callable[[], None]) -> None:
        """Remove a version, unless `check` raises; its number is not given again."""
        with self.locked():
            check()
            # Before there is a gap: beyond one, `_latest` does not look for what nobody noted.
            replace_file(self.path / LATEST_FILE, b"%d\n" % self._latest())
            removed = self._stage()
            (self._versions / str(version)).rename(removed / str(version))
            sync_folder(self._versions)
            shutil.rmtree(removed)

    def report(self, version: int) -> list[str]:
        """Return the names of the files in a version's report, sorted."""
        folder = self._versions / str(version) / REPORT_FOLDER
        return sorted(name for name in names(folder) if not name.startswith("."))

    def report_file(self, version: int, name: str) -> bytes:
        """Return a file of a version's report. Raises OSError."""
        return (self._versions / str(version) / REPORT_FOLDER / name).read_bytes()

    def add_report(self, version: int, files: Mapping[str, bytes]) -> None:
        """Lay files into a version's report; each is there whole or not at all."""
        folder = self._versions / str(version) / REPORT_FOLDER
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            replace_file(folder / name, content)

    def alias(self, alias: str) -> bytes | None:
        """Return the last move of an alias, None where it was never set. Raises OSError."""
        try:
            return (self._aliases / alias).read_bytes()
        except FileNotFoundError:
            return None
        except IsADirectoryError:
            return b"a folder"

    def aliases(self) -> dict[str, bytes]:
        """Return the last move of each alias, and what else lies there."""
        found = {name: self.alias(name) for name in names(self._aliases) if is_alias_name(name)}
        return {name: content for name, content in found.items() if content is not None}

    def alias_stamp(self, alias: str) -> Stamp | None:
        """Return what changes whenever `alias` moves, or None where there is none: one stat."""
        return _stamp(f"{self._aliases}/{alias}") or None

    def move_alias(self, alias: str, change: Callable[[bytes | None], Noted | None]) -> None:
        """Let the move that `change` makes of the last one follow it, if it makes one."""
        with self.locked():
            self._aliases.mkdir(exist_ok=True)
            move = change(self.alias(alias))
            if move is None:
                return
            replace_file(self._aliases / alias, move.line, mtime_ns=time.time_ns())
            with suppress(OSError):  # it has moved; whoever moves it next writes this line
                self._note(move.line)

    def history(self) -> bytes:
        """Return all moves that were noted, a line each, oldest first."""
        try:
            return (self._aliases / HISTORY_FILE).read_bytes()
        except FileNotFoundError:
            return b""

    def complete(self, move: Noted) -> None:
        """Add a move to the history if whoever made it died before."""
        if move.line not in self.history():
            self._note(move.line)

    def _note(self, line: bytes) -> None:
        with (self._aliases / HISTORY_FILE).open("a+b") as file:
            # A full disk may have left half a line: it must not spoil this one.
            file.seek(max(file.seek(0, os.SEEK_END) - 1, 0))
            newline = b"" if file.read() in (b"", b"\n") else b"\n"
            file.write(newline + line)
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one process at a time give or remove a number, or move an alias."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _latest(self) -> int:
        try:
            noted = (self.path / LATEST_FILE).read_text().strip()
        except (OSError, ValueError):
            noted = ""
        number = int(noted) if is_number(noted) else max(self.numbers(), default=0)
        # Whoever published last may have died before the file said so.
        while self.has(number + 1):
            number += 1
        return number

    def _rename_to_next(self, staging: Path) -> int:
        number = self._latest() + 1
        while (self._versions / str(number)).exists():  # a file that is no version
            number += 1
        staging.rename(self._versions / str(number))
        sync_folder(self._versions)
        with suppress(OSError):  # the version is there; `_latest` finds it all the same
            replace_file(self.path / LATEST_FILE, b"%d\n" % number)
        return number

    def _stage(self) -> Path:
        folder = self.path / STAGING_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        return stage(folder)


def _stamp(path: str) -> tuple[int, ...]:
    """Return what changes with a file, nothing where there is none. Raises OSError."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return status.st_mtime_ns, status.st_ino, status.st_size


def names(folder: Path) -> list[str]:
    """Return the names in a folder; none where it is not there."""
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def is_number(name: str) -> bool:
    """Tell whether a text is a version's number as it is written."""
    return name.isascii() and name.isdigit() and len(name) <= 12 and name[0] != "0"
