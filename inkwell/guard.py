"""The guard: ends the processes of an `inkwell up` that was itself killed.

SIGKILL gives `up` no chance to clean up, so this process reads a pipe from it. However `up` ends,
the kernel closes the pipe, and the guard stops what is left. Linux could send each child a signal
instead (PR_SET_PDEATHSIG), but it does not reach grandchildren such as a running training job, it
is gone after a fork, and setting it means running Python between fork and exec of a program with
threads. The guard also holds the lock of the store until nothing of `up` is left.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from inkwell.sessions import kill, members, terminate, wait_until

GRACE_SECONDS = 5.0


class Guard:
    """The other end of the pipe, in `up`."""

    def __init__(self, lock: int) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "inkwell.guard", str(lock)],
            stdin=subprocess.PIPE,
            pass_fds=(lock,),
            # Where this package is found first, whatever lies in the folder of the person.
            cwd=Path(__file__).parents[1],
            start_new_session=True,
            text=True,
        )

    def note(self, name: str, session: int) -> None:
        """Tell that a program now runs as this session; 0 if it runs no more."""
        assert self._process.stdin is not None  # noqa: S101 - stdin is a pipe
        with suppress(OSError):  # a guard that is gone can be told nothing
            self._process.stdin.write(f"{name} {session}\n")
            self._process.stdin.flush()

    def dismiss(self) -> None:
        """End the guard; it ends what was noted and not taken back."""
        with suppress(OSError):
            assert self._process.stdin is not None  # noqa: S101 - stdin is a pipe
            self._process.stdin.close()
        self._process.wait()


def stand_guard(lock: int) -> None:
    """Read what runs until the pipe closes, then stop it: what was started last, first."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    running: dict[str, int] = {}
    for line in sys.stdin:
        name, session = line.split()
        running[name] = int(session)
    left = [session for session in reversed(running.values()) if session]
    if left:
        # `inkwell down` now finds a process that lives, not a number that may be another's.
        os.pwrite(lock, f"{os.getpid()}\n".encode().ljust(16), 0)
    for session in left:
        _stop(session)


def _stop(session: int) -> None:
    if members(session):
        terminate(session)
        wait_until(lambda: session not in members(session), GRACE_SECONDS)
        kill(session)


if __name__ == "__main__":
    stand_guard(int(sys.argv[1]))
