"""Does anything grow in an hour of mixed load: ``python -m benchmarks.soak``.

Starts a stack, asks everything of it, and prints every few minutes how long single predictions
took, and what each process holds. At the end: by how much memory grew an hour, after a warm-up.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import machine
from nncore.registry import Registry
from tests.conftest import publish
from tests.footprint import Footprint, footprints
from tests.mixed_load import MixedLoad
from tests.stack import Stack

SINGLE = ("one as JSON", "one as octets")
WARM_UP = 1 / 6  # of the time


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=60)
    options.add_argument("--every", type=float, default=5, help="minutes between two lines")
    options.add_argument("--rate", type=float, default=20, help="requests a second")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder))
        for seed in range(2):
            publish(Registry(stack.store), seed=seed)
        try:
            soak(stack.start(), given)
        finally:
            stack.stop()


def soak(stack: Stack, given: argparse.Namespace) -> None:
    """Print a line every few minutes, and what grew, at the end."""
    os.nice(10)  # the stack has been started: only the clients make way
    begin, held = time.monotonic(), []
    print(f"{given.rate:g} requests a second, a job a minute. {machine()}\n", flush=True)
    with MixedLoad(stack, rate=given.rate, seconds_between_jobs=60) as load:
        while (minute := (time.monotonic() - begin) / 60) < given.minutes:
            time.sleep(min(given.every, given.minutes - minute) * 60)
            held.append(((time.monotonic() - begin) / 60, footprints(stack)))
            if len(held) == 1:
                print_head(held[0][1])
            print_line(*held[-1], load)
    print("\n" + growth([(at, now) for at, now in held if at >= WARM_UP * given.minutes]))
    print("\n".join(load.failures[:50]) or "No failure.")


def print_head(now: dict[str, Footprint]) -> None:
    columns = ["minute", "load", "answered", "failed", "jobs", "p50", "p99", *now]
    print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")


def print_line(minute: float, now: dict[str, Footprint], load: MixedLoad) -> None:
    taken = load.taken()
    single = [taken_by_one for name in SINGLE for taken_by_one in taken[name]]
    p50, *_, p99 = statistics.quantiles(single, n=100)[49:]
    cells = [
        f"{minute:.0f}",
        f"{os.getloadavg()[0]:.1f}",
        f"{sum(map(len, taken.values())):,}",
        f"{len(load.failures)}",
        f"{load.trained}",
        f"{p50:.1f} ms",
        f"{p99:.1f} ms",
        *(f"{held.megabytes:.1f} MB, {held.files} files" for held in now.values()),
    ]
    print(f"| {' | '.join(cells)} |", flush=True)


def growth(held: list[tuple[float, dict[str, Footprint]]]) -> str:
    """Return by how much each process' memory grew an hour: the slope of the best line."""
    hours = [minute / 60 for minute, _ in held]
    slopes = {
        name: np.polyfit(hours, [now[name].megabytes for _, now in held], 1)[0]
        for name in held[0][1]
    }
    return "Grew an hour: " + ", ".join(f"{name} {slope:+.1f} MB" for name, slope in slopes.items())


if __name__ == "__main__":
    main()
