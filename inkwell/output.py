"""One output for many processes: each line with the time and the name of who wrote it."""

import os
import sys
from datetime import datetime
from threading import Lock

from honcho.colour import get_colours
from honcho.printer import Message, Printer

OURS = "inkwell"


class Output:
    """Prints lines from several threads, in colour where stdout is a terminal."""

    def __init__(self, names: list[str]) -> None:
        self._printer = Printer(sys.stdout, width=max(map(len, [OURS, *names])))
        self._colours = dict(zip(names, get_colours(), strict=False))
        self._lock = Lock()

    def write(self, name: str, line: str) -> None:
        """Print a line of the process with this name."""
        message = Message("line", line, datetime.now(), name, self._colours.get(name))
        with self._lock:
            try:
                self._printer.write(message)
            except (OSError, ValueError):
                # The terminal or pipe is gone. The processes go on and are stopped as usual.
                self._printer.output = open(os.devnull, "w")  # noqa: SIM115 - kept until the end

    def say(self, line: str) -> None:
        """Print a line of our own."""
        self.write(OURS, line)
