"""Versions in the shadow: they are asked what others answer, and compared; they answer nothing.

A thread of low priority asks them after the answer is made, so that nobody waits for it. Where it
cannot follow, rows go by unseen, and are counted. Each process counts for itself and adds what it
found to a file that all share.
"""

import fcntl
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson

from nncore.manifest import now
from service.served import Served
from service.shared_file import shared_file

if TYPE_CHECKING:  # the predictor has its shadows
    from service.predictor import Prediction

log = logging.getLogger(__name__)

MAX_WAITING_ROWS = 20_000  # of a process: 16 MB of pictures
MAX_PAIRS = 8
MAX_PICTURES = 50
SECONDS_BETWEEN_WRITES = 0.5
LOWEST_PRIORITY = 19
COUNTS = ("requests", "rows", "agreed", "unseen")


class Pair(NamedTuple):
    """Which version answered, and which looked on."""

    model: str
    version: int
    shadow: int


Found = dict[str, Any]  # counts by their names, and "disagreements"


class Shadows:
    """What shadows say in all processes that come from this one by forking."""

    def __init__(self) -> None:
        self._file = shared_file(self)
        self._file_lock = threading.Lock()
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._looks: SimpleQueue[tuple[Pair, int, Callable[[], Found]]] = SimpleQueue()
        self._waiting_rows = 0

    def look_on(self, prediction: "Prediction", shadow: Served, request_id: str) -> None:
        """Let a shadow see what was predicted, soon; nothing is waited for."""
        served, rows = prediction.served, len(prediction.probabilities)
        with self._lock:
            if self._owner != os.getpid():
                self._start()
            follows = self._waiting_rows + rows <= MAX_WAITING_ROWS
            self._waiting_rows += rows if follows else 0
        pair = Pair(served.model, served.version, shadow.version)
        if follows:
            self._looks.put((pair, rows, lambda: compare(prediction, shadow, request_id)))
        else:
            self._looks.put((pair, 0, lambda: {"requests": 1, "unseen": rows}))

    def results(self, model: str) -> list[dict[str, Any]]:
        """Return what the shadows of a model said since the service was started: JSON values."""
        with self._locked():
            return [line for line in self._read() if line["model"] == model]

    def _start(self) -> None:
        """Begin in this process; what another had waiting when it forked is its own affair."""
        self._owner = os.getpid()
        self._looks, self._waiting_rows = SimpleQueue(), 0
        threading.Thread(target=self._work, name="shadows", daemon=True).start()

    def _work(self) -> None:
        if sys.platform == "linux":  # where a thread has a priority of its own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)
        found: dict[Pair, Found] = {}
        written_at = 0.0
        while True:
            pair, rows, look = self._looks.get()
            try:
                found[pair] = merged(found.get(pair, {}), look())
            except Exception:  # it must not end: nobody would look on any more
                log.exception("Version %d of %r could not look on", pair.shadow, pair.model)
            with self._lock:
                self._waiting_rows -= rows
            if self._looks.empty() or time.monotonic() - written_at > SECONDS_BETWEEN_WRITES:
                self._write(found)
                found, written_at = {}, time.monotonic()

    def _write(self, found: dict[Pair, Found]) -> None:
        """Add what was found to what all processes found; of many pairs the latest stay."""
        with self._locked():
            lines = {Pair(*(line.pop(key) for key in Pair._fields)): line for line in self._read()}
            for pair, new in found.items():
                lines[pair] = merged(lines.pop(pair, {}), new)
            latest = list(lines.items())[-MAX_PAIRS:]
            content = orjson.dumps([pair._asdict() | line for pair, line in latest])
            os.pwrite(self._file, content, 0)
            os.ftruncate(self._file, len(content))

    def _read(self) -> list[dict[str, Any]]:
        content = os.pread(self._file, os.fstat(self._file).st_size, 0)
        lines: list[dict[str, Any]] = orjson.loads(content) if content else []
        return lines

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other threads and other processes from the file."""
        with self._file_lock:
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)


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
                "answer": prediction.labels[row],
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
