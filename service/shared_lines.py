"""JSON objects that all processes of the service share."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson

from service.shared_file import shared_file


class SharedLines:
    """A list of JSON objects, of all processes that come from this one by forking."""

    def __init__(self) -> None:
        self._file = shared_file(self)
        self._lock = threading.Lock()

    def read(self) -> list[dict[str, Any]]:
        """Return the objects."""
        with self._locked():
            return self._read()

    @contextmanager
    def changing(self) -> Iterator[list[dict[str, Any]]]:
        """Let one thread of one process at a time change the list that this yields."""
        with self._locked():
            lines = self._read()
            yield lines
            content = orjson.dumps(lines)
            os.pwrite(self._file, content, 0)
            os.ftruncate(self._file, len(content))

    def _read(self) -> list[dict[str, Any]]:
        content = os.pread(self._file, os.fstat(self._file).st_size, 0)
        lines: list[dict[str, Any]] = orjson.loads(content) if content else []
        return lines

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._lock:
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)
