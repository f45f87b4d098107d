"""Aliases: names that stand for versions, and the history of their moves.

An alias's file holds its last move as JSON: what it names, what it named before, when, who, why. So
one replaced file is the whole change. Its line in the history follows; where a process dies in
between, the file tells it. A file with a bare number, written by hand, will do too.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nncore.durable import replace_file
from nncore.errors import AliasMovedError, ConfigError, CorruptVersionError
from nncore.manifest import now
from nncore.model_folder import ModelFolder, Stamp
from nncore.names import is_alias_name
from nncore.targets import Target, is_version

LIVE = "live"
PREVIOUS = "previous"  # what `live` named before; it has no file of its own
HISTORY_FILE = "history.jsonl"


@dataclass(frozen=True)
class Move:
    """The last move of an alias, from `origin` to `target`: to None of one that was never set.

    ``tag`` is another after each move, and None of an alias that was never set.
    """

    alias: str
    target: Target | None = None
    origin: Target | None = None
    at: str = ""
    reason: str = ""
    actor: str = ""
    tag: str | None = None

    @classmethod
    def parse(cls, alias: str, content: bytes) -> "Move":
        """Read an alias's file. Raises CorruptVersionError where it names no version."""
        values = _json(content)
        if is_version(values):  # written by hand
            values = {"to": values}
        try:
            target = Target.from_json(values, "to") if isinstance(values, dict) else None
            origin = Target.from_json(values, "from", "from_") if target else None
        except ConfigError as error:
            raise CorruptVersionError(f"Alias {alias!r} is damaged: {error}") from error
        if target is None:
            raise CorruptVersionError(f"Alias {alias!r} holds {content[:80]!r}, not a version.")
        return cls(
            alias,
            target,
            origin,
            at=str(values.get("at", "")),
            reason=str(values.get("reason", "")),
            actor=str(values.get("actor", "")),
            tag=hashlib.sha256(content).hexdigest()[:32],
        )

    @property
    def to(self) -> int | None:
        """The number that the alias stands for."""
        return self.target.version if self.target else None

    @property
    def before(self) -> int | None:
        """The number that it stood for before."""
        return self.origin.version if self.origin else None

    def line(self) -> dict[str, Any]:
        """Return it as it stands in its file and in the history."""
        return {
            "at": self.at,
            "alias": self.alias,
            "from": self.before,
            "to": self.to,
            "reason": self.reason,
            "actor": self.actor,
            **(self.target.to_json() if self.target else {}),
            **(self.origin.to_json("from_") if self.origin else {}),
        }


def anything(tag: str | None) -> bool:
    """Accept that an alias be moved, wherever it stands."""
    return True


class Aliases:
    """The aliases of one model, in the folder ``aliases`` of its own, which need not exist yet."""

    def __init__(self, model: ModelFolder) -> None:
        self._model = model
        self._folder = model.path / "aliases"

    def last(self, alias: str) -> Move:
        """Return the last move of `alias`. Raises CorruptVersionError."""
        if alias == PREVIOUS:
            live = self.last(LIVE)
            origin = Target(live.origin.version) if live.origin else None
            return Move(PREVIOUS, origin, at=live.at, tag=live.tag)
        try:
            content = (self._folder / alias).read_bytes()
        except FileNotFoundError:
            return Move(alias)
        except IsADirectoryError:
            content = b"a folder"
        return Move.parse(alias, content)

    def get(self, alias: str) -> int | None:
        """Return the number that `alias` stands for, or None. Raises CorruptVersionError."""
        return self.last(alias).to

    def readable(self, alias: str) -> Move:
        """Return the last move of `alias`; where its file is damaged, one to None."""
        try:
            return self.last(alias)
        except CorruptVersionError:
            return Move(alias)

    def all(self) -> dict[str, int]:
        """Return every alias with its number, sorted by name; files that hold none are no alias."""
        if not self._folder.is_dir():
            return {}
        names = sorted({PREVIOUS, *filter(is_alias_name, os.listdir(self._folder))})
        numbers = {name: self.readable(name).to for name in names}
        return {name: number for name, number in numbers.items() if number is not None}

    def naming(self, version: int) -> list[str]:
        """Return the aliases that name a version: alone, with others, or as what looks on."""
        targets = {name: self.readable(name).target for name in self.all()}
        return [name for name, target in targets.items() if target and version in target.versions]

    def stamp(self, alias: str) -> Stamp | None:
        """Return what changes whenever `alias` moves, or None where there is none: one stat."""
        try:
            status = os.stat(f"{self._folder}/{LIVE if alias == PREVIOUS else alias}")
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_ino

    def move(
        self,
        alias: str,
        target: Target,
        *,
        reason: str,
        actor: str,
        accept: Callable[[str | None], bool] = anything,
    ) -> Move:
        """Let `alias` name `target`; where it does so already, nothing is changed.

        Parameters
        ----------
        alias, target, reason, actor
            As they will stand in the history.
        accept : callable
            Asked with the tag of the alias's last move, while no other process can move it.

        Returns
        -------
        move : Move
            The alias's last one: this, or an earlier where nothing was changed.

        Raises
        ------
        AliasMovedError
            If `accept` says no.
        OSError
            If the disk is full or not writable; the alias stays where it was.
        """
        with self._model.locked():
            self._folder.mkdir(exist_ok=True)
            last = self.readable(alias)
            if not accept(last.tag):
                raise AliasMovedError(f"{alias!r} names {last.to or 'nothing'} now.")
            if last.target == target:
                return last
            self._complete(last)
            line = Move(alias, target, last.target, now(), reason, actor).line()
            content = _line(line)
            replace_file(self._folder / alias, content, mtime_ns=time.time_ns())
            with suppress(OSError):  # the alias has moved; whoever moves it next writes this line
                self._append(content)
        return Move.parse(alias, content)

    def history(self) -> list[dict[str, Any]]:
        """Return all moves, oldest first: at, alias, from, to, reason, actor."""
        parsed = map(_json, self._lines().splitlines())
        entries = [entry for entry in parsed if isinstance(entry, dict)]
        missing = [
            move.line()
            for move in map(self.readable, self.all())
            if move.alias != PREVIOUS and move.at and move.line() not in entries
        ]
        return sorted(entries + missing, key=lambda entry: str(entry.get("at")))

    def at(self, alias: str, moment: datetime) -> int | None:
        """Return the number that `alias` stood for at `moment`, with its time zone, or None."""
        followed, key = (LIVE, "from") if alias == PREVIOUS else (alias, "to")
        for entry in reversed(self.history()):
            moved_at = parse_moment(str(entry.get("at")))
            if entry.get("alias") == followed and moved_at and moved_at <= moment:
                return entry[key] if is_version(entry.get(key)) else None
        return None

    def _lines(self) -> bytes:
        try:
            return (self._folder / HISTORY_FILE).read_bytes()
        except FileNotFoundError:
            return b""

    def _complete(self, last: Move) -> None:
        """Write the line of an alias's last move if whoever made it died before."""
        line = _line(last.line())
        if last.at and line not in self._lines():
            self._append(line)

    def _append(self, line: bytes) -> None:
        with (self._folder / HISTORY_FILE).open("a+b") as file:
            # A full disk may have left half a line: it must not spoil this one.
            file.seek(max(file.seek(0, os.SEEK_END) - 1, 0))
            newline = b"" if file.read() in (b"", b"\n") else b"\n"
            file.write(newline + line)
            file.flush()
            os.fsync(file.fileno())


def parse_moment(text: str) -> datetime | None:
    """Return the moment that `text` names as RFC 3339 has it, time zone and all, or None."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _line(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry).encode() + b"\n"


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
