"""Twice the load that a service can take: ``python -m benchmarks.overload [SECONDS] [ROUNDS]``.

One process of the service on one core, clients on another. Requests come at fixed rates, whatever
becomes of those before. The rate at which most is answered is looked for; then what is answered at
it, and at twice as many as that, is measured in turn: the most of several noisy windows is not what
is answered at a rate. What `client` and `service` say is how much of its core each side took then:
where the clients' is full, it is they that are measured.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.machine import machine
from nncore.registry import Registry
from tests.conftest import publish
from tests.open_loop import Clients, post
from tests.stack import Stack, children, stat_of

CLIENTS = 64
RAMP = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5)  # of what so many clients get who wait for answers
ROWS = (1, 64)
TICKS = os.sysconf("SC_CLK_TCK")


class Window(NamedTuple):
    """Requests at one rate: a second each, milliseconds, and parts of a core."""

    offered: float
    answered: float
    p99: float
    refused: float
    refused_p50: float
    refused_p99: float
    client: float
    service: float


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), INKWELL_WEB_WORKERS="1")
        publish(Registry(stack.store))
        try:
            stack.start_redis()
            stack.start_service()
            separate(stack)
            measure(stack, seconds, rounds)
        finally:
            stack.stop()


def separate(stack: Stack) -> None:
    """Give the service's process a core of its own, and this one the other."""
    ours, theirs, *_ = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {ours})
    for process in children(stack.processes["service"].pid):
        for thread in os.listdir(f"/proc/{process}/task"):
            os.sched_setaffinity(int(thread), {theirs})


def measure(stack: Stack, seconds: float, rounds: int) -> None:
    """Print the peak and twice the peak for each size of request."""
    print(
        "| rows | offered | answered | of the peak | p99 | refused | p50 | p99 | client | service |"
    )
    print("| --- " + "| ---: " * 9 + "|")
    for rows in ROWS:
        request = post("/api/v1/predict", bytes(784 * rows), "application/octet-stream")
        found = peak_and_twice(stack, request, seconds, rounds)
        for windows in zip(*found, strict=True):
            print_row(rows, windows, [peak for peak, _ in found])
    print(f"\nMedians of {rounds} rounds of {seconds:g} s at each rate. {machine()}")


def peak_and_twice(
    stack: Stack, request: bytes, seconds: float, rounds: int
) -> list[tuple[Window, Window]]:
    """Return what is answered at the best of a ramp of rates, and at twice as many as that."""
    clients = Clients(stack.port, request)
    try:
        guess = clients.keep_asking(CLIENTS, seconds / 2)
        ramp = [window(stack, clients, share * guess, seconds) for share in RAMP]
        peak = max(ramp, key=lambda one: one.answered)
        window(stack, clients, 2 * peak.answered, seconds)  # makes the connections that this takes
        return [peak_again_and_twice(stack, clients, peak.offered, seconds) for _ in range(rounds)]
    finally:
        clients.close()


def peak_again_and_twice(
    stack: Stack, clients: Clients, rate: float, seconds: float
) -> tuple[Window, Window]:
    peak = window(stack, clients, rate, seconds)
    return peak, window(stack, clients, 2 * peak.answered, seconds)


def window(stack: Stack, clients: Clients, rate: float, seconds: float) -> Window:
    """Ask at one rate for a while."""
    clients.answers.clear()
    ours, theirs, begun = time.process_time(), service_seconds(stack), time.perf_counter()
    answered = clients.ask_at(rate, seconds)
    lasted = time.perf_counter() - begun
    good = [1000 * one.seconds for one in clients.answers if one.status == 200]
    bad = [1000 * one.seconds for one in clients.answers if one.status == 429]
    return Window(
        rate,
        answered,
        p99(good),
        len(bad) / seconds,
        statistics.median(bad or [0.0]),
        p99(bad),
        (time.process_time() - ours) / lasted,
        (service_seconds(stack) - theirs) / lasted,
    )


def service_seconds(stack: Stack) -> float:
    """Return how long the service's process has had a core."""
    (process,) = children(stack.processes["service"].pid)
    user, system = stat_of(process)[11:13]
    return (int(user) + int(system)) / TICKS


def p99(milliseconds: list[float]) -> float:
    return statistics.quantiles(milliseconds, n=100)[98] if len(milliseconds) > 1 else 0.0


def print_row(rows: int, windows: tuple[Window, ...], peaks: list[Window]) -> None:
    share = statistics.median(
        one.answered / peak.answered for one, peak in zip(windows, peaks, strict=True)
    )
    mid = Window(*(statistics.median(column) for column in zip(*windows, strict=True)))
    print(
        f"| {rows} | {mid.offered:,.0f}/s | {mid.answered:,.0f}/s | {share:.2f} "
        f"| {mid.p99:.0f} ms | {mid.refused:,.0f}/s | {mid.refused_p50:.0f} ms "
        f"| {mid.refused_p99:.0f} ms | {mid.client:.0%} | {mid.service:.0%} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
