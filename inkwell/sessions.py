"""Signals for a process and for all that it has started.

Every process of `inkwell up` leads a session of its own. gunicorn's workers, and RQ's jobs, which
leave the process group, stay in it: so nothing that belongs to a process is ever missed.
"""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
KILL_SECONDS = 5.0  # a process that hangs in the kernel dies when the kernel lets it


def members(session: int) -> list[int]:
    """Return the processes of a session that still run."""
    if not (PROC / "self/stat").exists():  # not Linux: know the leader's process group at least
        with suppress(OSError):
            os.killpg(session, 0)
            return [session]
        return []
    running = (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())
    return [pid for pid in running if _session_of(pid) == session]


def _session_of(pid: int) -> int | None:
    with suppress(OSError):
        # The name in parentheses may itself hold spaces and parentheses.
        state, _, _, session = (PROC / f"{pid}/stat").read_text().rpartition(")")[2].split()[:4]
        return None if state in "ZX" else int(session)
    return None


def terminate(session: int) -> None:
    """Ask the leader to end; how its own processes end is for it to say."""
    with suppress(ProcessLookupError):
        os.kill(session, signal.SIGTERM)


def kill(session: int) -> None:
    """End every process of a session, and what those start meanwhile."""
    wait_until(lambda: not _shoot(session), KILL_SECONDS)


def _shoot(session: int) -> list[int]:
    pids = members(session)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return pids


def wait_until(done: Callable[[], bool], seconds: float) -> bool:
    """Wait until something holds, and tell whether it did in time."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
