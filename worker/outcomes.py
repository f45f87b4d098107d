"""How a run ended, as its process tells it to the worker: JSON with a ``kind``."""

import errno
import logging
from collections.abc import Callable
from typing import Any

from redis.exceptions import RedisError

from worker.checkpoints import InterruptedRunError
from worker.datasets import UnreachableDatasetError
from worker.job_folder import SupersededError

log = logging.getLogger(__name__)

FINISHED = "finished"
INTERRUPTED = "interrupted"  # it made way; its checkpoint is kept
SUPERSEDED = "superseded"  # it is another execution's by now
FAILED = "failed"
PUT_OFF = "put off"  # it failed for what may pass
DIED = "died"  # the process is gone without a word

MAX_ERROR = 2_000  # characters

PASSING = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.EROFS,  # what a disk with an error becomes
    errno.ESTALE,
    errno.ETIMEDOUT,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
)


def outcome_of(task: Callable[[], Any]) -> dict[str, Any]:
    """Run `task` and return how it ended."""
    try:
        return {"kind": FINISHED, "result": task()}
    except InterruptedRunError:
        return {"kind": INTERRUPTED}
    except SupersededError as error:
        return {"kind": SUPERSEDED, "error": str(error)}
    except Exception as error:
        log.exception("The run failed.")
        kind = PUT_OFF if may_pass(error) else FAILED
        return {"kind": kind, "error": _sentence(error)}


def may_pass(error: Exception) -> bool:
    """Tell whether a later try may go well: the disk is full now, say, or Redis is away."""
    if isinstance(error, OSError):
        return error.errno in PASSING
    return isinstance(error, RedisError | UnreachableDatasetError)


def _sentence(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return f"The run needed more memory than it may have, or than there is: {error}"[:MAX_ERROR]
    return (str(error) or type(error).__name__)[:MAX_ERROR]
