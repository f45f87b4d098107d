"""How far a run is, at what speed, and how long it will still take."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from nncore.training import EpochStats, TrainingState

SECONDS_BETWEEN_REPORTS = 0.5

Report = Callable[[dict[str, Any], list[dict[str, Any]]], None]


class Progress:
    """Reports a run while it goes on.

    Parameters
    ----------
    state : TrainingState
    history : list of dict
        A line an epoch; those that come are added.
    epochs, rows : int
        How many there are to be, and how many rows each has.
    report : callable
        Takes the progress and the whole history, at most twice a second.
    """

    def __init__(
        self,
        state: TrainingState,
        history: list[dict[str, Any]],
        *,
        epochs: int,
        rows: int,
        report: Report,
    ) -> None:
        self._state = state
        self._history = history
        self._epochs = epochs
        self._rows = rows
        self._report = report
        self._started = self._reported_at = time.monotonic()
        self._rows_before = self._rows_done()
        self._is_through = False

    def after_step(self) -> None:
        """Report where it is time."""
        if time.monotonic() - self._reported_at >= SECONDS_BETWEEN_REPORTS:
            self.report()

    def after_epoch(self, stats: EpochStats) -> None:
        """Add a line to the history; report where it is time."""
        self._history.append(_line(stats))
        self.after_step()

    def end(self) -> None:
        """Count the run as through, which it may be before its last epoch."""
        self._is_through = True

    def report(self) -> None:
        """Report now."""
        self._report(self._now(), self._history)
        self._reported_at = time.monotonic()

    def _now(self) -> dict[str, Any]:
        done = self._rows_done()
        total = done if self._is_through else self._epochs * self._rows
        seconds = max(time.monotonic() - self._started, 1e-9)
        speed = (done - self._rows_before) / seconds
        last = self._history[-1] if self._history else {}
        return {
            "epoch": self._state.epoch,
            "epochs": self._epochs,
            "fraction": done / total,
            "loss": last.get("loss"),
            "validation_accuracy": last.get("validation_accuracy"),
            "samples_per_second": round(speed, 1),
            "eta_seconds": round((total - done) / speed, 1) if speed else None,
        }

    def _rows_done(self) -> int:
        return self._state.epoch * self._rows + self._state.rows


def _line(stats: EpochStats) -> dict[str, Any]:
    # NaN is no JSON: without validation images there is no validation figure.
    held_out = {
        key: None if np.isnan(value) else value
        for key, value in (
            ("validation_loss", stats.validation_loss),
            ("validation_accuracy", stats.validation_accuracy),
        )
    }
    return {"epoch": stats.epoch, "loss": stats.loss, **held_out, "seconds": stats.seconds}
