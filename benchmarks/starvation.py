"""Do large batches starve small ones? Latency of single predictions while large ones run.

Starts the whole system with ``inkwell up`` on free ports. Single predictions are sent at a fixed
rate, whether or not the last one was answered, and timed from when they were due, so that waiting
counts. Beside them clients in processes of their own send batches of 10,000 rows without pause.
Rounds of all cases are interleaved. Prints a table.
"""

import contextlib
import http.client
import multiprocessing
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from benchmarks.headline import as_json, running_system
from benchmarks.machine import machine

ROWS = 10_000
CLIENTS = 2  # that send large batches: one a process of the service on two cores
ROUNDS = 5
SECONDS = 6.0
A_SECOND = 50  # single predictions
OCTETS = "application/octet-stream"
JSON = "application/json"

SMALL = np.random.default_rng(0).integers(0, 256, 784, np.uint8).tobytes()


def main() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, ROWS * 784, np.uint8).tobytes()
    cases = {
        "nothing": (OCTETS, b""),
        f"{ROWS:,} rows, octets": (OCTETS, pixels),
        f"{ROWS:,} rows, JSON": (JSON, as_json(pixels)),
    }
    latencies: dict[str, list[list[float]]] = {name: [] for name in cases}
    answered = dict.fromkeys(cases, 0)
    with running_system() as port:
        for _ in range(ROUNDS):
            for name, (kind, body) in cases.items():
                with large_batches(port, kind, body) as count:
                    latencies[name].append(single_predictions(port))
                    answered[name] += count.value
    print(report(latencies, answered))


@contextlib.contextmanager
def large_batches(port: int, kind: str, body: bytes) -> Iterator[Any]:
    """Send `body` again and again as long as the context lasts; yield the count of answers."""
    count, stop = multiprocessing.Value("q", 0), multiprocessing.Event()
    senders = [
        multiprocessing.Process(target=send, args=(port, kind, body, count, stop))
        for _ in range(CLIENTS if body else 0)
    ]
    for sender in senders:
        sender.start()
    time.sleep(1)
    with count.get_lock():
        count.value = 0
    try:
        yield count
    finally:
        stop.set()
        for sender in senders:
            sender.join()


def send(port: int, kind: str, body: bytes, count: Any, stop: Any) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while not stop.is_set():
        ask(connection, kind, body)
        with count.get_lock():
            count.value += 1


def single_predictions(port: int) -> list[float]:
    """Return the milliseconds from when each prediction was due to its answer."""

    def predict(due: float) -> float:
        # A connection each, so that every process of the service gets its share.
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        ask(connection, OCTETS, SMALL)
        connection.close()
        return (time.perf_counter() - due) * 1e3

    begin = time.perf_counter()
    with ThreadPoolExecutor(64) as pool:
        running = []
        for i in range(int(SECONDS * A_SECOND)):
            due = begin + i / A_SECOND
            time.sleep(max(due - time.perf_counter(), 0))
            running.append(pool.submit(predict, due))
        return [prediction.result() for prediction in running]


def ask(connection: http.client.HTTPConnection, kind: str, body: bytes) -> None:
    connection.request("POST", "/api/v1/predict", body, {"Content-Type": kind})
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        sys.exit(f"The service answered {response.status}.")


def report(latencies: dict[str, list[list[float]]], answered: dict[str, int]) -> str:
    lines = [
        "| meanwhile | large batches a second | single: p50 | p99 | longest |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, rounds in latencies.items():
        medians = [
            f"{statistics.median(np.percentile(r, share) for r in rounds):.1f} ms"
            for share in (50, 99, 100)
        ]
        rate = answered[name] / ROUNDS / SECONDS
        lines.append(f"| {name} | {rate:.1f} | {' | '.join(medians)} |")
    return "\n".join([*lines, "", f"`benchmarks/starvation.py`, {machine()}"])


if __name__ == "__main__":
    main()
