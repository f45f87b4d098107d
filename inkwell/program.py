"""A program to keep running, and the process that runs it now."""

import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals

from inkwell.errors import InkwellError
from inkwell.guard import Guard
from inkwell.output import Output
from inkwell.sessions import kill, terminate

FIRST_DELAY = 1.0
LONGEST_DELAY = 30.0
HEALTHY_AFTER = 60.0  # seconds, after which a death counts as the first one
STARTED_AFTER = 15.0  # seconds; gunicorn alone tries for 5 to get its port
START_ATTEMPTS = 5


class StartupFailed(InkwellError):  # noqa: N818 - reads as the sentence it is
    """A program died again and again without ever running for a while."""


@dataclass(frozen=True)
class Program:
    """What to run, and how long it may take to end."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    folder: Path | None = None
    grace: float = 35.0
    log: Path | None = None
    accepts: Callable[[], bool] = lambda: True


class Child:
    """A program and its process, which is started again when it dies."""

    def __init__(self, program: Program, output: Output, guard: Guard) -> None:
        self.program = program
        self.started = False
        self._output = output
        self._guard = guard
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._began = self._due = 0.0
        self._delay = FIRST_DELAY
        self._failed_starts: int | None = 0  # None once it has run for a while

    def start(self) -> None:
        """Start the process, and hand on every line that it writes."""
        program = self.program
        self._process = subprocess.Popen(  # noqa: S603 - our own programs
            program.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=program.environ,
            cwd=program.folder,
            # The terminal's Ctrl-C reaches `up` alone, which stops all in order.
            start_new_session=True,
        )
        self._guard.note(program.name, self._process.pid)
        self._began = time.monotonic()
        self.started = True
        self._reader = threading.Thread(target=self._hand_on, args=(self._process,), daemon=True)
        self._reader.start()

    def _hand_on(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101 - stdout is a pipe
        for line in process.stdout:
            self._output.write(self.program.name, line.decode(errors="replace"))

    def runs(self) -> bool:
        """Tell whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def accepts(self) -> bool:
        """Tell whether the program takes work."""
        return self.runs() and self.program.accepts()

    def look(self) -> None:
        """Start the process again if it has died and its pause is over."""
        now = time.monotonic()
        if self.runs():
            if now - self._began > STARTED_AFTER:
                self._failed_starts = None
        elif self._process is not None:
            self._mourn(self._process.returncode, ran=now - self._began)
        elif now >= self._due:
            self.start()

    def _mourn(self, code: int, ran: float) -> None:
        self.bury()
        name = self.program.name
        how = f"was ended by {Signals(-code).name}" if code < 0 else f"ended with code {code}"
        if self._failed_starts is not None:
            self._failed_starts += 1
            if self._failed_starts == START_ATTEMPTS:
                where = f"see {self.program.log}" if self.program.log else "its lines tell why"
                raise StartupFailed(
                    f"The {name} {how}, {START_ATTEMPTS} times in a row, at its start; {where}"
                )
        if ran > HEALTHY_AFTER:
            self._delay = FIRST_DELAY
        self._output.say(f"The {name} {how}; it is started again in {self._delay:.0f} s.")
        self._due = time.monotonic() + self._delay
        self._delay = min(2 * self._delay, LONGEST_DELAY)

    def terminate(self) -> None:
        """Ask the process to end."""
        if self._process is not None and self.runs():
            terminate(self._process.pid)

    def bury(self) -> None:
        """End the process and what it left behind: an orphan would hold its port or its job."""
        if self._process is None:
            return
        kill(self._process.pid)
        self._process.wait()
        self._guard.note(self.program.name, 0)
        if self._reader is not None:
            self._reader.join(timeout=1)
        self._process = None
