"""When a run's checkpoint is written, and when the run ends because it is to make way."""

import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Self

from worker.job_folder import StoredJob

log = logging.getLogger(__name__)

SECONDS_BETWEEN_SAVES = 30.0  # within an epoch
SECONDS_BETWEEN_EPOCHS_SAVES = 1.0  # shorter epochs are not worth a checkpoint each


class InterruptedRunError(Exception):
    """The run was asked to make way. What it has reached is in its checkpoint."""


class Interruption:
    """Whether this process is to make way: SIGTERM came, or the worker above it is gone.

    Only where it is entered, while there is something to keep, SIGTERM waits for the next step.
    Elsewhere (data are read, a report is drawn) it ends the process at once: what a run has reached
    is in its checkpoint, or published.
    """

    def __init__(self) -> None:
        self._worker = os.getppid()
        self._asked = False

    def __enter__(self) -> Self:
        signal.signal(signal.SIGTERM, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def __call__(self) -> bool:
        """Tell whether to make way."""
        return self._asked or os.getppid() != self._worker

    def _ask(self, *_: Any) -> None:
        self._asked = True


NEVER = nullcontext(lambda: False)  # in the place of an Interruption, where nobody interrupts


class Checkpoints:
    """Writes the checkpoint of a run into its folder.

    Parameters
    ----------
    folder : StoredJob
    encode : callable
        Returns the run as bytes, as it is after a step.
    interrupted : callable
        Tells whether the run is to make way.
    """

    def __init__(
        self, folder: StoredJob, encode: Callable[[], bytes], interrupted: Callable[[], bool]
    ) -> None:
        self._folder = folder
        self._encode = encode
        self._interrupted = interrupted
        self._saved_at = time.monotonic()

    def after_step(self) -> None:
        """Write where it is time. Raises InterruptedRunError, SupersededError."""
        self._make_way_if_asked()
        self._save_if_older_than(SECONDS_BETWEEN_SAVES)

    def after_epoch(self) -> None:
        """Write, unless epochs are short. Raises InterruptedRunError, SupersededError."""
        self._make_way_if_asked()
        self._save_if_older_than(SECONDS_BETWEEN_EPOCHS_SAVES)

    def _make_way_if_asked(self) -> None:
        if self._interrupted():
            self._save()
            raise InterruptedRunError

    def _save_if_older_than(self, seconds: float) -> None:
        if time.monotonic() - self._saved_at >= seconds:
            self._save()

    def _save(self) -> None:
        try:
            self._folder.save(self._encode())
        except OSError as error:
            # The run does not end because of it: the checkpoint before is still there.
            log.warning("No checkpoint could be written: %s", error)
        self._saved_at = time.monotonic()
