"""The README's figures: ``make bench``.

Starts the whole system with ``inkwell up`` in a temporary folder on free ports, trains MNIST
through a posted job, then asks for predictions, and prints a table.
"""

import contextlib
import datetime
import gzip
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.machine import machine

TOKEN = "benchmark"  # noqa: S105 - of a throw-away service
BATCH = 64
CONNECTIONS = 8
ROUNDS = 5
SECONDS = 3.0
JOB = {"model": "digits", "dataset": "mnist", "epochs": 10, "promote": "always"}


def main() -> None:
    folder = os.environ.get("INKWELL_MNIST_DIR")
    if not folder:
        sys.exit("Point INKWELL_MNIST_DIR at the folder with the four MNIST files.")
    packed = (Path(folder) / "t10k-images-idx3-ubyte.gz").read_bytes()
    images = gzip.decompress(packed)[16:]
    with running_system() as port:
        job = train(port)
        bodies = {
            "application/json": as_json(images[: BATCH * 784]),
            "application/octet-stream": images[: BATCH * 784],
        }
        rates = {kind: images_per_second(port, kind, body) for kind, body in bodies.items()}
    print(report(job, rates))


@contextlib.contextmanager
def running_system() -> Iterator[int]:
    """Start Inkwell, yield the service's port, stop it."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        environ = os.environ | {
            "INKWELL_STORE": folder,
            "INKWELL_HOST": "127.0.0.1",
            "INKWELL_PORT": str(port),
            "INKWELL_ADMIN_TOKEN": TOKEN,
        }
        log = Path(folder) / "up.log"
        with log.open("wb") as out:
            up = subprocess.Popen(
                [sys.executable, "-m", "inkwell", "up"], env=environ, stdout=out, stderr=out
            )
            try:
                wait_until_ready(port, up, log)
                yield port
            finally:
                up.send_signal(signal.SIGINT)
                up.wait()


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def wait_until_ready(port: int, up: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(3000):  # the first training takes minutes where others have the cores
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz")
            return
        if up.poll() is not None:
            break
        time.sleep(0.1)
    sys.exit(f"Inkwell did not start:\n{log.read_text()}")


def train(port: int) -> dict[str, Any]:
    """Post the job and return it when it is finished."""
    job = call(port, "POST", "/api/v1/jobs", json.dumps(JOB).encode(), "application/json")
    while job["status"] not in ("finished", "failed", "stopped"):
        time.sleep(0.2)
        job = call(port, "GET", f"/api/v1/jobs/{job['id']}")
    if job["status"] != "finished":
        sys.exit(f"The job {job['status']}: {job['error']}")
    return job


def call(port: int, method: str, path: str, body: bytes = b"", kind: str = "") -> Any:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, headers)
    return json.loads(connection.getresponse().read())


def as_json(octets: bytes) -> bytes:
    rows = [list(octets[i : i + 784]) for i in range(0, len(octets), 784)]
    return json.dumps({"instances": rows}).encode()


def images_per_second(port: int, kind: str, body: bytes) -> list[float]:
    """Return the rate of each round: CONNECTIONS kept alive, each asking without pause."""
    rates = []
    for _ in range(ROUNDS):
        counts = [0] * CONNECTIONS
        stop = time.perf_counter() + SECONDS

        def ask(slot: int, counts: list[int] = counts, stop: float = stop) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            while time.perf_counter() < stop:
                connection.request("POST", "/api/v1/predict", body, {"Content-Type": kind})
                response = connection.getresponse()
                response.read()
                if response.status != 200:
                    sys.exit(f"The service answered {response.status}.")
                counts[slot] += BATCH

        threads = [threading.Thread(target=ask, args=(slot,)) for slot in range(CONNECTIONS)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rates.append(sum(counts) / (time.perf_counter() - started))
    return rates


def report(job: dict[str, Any], rates: dict[str, list[float]]) -> str:
    seconds = sum(line["seconds"] for line in job["history"])
    times = [datetime.datetime.fromisoformat(job["times"][k]) for k in ("created_at", "ended_at")]
    rows = [
        ("MNIST, 10 epochs, default network: training", f"{seconds:.1f} s"),
        ("the same, from POST to finished", f"{(times[1] - times[0]).total_seconds():.1f} s"),
        ("accuracy on the 10,000 test images", f"{job['result']['test_accuracy']:.2%}"),
        *(
            (f"predictions, {kind}, batches of {BATCH}", spread(values))
            for kind, values in rates.items()
        ),
    ]
    lines = ["| what | measured |", "| --- | --- |", *(f"| {a} | {b} |" for a, b in rows)]
    return "\n".join([*lines, "", f"`make bench`, {machine()}"])


def spread(values: list[float]) -> str:
    """Return median, and least to most."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):,.0f} images/s ({low:,.0f} to {high:,.0f})"


if __name__ == "__main__":
    main()
