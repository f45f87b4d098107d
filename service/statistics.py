"""How often each version answered and how long it took: counted by every process, read by any.

Each process counts in a part of its own of a shared file, so that none waits for another. The
part of a process that died goes to its successor, which counts on from there.
"""

import fcntl
import itertools
import mmap
import os
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

from service.shared_file import shared_file

MAX_VERSIONS = 64  # that a part has room for; what a process answers with beyond goes uncounted
NAME_WORDS = 8  # of 8 bytes: a model's name
ROW_WORDS = NAME_WORDS + 2 + 8
WORD = 8


class Counts(NamedTuple):
    """What a version did since the service was started; times in nanoseconds."""

    successes: int = 0
    success_ns: int = 0
    failures: int = 0
    failure_ns: int = 0
    rows: int = 0
    decode_ns: int = 0
    predict_ns: int = 0
    encode_ns: int = 0


class Line(NamedTuple):
    """A version, when it was last asked (milliseconds since 1970), and its counts."""

    model: str
    version: int
    last_ms: int
    counts: Counts


class Statistics:
    """The counts of all processes that come from this one by forking, at most `processes`."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._file = shared_file(self)
        os.ftruncate(self._file, processes * MAX_VERSIONS * ROW_WORDS * WORD)
        self._memory = memoryview(mmap.mmap(self._file, 0))
        self._words = self._memory.cast("q")
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._rows: dict[tuple[str, int], int] = {}
        self._free: Iterator[int] = iter(())

    def add(self, model: str, version: int, counts: Counts) -> None:
        """Count what a version did now."""
        with self._lock:
            if self._owner != os.getpid():
                self._claim()
            row = self._rows.get((model, version))
            if row is None:
                row = self._new_row(model, version)
            if row is None:
                return
            self._words[row + NAME_WORDS + 1] = time.time_ns() // 1_000_000
            for word, count in enumerate(counts, row + NAME_WORDS + 2):
                self._words[word] += count

    def lines(self) -> list[Line]:
        """Return a line a version, of all processes together, sorted."""
        total: dict[tuple[str, int], Line] = {}
        for line in itertools.chain.from_iterable(self.by_process()):
            key = line.model, line.version
            other = total.get(key, Line(*key, 0, Counts()))
            counts = Counts(*map(sum, zip(line.counts, other.counts, strict=True)))
            total[key] = Line(*key, max(line.last_ms, other.last_ms), counts)
        return [total[key] for key in sorted(total)]

    def by_process(self) -> list[list[Line]]:
        """Return the lines of each process that has answered; a successor's are its too."""
        parts = [[self._line(row) for row in self._part(i)] for i in range(self._processes)]
        lines = [[line for line in part if line] for part in parts]
        return [part for part in lines if part]

    def _claim(self) -> None:
        """Take a part that no living process has: the kernel gives a dead one's lock back."""
        self._owner = os.getpid()
        self._rows, self._free = {}, iter(())
        for part in range(self._processes):
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, part)
            except OSError:
                continue
            lines = {row: self._line(row) for row in self._part(part)}
            self._rows = {(line.model, line.version): row for row, line in lines.items() if line}
            self._free = iter([row for row, line in lines.items() if line is None])
            return

    @staticmethod
    def _part(number: int) -> range:
        """Return where the rows of a process begin."""
        size = MAX_VERSIONS * ROW_WORDS
        return range(number * size, (number + 1) * size, ROW_WORDS)

    def _new_row(self, model: str, version: int) -> int | None:
        row = next(self._free, None)
        if row is not None:
            name = model.encode().ljust(NAME_WORDS * WORD, b"\0")
            self._memory[row * WORD : (row + NAME_WORDS) * WORD] = name
            self._words[row + NAME_WORDS] = version  # last: it tells that the row is there
            self._rows[model, version] = row
        return row

    def _line(self, row: int) -> Line | None:
        version, last_ms, *counts = self._words[row + NAME_WORDS : row + ROW_WORDS]
        if not version:
            return None
        name = bytes(self._memory[row * WORD : (row + NAME_WORDS) * WORD])
        return Line(name.rstrip(b"\0").decode(), version, last_ms, Counts(*counts))
