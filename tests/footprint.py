"""What processes hold: memory and open files."""

from pathlib import Path
from typing import NamedTuple

from tests.stack import children


class Footprint(NamedTuple):
    """Proportional set size in MB, and open files."""

    megabytes: float
    files: int


def footprint(pid):
    """Return what a process holds. What it shares with others counts in parts."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return Footprint(kilobytes / 1024, len(list(Path(f"/proc/{pid}/fd").iterdir())))


def footprints(stack):
    """Return what each long-lived process of a stack holds, by name."""
    serving = enumerate(children(stack.processes["service"].pid), 1)
    pids = {f"service {number}": pid for number, pid in serving}
    others = {name: process.pid for name, process in stack.processes.items() if name != "service"}
    return {name: footprint(pid) for name, pid in (pids | others).items()}
