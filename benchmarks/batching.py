"""What is won by answering requests that come at once as one batch.

First the processor time of a row, by how many rows are answered at once: what gathering could save
at most. Then threads of one process that answer single pictures from JSON to JSON without pause,
each for itself or gathered: what arrives while a batch is being answered makes the next one, so
that nobody waits for others to come. One BLAS thread, as in the service; rounds are interleaved,
and processor time is told, which other programs disturb less than rates.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np

from benchmarks.machine import machine
from nncore.classifier import Classifier
from nncore.config import TrainConfig
from nncore.memory import keep_freed_memory
from nncore.scaling import PixelScaler
from service.answers import to_json
from service.json_body import read_rows
from service.shapes import Rows

PRESETS = {"the default network": {}, "serving": {"preset": "serving"}}
BATCHES = (1, 2, 4, 8, 16, 64)
SECONDS = 2.0
THREADS = (1, 2, 4, 8)  # that a process answers in at once
ROUNDS = 5
ROUND_SECONDS = 0.5


def main() -> None:
    keep_freed_memory()
    pixels = np.random.default_rng(0).integers(0, 256, (max(BATCHES), 784), np.uint8)
    networks = {name: untrained(preset) for name, preset in PRESETS.items()}
    print("\n".join([*by_rows(networks, pixels), "", *by_threads(networks, pixels[0])]))
    print(f"\n`python -m benchmarks.batching`, {machine()}")


def by_rows(networks: dict[str, Classifier], pixels: np.ndarray) -> list[str]:
    lines = [
        "| processor time a row, by rows at once | " + " | ".join(map(str, BATCHES)) + " |",
        "| --- |" + " ---: |" * len(BATCHES),
    ]
    for name, classifier in networks.items():
        rows = pixels.reshape(-1, *classifier.input_shape)
        times = [cpu_seconds(classifier, rows[:count]) / count for count in BATCHES]
        lines.append(f"| {name} | " + " | ".join(f"{1e6 * t:.0f} µs" for t in times) + " |")
    return lines


def by_threads(networks: dict[str, Classifier], picture: np.ndarray) -> list[str]:
    body = to_json({"instances": [picture.tolist()]})
    lines = [
        "| processor time a request, by threads at once | " + " | ".join(map(str, THREADS)) + " |",
        "| --- |" + " ---: |" * len(THREADS),
    ]
    for name, classifier in networks.items():
        ways = {"each for itself": classifier.probabilities, "gathered": Gathering(classifier)}
        times: dict[tuple[str, int], list[float]] = {}
        for _ in range(ROUNDS):
            for threads in THREADS:
                for way, predict in ways.items():
                    spent = cpu_of_requests(predict, body, classifier.input_shape, threads)
                    times.setdefault((way, threads), []).append(spent)
        for way in ways:
            cells = [f"{1e6 * statistics.median(times[way, n]):.0f} µs" for n in THREADS]
            lines.append(f"| {name}, {way} | {' | '.join(cells)} |")
    return lines


class Gathering:
    """Answers in one call what arrives while the call before is at work."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._lock = threading.Lock()
        self._waiting: list[tuple[np.ndarray, Future[np.ndarray]]] = []
        self._at_work = False

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Return the probabilities of `rows`, (n, *input_shape)."""
        answer: Future[np.ndarray] = Future()
        with self._lock:
            self._waiting.append((rows, answer))
            leads = not self._at_work
            self._at_work = True
        while leads:
            with self._lock:
                gathered, self._waiting = self._waiting, []
                self._at_work = leads = bool(gathered)
            if gathered:
                self._answer(gathered)
        return answer.result()

    def _answer(self, gathered: list[tuple[np.ndarray, Future[np.ndarray]]]) -> None:
        probabilities = self._classifier.probabilities(np.concatenate([r for r, _ in gathered]))
        start = 0
        for rows, answer in gathered:
            answer.set_result(probabilities[start : start + len(rows)])
            start += len(rows)


def cpu_of_requests(
    predict: Callable[[np.ndarray], np.ndarray], body: bytes, shape: tuple[int, ...], threads: int
) -> float:
    """Return the processor time of a request while `threads` answer them without pause."""
    counts = [0] * threads
    end = time.perf_counter() + ROUND_SECONDS

    def work(slot: int) -> None:
        rows = Rows(shape, 10_000)
        while time.perf_counter() < end:
            found = read_rows(body, rows, ("/instances",)).numbers.astype(np.float32)
            to_json({"predictions": predict(found.reshape(-1, *shape))})
            counts[slot] += 1

    running = [threading.Thread(target=work, args=(slot,)) for slot in range(threads)]
    began = time.process_time()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return (time.process_time() - began) / sum(counts)


def untrained(preset: dict[str, object]) -> Classifier:
    config = TrainConfig.from_dict({"model": "m", "dataset": "mnist", **preset})
    network = config.build_network(np.random.default_rng(0))
    return Classifier(network, PixelScaler(), config.loss)


def cpu_seconds(classifier: Classifier, rows: np.ndarray) -> float:
    """Return the processor time of one call, the least of many."""
    times, end = [], time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        began = time.thread_time()
        classifier.probabilities(rows)
        times.append(time.thread_time() - began)
    return min(times)


if __name__ == "__main__":
    main()
