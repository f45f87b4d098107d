"""The work-horse, as RQ calls it: the process in which a job runs."""

import errno
import json
import logging
import os
import re
import resource
import select
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from worker.outcomes import FINISHED, outcome_of

# Of a task apart: a worker that waits longer for its store counts as lost (`jobs.executions`).
MOST_SECONDS_APART = 10.0
WARM_UP = np.ones((512, 512), np.float32)
STATUS = Path("/proc/self/status")


class Horse:
    """A process that runs `task`, with so much memory. How that ended comes through a pipe.

    The pipe closes when the process is gone, whatever it died of: so waiting needs no signals and
    no polling.
    """

    def __init__(self, task: Callable[[], Any], *, memory_limit_mb: int | None = None) -> None:
        self._reader, writer = os.pipe()
        self._told = b""
        self.pid = os.fork()
        if self.pid == 0:
            _run(task, writer, memory_limit_mb)
        os.close(writer)

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds`; tell whether the process is gone."""
        readable, _, _ = select.select([self._reader], [], [], seconds)
        if not readable:
            return False
        part = os.read(self._reader, 65536)
        self._told += part
        return not part

    def ask_to_make_way(self) -> None:
        """Let it write a checkpoint and end."""
        os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        os.kill(self.pid, signal.SIGKILL)

    def bury(self) -> tuple[dict[str, Any] | None, str]:
        """Return the outcome, None where it told none, and what the process, now gone, died of."""
        os.close(self._reader)
        _, status = os.waitpid(self.pid, 0)
        if os.WIFSIGNALED(status):
            death = f"Killed by {signal.Signals(os.WTERMSIG(status)).name}"
        else:
            death = f"Ended with code {os.WEXITSTATUS(status)}"
        try:
            return json.loads(self._told), death
        except ValueError:
            return None, death


def apart(
    task: Callable[[], Any],
    *,
    seconds: float = MOST_SECONDS_APART,
    stopping: Callable[[], bool] = lambda: False,
) -> Any:
    """Return what `task` returns, JSON values, from a process of its own.

    What the worker itself wants of the store goes this way. The library of object stores has
    threads that no fork survives: in a process forked from one that used it, a job's, it would wait
    for ever.

    Raises
    ------
    OSError
        If the store is away, the task ended without a word, or it took too long: so many seconds,
        or until the worker is to stop.
    """
    horse = Horse(task)
    deadline = time.monotonic() + seconds
    while not horse.wait(0.1):
        if time.monotonic() > deadline or stopping():
            horse.kill()
    outcome, death = horse.bury()
    if outcome is None or outcome["kind"] != FINISHED:
        raise OSError(errno.EIO, outcome["error"] if outcome else death)
    return outcome["result"]


def limit_memory(megabytes: int) -> None:
    """Let this process take so much memory more than it has taken; then it meets MemoryError."""
    # BLAS ends the process where it finds no memory for itself: it takes its own now.
    _ = WARM_UP @ WARM_UP
    told = re.search(r"^VmData:\s*(\d+) kB$", STATUS.read_text(), re.MULTILINE)
    taken = int(told[1]) * 2**10 if told else 0
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (taken + megabytes * 2**20, hard))


def _run(task: Callable[[], Any], writer: int, memory_limit_mb: int | None) -> None:
    """Be the process: run the task, tell the outcome, end."""
    code = 1
    try:
        # A group of its own: what is sent to the worker's, such as Ctrl-C, is the worker's affair.
        os.setpgrp()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if memory_limit_mb is not None:
            limit_memory(memory_limit_mb)
        os.write(writer, json.dumps(outcome_of(task)).encode())
        code = 0
    finally:
        logging.shutdown()
        os._exit(code)
