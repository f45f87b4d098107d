"""Keeps programs running: starts again what dies, and stops all in order.

honcho prints for us, but its manager ends everything as soon as one process ends; here the others
go on.
"""

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from inkwell.guard import Guard
from inkwell.output import Output
from inkwell.program import Child, Program

TICK_SECONDS = 0.1
KILLED_AFTER = 3.0


class Supervisor:
    """Runs stages of programs: a stage starts when the one before it accepts work.

    They are stopped in the reverse order; the programs of one stage stop together.
    """

    def __init__(self, stages: Sequence[Sequence[Program]], output: Output, guard: Guard) -> None:
        self._stages = [[Child(program, output, guard) for program in stage] for stage in stages]
        self._output = output
        self._hurried = False
        # A plain flag, no Event: a signal handler must not wait for a lock.
        self.stopping = False

    def run(self) -> None:
        """Start everything, and return when a signal has stopped it.

        Raises
        ------
        StartupFailed
            If a program keeps dying before it ever ran for a while; all is stopped then.
        """
        with self._signals():
            try:
                for stage in self._stages:
                    for child in stage:
                        child.start()
                    self._look_after(until=stage)
                self._look_after(until=None)
            finally:
                self.stopping = True
                self._stop()

    def _look_after(self, until: list[Child] | None) -> None:
        """Keep what was started running until a stage accepts work, or until it is all to stop."""
        while not self.stopping:
            time.sleep(TICK_SECONDS)
            for child in self._children():
                child.look()
            if until is not None and all(child.accepts() for child in until):
                return

    def _children(self) -> Iterator[Child]:
        return (child for stage in self._stages for child in stage if child.started)

    def _stop(self) -> None:
        for stage in reversed(self._stages):
            running = [child for child in stage if child.runs()]
            grace = max((child.program.grace for child in running), default=0.0)
            self._end(running, grace)
            # RQ takes a second SIGTERM as: give up the running job.
            self._end(running, KILLED_AFTER)
            for child in stage:
                child.bury()

    def _end(self, children: list[Child], seconds: float) -> None:
        """Send SIGTERM, and wait until all have ended, or the time or the patience has."""
        deadline = time.monotonic() + seconds
        for child in children:
            child.terminate()
        told = False
        while any(child.runs() for child in children) and not self._hurried:
            left = deadline - time.monotonic()
            if left < 0:
                return
            if not told and seconds - left > 2:
                names = " and ".join(child.program.name for child in children if child.runs())
                self._output.say(f"Waiting up to {left:.0f} s for {names}; Ctrl-C ends it now.")
                told = True
            time.sleep(0.05)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def stop(number: int, _: Any) -> None:
            self._hurried |= self.stopping and number == signal.SIGINT
            self.stopping = True

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.getsignal(number) for number in numbers}
        for number, action in before.items():
            if action != signal.SIG_IGN:  # nohup means: stay when the terminal goes
                signal.signal(number, stop)
        try:
            yield
        finally:
            for number, action in before.items():
                signal.signal(number, action)
