"""Copies of a bucket's objects on this machine, by name; the longest unread go first."""

import os
from contextlib import suppress
from pathlib import Path

from nncore.durable import replace_file

MAX_BYTES = 512 * 2**20


class Cache:
    """The copies in `folder`. It may be emptied at any time, and never fails: it only helps."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str) -> bytes | None:
        """Return a copy, None where there is none."""
        try:
            content = (self._folder / name).read_bytes()
            os.utime(self._folder / name)
        except OSError:
            return None
        return content

    def put(self, name: str, content: bytes) -> None:
        """Keep a copy; remove others where there are too many."""
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            replace_file(self._folder / name, content)
            self._make_room()

    def remove(self, name: str) -> None:
        """Forget a copy."""
        with suppress(OSError):
            (self._folder / name).unlink()

    def _make_room(self) -> None:
        found = [(entry.stat(), entry.path) for entry in os.scandir(self._folder)]
        total = sum(status.st_size for status, _ in found)
        for status, path in sorted(found, key=lambda one: one[0].st_mtime_ns):
            if total <= MAX_BYTES:
                return
            total -= status.st_size
            os.unlink(path)
