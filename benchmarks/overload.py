"""Twice the load that a service can take: ``python -m benchmarks.overload [SECONDS]``.

One process of the service on one core, clients on another. First as much as it can take (64
clients that ask again as soon as they are answered), then twice that, at a fixed rate; in turn.
"""

import os
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.machine import machine
from nncore.registry import Registry
from tests.conftest import publish
from tests.open_loop import Clients, post
from tests.stack import Stack, children

ROUNDS = 5
CLIENTS = 64
ROWS = (1, 64)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), INKWELL_WEB_WORKERS="1")
        publish(Registry(stack.store))
        try:
            stack.start_redis()
            stack.start_service()
            separate(stack)
            measure(stack.port, seconds)
        finally:
            stack.stop()


def separate(stack: Stack) -> None:
    """Give the service's process a core of its own, and this one the other."""
    ours, theirs, *_ = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {ours})
    for process in children(stack.processes["service"].pid):
        for thread in os.listdir(f"/proc/{process}/task"):
            os.sched_setaffinity(int(thread), {theirs})


def measure(port: int, seconds: float) -> None:
    """Print a row for each size of request."""
    print("| rows | peak | offered | answered | of the peak | p99 | refused | p50 | p99 |")
    print("| --- " + "| ---: " * 8 + "|")
    for rows in ROWS:
        rounds = [overload(port, rows, seconds) for _ in range(ROUNDS)]
        peak, goodput, share, good99, refused, bad50, bad99 = (
            statistics.median(column) for column in zip(*rounds, strict=True)
        )
        print(
            f"| {rows} | {peak:,.0f}/s | {2 * peak:,.0f}/s | {goodput:,.0f}/s | {share:.2f} "
            f"| {good99:.0f} ms | {refused:,.0f}/s | {bad50:.0f} ms | {bad99:.0f} ms |",
            flush=True,
        )
    print(f"\nMedians of {ROUNDS} rounds of {seconds:g} s each. {machine()}")


def overload(port: int, rows: int, seconds: float) -> tuple[float, ...]:
    """Return what one round of each came to."""
    request = post("/api/v1/predict", bytes(784 * rows), "application/octet-stream")
    closed, opened = Clients(port, request), Clients(port, request)
    peak = closed.keep_asking(CLIENTS, seconds)
    goodput = opened.ask_at(2 * peak, seconds)
    closed.close()
    opened.close()
    good = [1000 * one.seconds for one in opened.answers if one.status == 200]
    bad = [1000 * one.seconds for one in opened.answers if one.status == 429] or [0.0, 0.0]
    return (
        peak,
        goodput,
        goodput / peak,
        statistics.quantiles(good, n=100)[98],
        len(bad) / seconds,
        statistics.median(bad),
        statistics.quantiles(bad, n=100)[98],
    )


if __name__ == "__main__":
    main()
