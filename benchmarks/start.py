"""How long the service takes from the start of its container until it is ready.

``docker compose up --detach --wait``, a version that is live, ``python -m benchmarks.start``.
"""

import contextlib
import http.client
import os
import statistics
import subprocess
import time
from datetime import UTC, datetime

from benchmarks.machine import machine

ROUNDS = 7
SECONDS_BETWEEN_LOOKS = 0.005


def main() -> None:
    port = int(os.environ.get("INKWELL_PORT") or 8000)
    wait_until_ready(port)
    (container,) = docker("compose", "ps", "--quiet", "service").split()
    seconds, processor = [], []
    for _ in range(ROUNDS):
        docker("restart", container)
        wait_until_ready(port)
        seconds.append(time.time() - started_at(container))
        processor.append(processor_seconds(container))
    print(machine())
    print(f"start to ready: median {statistics.median(seconds):.2f} s, most {max(seconds):.2f} s")
    print(f"processor time until then: median {statistics.median(processor):.2f} s")


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout


def started_at(container: str) -> float:
    told = docker("inspect", "--format", "{{.State.StartedAt}}", container)
    return datetime.fromisoformat(told[:23]).replace(tzinfo=UTC).timestamp()


def processor_seconds(container: str) -> float:
    """Return what all processes of a container have taken so far."""
    told = docker("exec", container, "sh", "-c", "cat /proc/[0-9]*/stat").splitlines()
    ticks = [line.rpartition(")")[2].split()[11:13] for line in told]
    return sum(int(used) for pair in ticks for used in pair) / os.sysconf("SC_CLK_TCK")


def wait_until_ready(port: int) -> None:
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        time.sleep(SECONDS_BETWEEN_LOOKS)


if __name__ == "__main__":
    main()
