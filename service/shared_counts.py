"""Whole numbers that all processes of the service count together: nothing is lost, nothing grows.

Each process counts in a part of its own of a shared file, so that none waits for another. The
part of a process that died, whatever it died of, goes to its successor, which counts on from there.
"""

import fcntl
import json
import mmap
import os
import threading
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from nncore.arrays import Ints
from service.shared_file import shared_file

PART_WORDS = 2**17  # of 8 bytes, for a process; what is counted under further keys is lost
WORD = 8
HEAD = 2  # words of a part: how many are used, how many additions were lost
ROW_HEAD = 3  # words of a row: bytes of its key, numbers in it, when it was last added to

Key = tuple[str, ...]


class Row(NamedTuple):
    """The numbers of a key, and when they last changed (milliseconds since 1970)."""

    numbers: Ints  # int64 (n,)
    last_ms: int


class SharedCounts:
    """Rows of whole numbers by key, of all processes that come from this one by forking.

    There may be `processes` of them at a time.
    """

    def __init__(self, processes: int) -> None:
        self._file = shared_file(self)
        os.ftruncate(self._file, processes * PART_WORDS * WORD)  # takes room as it is used
        self._parts = np.frombuffer(mmap.mmap(self._file, 0), np.int64).reshape(processes, -1)
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._mine: Ints | None = None
        self._rows: dict[Key, memoryview[int]] = {}

    def add(self, key: Key, size: int, amounts: Iterable[tuple[int, int]], now_ms: int) -> None:
        """Add to some of the `size` numbers of a key, which are as many each time.

        ``amounts`` has the place of each, from 0, and how much more it is.
        """
        with self._lock:
            if self._owner != os.getpid():
                self._claim()
            row = self._rows.get(key)
            if row is None:
                row = self._new_row(key, size)
            if row is None:
                return
            row[0] = now_ms
            for place, amount in amounts:
                row[place + 1] += amount

    def totals(self) -> dict[Key, Row]:
        """Return the rows of all processes together, sorted by their keys."""
        totals: dict[Key, Row] = {}
        for part in self.by_process():
            for key, row in part.items():
                other = totals.get(key)
                if other:
                    row = Row(row.numbers + other.numbers, max(row.last_ms, other.last_ms))
                totals[key] = row
        return {key: totals[key] for key in sorted(totals)}

    def by_process(self) -> list[dict[Key, Row]]:
        """Return the rows of each process that has counted; a successor's are its too."""
        parts = [dict(_rows(part)) for part in self._parts]
        return [
            {key: Row(row[1:].copy(), int(row[0])) for key, row in part.items()}
            for part in parts
            if part
        ]

    def lost(self) -> int:
        """Return how often something was counted for which there was no room."""
        return int(self._parts[:, 1].sum())

    def _claim(self) -> None:
        """Take a part that no living process has: the kernel gives a dead one's lock back."""
        self._owner = os.getpid()
        self._mine, self._rows = None, {}
        for number, part in enumerate(self._parts):
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
            except OSError:
                continue
            self._mine = part
            self._rows = {key: row.data for key, row in _rows(part)}
            return

    def _new_row(self, key: Key, size: int) -> "memoryview[int] | None":
        part = self._mine
        if part is None:  # more processes than there was room for
            return None
        name = json.dumps(key).encode()
        begin = HEAD + int(part[0])
        numbers_at = begin + ROW_HEAD + -(-len(name) // WORD)
        if numbers_at + size > len(part):
            part[1] += 1
            return None
        padded = name.ljust((numbers_at - begin - ROW_HEAD) * WORD, b" ")
        part[begin : begin + 2] = len(padded), size
        part[begin + ROW_HEAD - 1 : numbers_at - 1] = np.frombuffer(padded, np.int64)
        part[0] = numbers_at + size - HEAD  # last: it tells that the row is there
        # Single numbers are changed in a third of the time that an array takes.
        row = self._rows[key] = part[numbers_at - 1 : numbers_at + size].data
        return row


def _rows(part: Ints) -> Iterator[tuple[Key, Ints]]:
    """Return the keys of a part, each with the time and the numbers that belong to it."""
    begin, end = HEAD, HEAD + int(part[0])
    while begin < end:
        name_bytes, size = part[begin : begin + 2].tolist()
        last_at = begin + 2 + name_bytes // WORD
        key = tuple(json.loads(part[begin + 2 : last_at].tobytes()))
        begin = last_at + 1 + size
        yield key, part[last_at:begin]
