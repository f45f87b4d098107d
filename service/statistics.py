"""What each version answered, how sure it was and how long it took: counted by every process."""

import itertools
import time
from typing import NamedTuple

import numpy as np

from nncore.arrays import Floats, Ints
from service.shared_counts import Row, SharedCounts

# Upper edges of how sure an answer may be, finer where most of a good network's answers are.
CONFIDENCES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1.0)
MILLIONTHS = 1_000_000

_ANSWERS = "answers"  # the first part of the keys
_EDGES = np.array(CONFIDENCES[:-1], np.float32)
_BUCKETS = len(CONFIDENCES)


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


class Answers(NamedTuple):
    """How often each label was answered, and how sure the answers were.

    ``sureness`` has how many fall under each of `CONFIDENCES` and above the one before, and last
    the sum of all in millionths.
    """

    labels: Ints  # int64 (k,)
    sureness: Ints  # int64 (len(CONFIDENCES) + 1,)

    @classmethod
    def none(cls, classes: int) -> "Answers":
        """Return that nothing was answered."""
        return cls(np.zeros(classes, np.int64), np.zeros(_BUCKETS + 1, np.int64))

    @classmethod
    def of(cls, winners: Ints, confidences: Floats, classes: int) -> "Answers":
        """Count the answers to a batch."""
        sureness = np.bincount(_EDGES.searchsorted(confidences), minlength=_BUCKETS + 1)
        sureness[-1] = float(confidences.sum()) * MILLIONTHS
        return cls(np.bincount(winners, minlength=classes), sureness)


class Line(NamedTuple):
    """A version, when it was last asked (milliseconds since 1970), and what it did."""

    model: str
    version: int
    labels: tuple[str, ...]
    last_ms: int
    counts: Counts
    answers: Answers

    @classmethod
    def none(cls, model: str, version: int, labels: tuple[str, ...]) -> "Line":
        """Return that a version was not asked."""
        return cls(model, version, labels, 0, Counts(), Answers.none(len(labels)))


class Statistics:
    """What the versions did in all processes that come from this one by forking."""

    def __init__(self, shared: SharedCounts) -> None:
        self._shared = shared

    def add(
        self, model: str, version: int, labels: tuple[str, ...], counts: Counts, answers: Answers
    ) -> None:
        """Count what a version did now."""
        numbers = np.concatenate((np.array(counts), *answers))
        key = (_ANSWERS, model, str(version), *labels)
        self._shared.add(key, numbers, time.time_ns() // 1_000_000)

    def lines(self) -> list[Line]:
        """Return a line a version, of all processes together, sorted."""
        return _lines(self._shared.totals())

    def by_process(self) -> list[list[Line]]:
        """Return the lines of each process that has answered; a successor's are its too."""
        return [lines for part in self._shared.by_process() if (lines := _lines(part))]


def _lines(rows: dict[tuple[str, ...], Row]) -> list[Line]:
    lines = [
        _line(model, int(version), tuple(labels), row)
        for (kind, *names), row in rows.items()
        if kind == _ANSWERS
        for model, version, *labels in [names]
    ]
    return sorted(lines, key=lambda line: line[:3])


def _line(model: str, version: int, labels: tuple[str, ...], row: Row) -> Line:
    ends = list(itertools.accumulate((len(Counts._fields), len(labels))))
    counts, answered, sureness = np.split(row.numbers, ends)
    return Line(
        model, version, labels, row.last_ms, Counts(*counts.tolist()), Answers(answered, sureness)
    )
