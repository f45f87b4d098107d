"""Versions in the shadow: they are asked what others answer, and compared; they answer nothing.

A thread of low priority asks them after the answer is made, so that nobody waits for it. Where it
cannot follow, rows go by unseen, and are counted. Each process counts for itself and adds what it
found to a file that all share.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nncore.manifest import now
from service.background import Background
from service.served import Served
from service.shared_lines import SharedLines

if TYPE_CHECKING:  # the predictor has its shadows
    from service.predictor import Prediction

log = logging.getLogger(__name__)

MAX_WAITING_ROWS = 20_000  # of a process: 16 MB of pictures
MAX_PAIRS = 8
MAX_PICTURES = 50
COUNTS = ("requests", "rows", "agreed", "unseen")


class Pair(NamedTuple):
    """Which version answered, and which looked on."""

    model: str
    version: int
    shadow: int


Found = dict[str, Any]  # counts by their names, and "disagreements"
Look = tuple[Pair, Callable[[], Found]]


class Shadows:
    """What shadows say in all processes that come from this one by forking."""

    def __init__(self) -> None:
        self._shared = SharedLines()
        self._background = Background[Look]("shadows", self._work)

    def look_on(self, prediction: "Prediction", shadow: Served, request_id: str) -> None:
        """Let a shadow see what was predicted, soon; nothing is waited for."""
        served, rows = prediction.served, len(prediction.probabilities)
        pair = Pair(served.model, served.version, shadow.version)
        look = (pair, lambda: compare(prediction, shadow, request_id))
        if not self._background.offer(look, rows, at_most=MAX_WAITING_ROWS):
            unseen = (pair, lambda: {"requests": 1, "unseen": rows})
            self._background.offer(unseen, 0, at_most=MAX_WAITING_ROWS)

    def results(self, model: str) -> list[dict[str, Any]]:
        """Return what the shadows of a model said since the service was started: JSON values."""
        return [line for line in self._shared.read() if line["model"] == model]

    def _work(self, looks: list[Look]) -> None:
        found: dict[Pair, Found] = {}
        for pair, look in looks:
            try:
                found[pair] = merged(found.get(pair, {}), look())
            except Exception:  # the others' findings are not lost with it
                log.exception("Version %d of %r could not look on", pair.shadow, pair.model)
        self._write(found)

    def _write(self, found: dict[Pair, Found]) -> None:
        """Add what was found to what all processes found; of many pairs the latest stay."""
        with self._shared.changing() as told:
            lines = {Pair(*(line.pop(key) for key in Pair._fields)): line for line in told}
            for pair, new in found.items():
                lines[pair] = merged(lines.pop(pair, {}), new)
            latest = list(lines.items())[-MAX_PAIRS:]
            told[:] = [pair._asdict() | line for pair, line in latest]


def compare(prediction: "Prediction", shadow: Served, request_id: str) -> Found:
    """Ask a shadow what was predicted; return counts, and the rows that it answers otherwise."""
    probabilities = shadow.classifier.probabilities(prediction.batch.pixels)
    answers, rows = probabilities.argmax(axis=1), len(probabilities)
    otherwise = np.flatnonzero(answers != prediction.winners)
    return {
        "requests": 1,
        "rows": rows,
        "agreed": rows - len(otherwise),
        "disagreements": [
            {
                "at": now(),
                "request_id": request_id,
                "row": int(row),
                "answer": prediction.served.labels[prediction.winners[row]],
                "probability": float(prediction.confidences[row]),
                "shadow_answer": shadow.labels[answers[row]],
                "shadow_probability": float(probabilities[row, answers[row]]),
                "pixels": prediction.batch.pixels[row].tolist(),
            }
            for row in otherwise[-MAX_PICTURES:]
        ],
    }


def merged(one: Found, other: Found) -> Found:
    """Return two findings as one; of many disagreements the latest stay."""
    counts = {name: one.get(name, 0) + other.get(name, 0) for name in COUNTS}
    pictures = [*one.get("disagreements", []), *other.get("disagreements", [])]
    return counts | {"disagreements": pictures[-MAX_PICTURES:]}
