"""Following a training job or a sweep until it ends."""

import time
from collections.abc import Callable

from inkwell.client import Answer, ServiceError, ServiceUnreachable
from inkwell.handle import ENDED, POLL_SECONDS
from inkwell.transport import PASSING

PATIENCE_SECONDS = 30.0


def follow(
    look: Callable[[], Answer],
    show: Callable[[Answer], object],
    *,
    pause: Callable[[float], object] = time.sleep,
    patience: float = PATIENCE_SECONDS,
) -> Answer:
    """Look at it and show it again and again until it has ended, and return it.

    The service may be away for `patience` seconds: it is being started again, say.
    """
    lost_at: float | None = None
    while True:
        try:
            answer = look()
        except (ServiceUnreachable, ServiceError) as error:
            if isinstance(error, ServiceError) and error.status not in PASSING:
                raise
            lost_at = lost_at or time.monotonic()
            if time.monotonic() - lost_at > patience:
                raise
        else:
            lost_at = None
            show(answer)
            if answer["status"] in ENDED:
                return answer
        pause(POLL_SECONDS)


class EpochLines:
    """Writes a line for each epoch, or for each so many, when it is new in the job's history."""

    def __init__(self, write: Callable[[str], object], every: int = 1) -> None:
        self._write = write
        self._every = every
        self._shown = 0

    def __call__(self, job: Answer) -> None:
        """Write what is new since the last time."""
        history = job.get("history") or []
        for epoch in history[self._shown :]:
            if epoch["epoch"] % self._every == 0:
                self._write(epoch_line(epoch, epochs(job)))
        self._shown = len(history)


def epochs(job: Answer) -> int | str:
    """Return how many epochs the job is to run."""
    planned = (job.get("progress") or {}).get("epochs") or job["config"].get("epochs")
    return "?" if planned is None else int(planned)


def epoch_line(epoch: Answer, epochs: int | str) -> str:
    """Return one line about an epoch of a job's history."""
    line = f"epoch {epoch['epoch']}/{epochs}  loss {epoch['loss']:.4f}"
    accuracy = epoch.get("validation_accuracy")
    return line if accuracy is None else f"{line}  validation accuracy {accuracy:.4f}"


def outcome(job: Answer) -> str:
    """Return one line about what became of a job that has ended well."""
    result = job.get("result") or {}
    accuracy, reason = result.get("test_accuracy"), result.get("reason")
    line = f"{job['config']['model']} version {result.get('version')}"
    if accuracy is not None:
        line += f", test accuracy {accuracy:.4f}"
    line += ", promoted" if result.get("promoted") else ", not promoted"
    return f"{line}: {reason}" if reason else line


def failure(job: Answer) -> str:
    """Return one line about a job that has not ended well."""
    why = reason(job)
    return f"Job {job['id']} {job['status']}" + (f": {why}" if why else "")


def reason(job: Answer) -> str:
    """Return why a job failed, in one line; nothing where it did not."""
    return " ".join((job.get("error") or "").split())
