"""One `inkwell up` for each store: a file with its process number, locked while it runs."""

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from inkwell.errors import InkwellError
from inkwell.sessions import wait_until

STOP_SECONDS = 90.0  # longer than the graces of all programs together
NAME = "inkwell.pid"


class AlreadyRuns(InkwellError):  # noqa: N818 - reads as the sentence it is
    """Another `inkwell up` holds the store."""


@contextmanager
def locked(store: Path) -> Iterator[int]:
    """Hold the store's lock; yield its file descriptor.

    The kernel drops the lock with the last process that holds it, so a file that a crash has left
    behind is no trouble, and the file itself can stay.
    """
    try:
        store.mkdir(parents=True, exist_ok=True)
        lock = os.open(store / NAME, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InkwellError(f"Cannot use the store {store}: {error.strerror}") from None
    try:
        if not _take(lock):
            raise AlreadyRuns(
                f"Inkwell already runs on {store} (process {_pid(lock)}): "
                "stop it with `inkwell down`, or set INKWELL_STORE and INKWELL_PORT"
            )
        os.pwrite(lock, f"{os.getpid()}\n".encode().ljust(16), 0)
        yield lock
    finally:
        os.close(lock)


def stop_holder(store: Path) -> bool:
    """Stop the `inkwell up` of a store and wait until it is gone; False if none runs.

    Raises
    ------
    InkwellError
        If it is still there after a long while, or belongs to somebody else.
    """
    try:
        lock = os.open(store / NAME, os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise InkwellError(f"Cannot use the store {store}: {error.strerror}") from None
    try:
        if _take(lock):
            return False
        wait_until(lambda: _pid(lock) > 0, 1.0)  # it may just be writing its number
        _send_sigterm(_pid(lock))
        if not wait_until(lambda: _take(lock), STOP_SECONDS):
            raise InkwellError(f"Process {_pid(lock)} still runs after {STOP_SECONDS:.0f} s")
        return True
    finally:
        os.close(lock)


def _send_sigterm(pid: int) -> None:
    try:
        # One that ended just now has nothing more to be told.
        with suppress(ProcessLookupError):
            if pid:
                os.kill(pid, signal.SIGTERM)
    except PermissionError:
        raise InkwellError(f"Process {pid} belongs to somebody else") from None


def _take(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pid(lock: int) -> int:
    text = os.pread(lock, 16, 0).strip()
    return int(text) if text.isdigit() else 0
