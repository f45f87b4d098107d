"""Aliases: names that stand for a version's number, and the history of their moves."""

import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nncore.durable import replace_file
from nncore.errors import CorruptVersionError
from nncore.manifest import now
from nncore.names import is_alias_name

HISTORY_FILE = "history.jsonl"
_NUMBER = re.compile(rb"[1-9][0-9]{0,11}\n?")

Stamp = tuple[int, int]


class Aliases:
    """The aliases of one model, in `folder`, which need not exist yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, alias: str) -> int | None:
        """Return the number that `alias` stands for, or None. Raises CorruptVersionError."""
        try:
            content = (self._folder / alias).read_bytes()
        except FileNotFoundError:
            return None
        except IsADirectoryError:
            content = b"a folder"
        if not _NUMBER.fullmatch(content):
            raise CorruptVersionError(f"Alias {alias!r} holds {content[:80]!r}, not a number.")
        return int(content)

    def readable(self, alias: str) -> int | None:
        """Return the number that `alias` stands for; None also where its file holds none."""
        try:
            return self.get(alias)
        except CorruptVersionError:
            return None

    def all(self) -> dict[str, int]:
        """Return every alias with its number, sorted by name; files that hold none are no alias."""
        if not self._folder.is_dir():
            return {}
        names = sorted(name for name in os.listdir(self._folder) if is_alias_name(name))
        numbers = {name: self.readable(name) for name in names}
        return {name: number for name, number in numbers.items() if number is not None}

    def stamp(self, alias: str) -> Stamp | None:
        """Return what changes whenever `alias` moves, or None where there is none: one stat."""
        try:
            status = os.stat(self._folder / alias)
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_ino

    def move(self, alias: str, version: int, *, reason: str, actor: str) -> int | None:
        """Let `alias` stand for `version`; return what it stood for before."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._locked():
            before = self.readable(alias)
            entry = {"at": now(), "alias": alias, "from": before, "to": version}
            self._append(entry | {"reason": reason, "actor": actor})
            replace_file(self._folder / alias, b"%d\n" % version, mtime_ns=time.time_ns())
        return before

    def history(self) -> list[dict[str, Any]]:
        """Return all moves, oldest first: at, alias, from, to, reason, actor."""
        try:
            lines = (self._folder / HISTORY_FILE).read_bytes().splitlines()
        except FileNotFoundError:
            return []
        return [entry for entry in map(_parse, lines) if entry is not None]

    def _append(self, entry: dict[str, Any]) -> None:
        with (self._folder / HISTORY_FILE).open("a+b") as file:
            # A full disk may have left half a line: it must not spoil this one.
            file.seek(max(file.seek(0, os.SEEK_END) - 1, 0))
            newline = b"" if file.read() in (b"", b"\n") else b"\n"
            file.write(newline + json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time move an alias: `from` in the history is what it was."""
        with (self._folder / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
