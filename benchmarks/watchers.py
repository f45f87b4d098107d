"""What 20 watchers of a run cost those who predict.

``python -m benchmarks.watchers`` starts a stack and a long run, and times single predictions with
and without watchers, in turn.
"""

import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import machine
from tests.stack import Stack

WATCHERS = 20
ROUNDS, REQUESTS = 15, 600
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
        alone += predict(stack)
        with Watchers(stack, job_id):
            watched += predict(stack)
    lines = ["| | without watchers | with 20 | ratio |", "| --- | --- | --- | --- |"]
    for percent in (50, 99):
        before, after = (
            statistics.quantiles(taken, n=100)[percent - 1] for taken in (alone, watched)
        )
        lines.append(f"| p{percent} | {before:.2f} ms | {after:.2f} ms | {after / before:.2f} |")
    told = f"Single predictions while a run goes on; {ROUNDS} times {REQUESTS} of each, in turn"
    return "\n".join([*lines, "", f"{told}. {machine()}"])


def predict(stack: Stack) -> list[float]:
    """Return how long single predictions take, in milliseconds."""
    body, taken = bytes(784), []
    for _ in range(REQUESTS):
        started = time.perf_counter()
        headers = {"Content-Type": "application/octet-stream"}
        stack.client.post("/api/v1/predict", content=body, headers=headers).raise_for_status()
        taken.append(1000 * (time.perf_counter() - started))
    return taken


class Watchers:
    """So many streams of a job's events, read by a process of their own, as on other machines."""

    def __init__(self, stack: Stack, job_id: str) -> None:
        path = f"/api/v1/jobs/{job_id}/events"
        self._command = [sys.executable, "-m", "benchmarks.watchers", str(stack.port), path]

    def __enter__(self) -> "Watchers":
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout  # noqa: S101 - it is a pipe
        assert self._process.stdout.readline() == "all watch\n"  # noqa: S101 - or it says why not
        time.sleep(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()


def watch(port: int, path: str) -> None:
    """Read streams until the process is ended; say when each has told of an epoch.

    From bare sockets: who reads shares the cores with what is measured, and should cost little.
    """
    with selectors.DefaultSelector() as selector:
        for _ in range(WATCHERS):
            stream = socket.create_connection(("127.0.0.1", port))
            stream.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            selector.register(stream, selectors.EVENT_READ)
        silent = {key.fileobj for key in selector.get_map().values()}
        while True:
            for key, _ in selector.select():
                read = os.read(key.fd, 1 << 16)
                if not read:
                    sys.exit("a stream has ended")
                if silent and b"event: epoch" in read:
                    silent.discard(key.fileobj)
                    if not silent:
                        print("all watch", flush=True)


if __name__ == "__main__":
    watch(int(sys.argv[1]), sys.argv[2]) if len(sys.argv) > 1 else main()
