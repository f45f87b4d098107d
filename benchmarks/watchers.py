"""What 20 watchers of a run cost those who predict.

``python -m benchmarks.watchers`` starts a stack and a long run, and times single predictions with
and without watchers, in turn.
"""

import statistics
import tempfile
import threading
import time
from pathlib import Path

import httpx

from benchmarks.machine import machine
from tests.stack import Stack

WATCHERS = 20
ROUNDS, REQUESTS = 9, 600
RUN = {"preset": "lenet", "batch_size": 1, "epochs": 100_000}  # an epoch in about a second


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), INKWELL_MAX_STREAMS=str(2 * WATCHERS))
        try:
            stack.start()
            stack.train(epochs=2)
            job = stack.post(**RUN)
            stack.wait_for_progress(job["id"])
            print(measure(stack, job["id"]))
        finally:
            stack.stop()


def measure(stack: Stack, job_id: str) -> str:
    """Return the table as Markdown."""
    alone, watched = [], []
    for _ in range(ROUNDS):
        alone.append(predict(stack))
        with Watchers(stack, job_id) as watchers:
            watched.append(predict(stack))
        assert watchers.events > WATCHERS, "nobody watched"  # noqa: S101
    lines = ["| | without watchers | with 20 | ratio |", "| --- | --- | --- | --- |"]
    for name, place in (("p50", 0), ("p99", 1)):
        before, after = (
            statistics.median(round_[place] for round_ in rounds) for rounds in (alone, watched)
        )
        lines.append(f"| {name} | {before:.2f} ms | {after:.2f} ms | {after / before:.2f} |")
    told = f"Single predictions while a run goes on; medians of {ROUNDS} rounds of {REQUESTS}"
    return "\n".join([*lines, "", f"{told}, in turn. {machine()}"])


def predict(stack: Stack) -> tuple[float, float]:
    """Return p50 and p99 of single predictions, in milliseconds."""
    body, taken = bytes(784), []
    for _ in range(REQUESTS):
        started = time.perf_counter()
        headers = {"Content-Type": "application/octet-stream"}
        stack.client.post("/api/v1/predict", content=body, headers=headers).raise_for_status()
        taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken), statistics.quantiles(taken, n=100)[98]


class Watchers:
    """So many streams of a job's events, read as they come."""

    def __init__(self, stack: Stack, job_id: str) -> None:
        self.events = 0
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, args=(f"{stack.url}/api/v1/jobs/{job_id}/events",))
            for _ in range(WATCHERS)
        ]

    def __enter__(self) -> "Watchers":
        for thread in self._threads:
            thread.start()
        while self.events <= WATCHERS:  # what was before is sent at once
            time.sleep(0.05)
        time.sleep(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _watch(self, address: str) -> None:
        with httpx.stream("GET", address, timeout=30) as response:
            response.raise_for_status()
            for line in response.iter_lines():
                self.events += line.startswith("event:")
                if self._stop.is_set():
                    return


if __name__ == "__main__":
    main()
