"""What each version answered, how sure it was and how long it took: counted by every process."""

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


# Where what is kept of a version begins, behind its counts.
_MILLIONTHS = len(Counts._fields)
_SURENESS = _MILLIONTHS + 1
_LABELS = _SURENESS + len(CONFIDENCES)


class Answers(NamedTuple):
    """How often each label was answered, and how sure the answers were.

    ``sureness`` has how many fall under each of `CONFIDENCES` and above the one before;
    ``millionths`` is the sum of all. Where the last ones are 0, both lists may end before them.
    """

    labels: list[int]
    sureness: list[int]
    millionths: int

    @classmethod
    def of(cls, winners: Ints, confidences: Floats) -> "Answers":
        """Count the answers to a batch."""
        return cls(
            np.bincount(winners).tolist(),
            np.bincount(_EDGES.searchsorted(confidences)).tolist(),
            int(np.add.reduce(confidences) * MILLIONTHS),
        )


NO_ANSWERS = Answers([], [], 0)


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
        return cls(model, version, labels, 0, Counts(), NO_ANSWERS)


class Statistics:
    """What the versions did in all processes that come from this one by forking."""

    def __init__(self, shared: SharedCounts) -> None:
        self._shared = shared

    def add(
        self, model: str, version: int, labels: tuple[str, ...], counts: Counts, answers: Answers
    ) -> None:
        """Count what a version did now."""
        amounts = [
            *enumerate(counts),
            (_MILLIONTHS, answers.millionths),
            *enumerate(answers.sureness, _SURENESS),
            *enumerate(answers.labels, _LABELS),
        ]
        key = (_ANSWERS, model, str(version), *labels)
        self._shared.add(key, _LABELS + len(labels), amounts, time.time_ns() // 1_000_000)

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
    numbers = row.numbers.tolist()
    answers = Answers(numbers[_LABELS:], numbers[_SURENESS:_LABELS], numbers[_MILLIONTHS])
    return Line(model, version, labels, row.last_ms, Counts(*numbers[:_MILLIONTHS]), answers)
