"""Requests that are wrong in every way get an answer, and never one of the service's own faults."""

import random
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from nncore.registry import Registry
from tests.chaos.malformed import malformed
from tests.chaos.measures import SECONDS
from tests.chaos.whole_requests import whole_requests
from tests.conftest import publish
from tests.footprint import footprints
from tests.load import OCTETS, PICTURE
from tests.stack import Stack, wait_for

pytestmark = pytest.mark.integration

REQUESTS = 1_000 if SECONDS < 5 else 100_000
WARM_UP = REQUESTS // 10  # requests until memory is looked at the first time
CLIENTS = 6
HANGS = 90  # seconds without an answer
# RFC 9112 has a 5xx for what only the sender can mend: an unknown transfer coding, or version.
OF_THE_SENDER = {"none", "501", "505", *map(str, range(200, 500))}
GROWTH = 40  # MB that a process may hold more afterwards, of freed memory that it keeps


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """Redis and the service with three versions. No worker: nothing that is posted is trained."""
    running = Stack(tmp_path_factory.mktemp("stack"))
    for seed in range(3):
        publish(Registry(running.store), seed=seed)
    publish(Registry(running.store), model="spare")
    try:
        running.start_redis()
        running.start_service()
        yield running
    finally:
        running.stop()


class Senders:
    """Clients that send malformed requests, each of which its number decides."""

    def __init__(self, stack, whole):
        self.stack, self.whole = stack, whole
        self.statuses, self.faults, self.longest = Counter(), [], 0.0

    def send(self, numbers):
        """Send the requests of these numbers, and wait for their answers."""
        with ThreadPoolExecutor(CLIENTS) as clients:
            for number, how, status, seconds in clients.map(self._send, numbers):
                self.longest = max(self.longest, seconds)
                self.statuses[status] += 1
                if status not in OF_THE_SENDER:
                    self.faults.append(f"request {number}, {how}: {status}")

    def _send(self, number):
        content, how = malformed(random.Random(number), self.whole)
        started = time.monotonic()
        try:
            status = exchange(self.stack.port, content)
        except TimeoutError:
            status = "hangs"
        return number, how, status, time.monotonic() - started


def exchange(port, content):
    """Send bytes and say that no more will come; return the status of the answer, if any."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=HANGS) as client:
        try:
            client.sendall(content)
            client.shutdown(socket.SHUT_WR)
            while more := client.recv(65536):
                answer = answer or more
                if b"text/event-stream" in answer:
                    break
        except (ConnectionResetError, BrokenPipeError):
            pass  # refused before it was sent whole
    return answer[9:12].decode("latin-1") or "none"


def test_no_malformed_request_gets_a_500_or_hangs_and_memory_is_flat(stack, tell):
    senders = Senders(stack, whole_requests(stack.client.get("/openapi.json").json()))

    senders.send(range(WARM_UP))
    before = footprints(stack)
    senders.send(range(WARM_UP, REQUESTS))
    after = wait_for(lambda: footprints(stack), what="all processes")

    assert senders.faults == []
    log = stack.log("service")
    assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:5000]
    assert "Warning:" not in log
    grown = {name: after[name].megabytes - before[name].megabytes for name in before}
    assert max(grown.values()) < GROWTH, grown
    headers = {"Content-Type": OCTETS}
    answer = stack.client.post("/api/v1/predict", content=PICTURE, headers=headers)
    assert answer.status_code == 200
    kinds = ", ".join(f"{count:,} got {status}" for status, count in senders.statuses.most_common())
    memory = ", ".join(f"{name} {more:+.1f} MB" for name, more in grown.items())
    tell(
        f"{REQUESTS:,} malformed requests",
        f"{kinds}; longest {senders.longest:.1f} s; memory after the first tenth: {memory}",
    )
