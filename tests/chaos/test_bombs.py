"""Small files that become large, bodies without end, slow clients: refused; others are served."""

import contextlib
import os
import resource
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nncore.registry import Registry
from tests.chaos.bombs import bombs, png
from tests.chaos.measures import SECONDS, disturb
from tests.conftest import publish
from tests.stack import Stack, children

pytestmark = pytest.mark.integration

LIMIT = 8  # MB of a body
CONNECTIONS = 200 if SECONDS < 5 else 1000
MEMORY = 1500  # MB that a process may take more: two large pictures, and what else is read
HEAD = b"POST /api/v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """The service with a version, which takes bodies of 8 MB."""
    running = Stack(tmp_path_factory.mktemp("stack"), INKWELL_MAX_BODY_MB=str(LIMIT))
    publish(Registry(running.store))
    try:
        running.start_redis()
        running.start_service()
        yield running
    finally:
        running.stop()


@contextlib.contextmanager
def repeated(act):
    """Let `act` be called again and again by a thread of its own until the block ends."""
    over, calls = threading.Event(), []

    def run():
        while not over.is_set():
            calls.append(act())

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run)
        try:
            yield
        finally:
            over.set()
            running.result()
    assert calls


def reset_peak(stack):
    for pid in children(stack.processes["service"].pid):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak(stack):
    """Return the most megabytes that one of the service's processes held since the reset."""
    held = []
    for pid in children(stack.processes["service"].pid):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        held += [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
    return max(held)


def test_bombs_are_refused_within_limits_and_others_are_served(stack, tell):
    statuses, made = {}, list(bombs(LIMIT * 2**20))

    def explode():
        for name, kind, encoding, body in made:
            headers = {"Content-Type": kind} | ({"Content-Encoding": encoding} if encoding else {})
            answer = stack.client.post("/api/v1/predict", content=body, headers=headers)
            statuses[name] = answer.status_code
            assert answer.json()["detail"]

    reset_peak(stack)
    before = peak(stack)
    seen = disturb(stack.url, lambda: repeated(explode))

    assert seen.failures == []
    assert set(statuses) == {name for name, *_ in made}
    assert set(statuses.values()) <= {400, 413, 422}, statuses
    more = peak(stack) - before
    assert more < MEMORY
    tell(f"{len(made)} bombs, one after the other", f"all refused; {seen}; memory +{more:.0f} MB")


def test_the_largest_pictures_at_once_do_not_fill_the_memory(stack, tell):
    deep = png(6300, 6300, depth=16)
    assert len(deep) < 2**17
    reset_peak(stack)
    before = peak(stack)

    def send(_):
        headers = {"Content-Type": "image/png"}
        answer = stack.client.post("/api/v1/predict", content=deep, headers=headers, timeout=200)
        return answer.status_code

    with ThreadPoolExecutor(16) as pool:
        statuses = Counter(pool.map(send, range(16)))

    assert set(statuses) <= {422, 429}  # they are blank
    assert statuses[422]
    more = peak(stack) - before
    assert more < MEMORY
    tell(
        "16 pictures of 40 million pixels at once, each a file of 77 KB",
        f"{statuses[422]} read, {statuses[429]} got 429; memory +{more:.0f} MB a process",
    )


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 10000000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"],
    ids=["announced", "in chunks"],
)
def test_a_body_of_10_gb_is_refused_before_it_has_come(stack, head):
    chunk = b"10000\r\n" + bytes(65536) + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", stack.port), timeout=30) as client:
        client.sendall(HEAD + head)
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            while sent < 10**10:
                sent += client.send(chunk)

    assert sent < 5 * 10**9
    assert stack.client.get("/livez").status_code == 200


def test_who_announces_10_gb_and_waits_is_told_at_once(stack):
    with socket.create_connection(("127.0.0.1", stack.port), timeout=30) as client:
        client.sendall(HEAD + b"Content-Length: 10000000000\r\n\r\n" + bytes(70_000))
        answer = client.recv(100)  # before the time is over that a body may take

    assert answer.startswith(b"HTTP/1.1 413")


# Each is sent in pieces, one a moment; the last piece never comes.
SLOW = {
    "heads": HEAD * 100,
    "bodies": HEAD + b"Content-Length: 60000\r\n\r\n" + bytes(50_000),
    "large bodies": HEAD + b"Content-Length: 6000000\r\n\r\n" + bytes(90_000),
}


@contextlib.contextmanager
def opened(stack):
    """Many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4096), hard), hard))
    with contextlib.ExitStack() as clients:
        yield [
            clients.enter_context(socket.create_connection(("127.0.0.1", stack.port), timeout=30))
            for _ in range(CONNECTIONS)
        ]


@pytest.mark.parametrize("content", SLOW.values(), ids=SLOW)
def test_clients_that_send_slowly_hold_up_nobody(stack, tell, content, request):
    @contextlib.contextmanager
    def slowly():
        with opened(stack) as clients:
            pieces = iter([content[: len(content) * 3 // 4], *(bytes([b]) for b in content[-900:])])

            def send():
                piece = next(pieces, b"")
                for client in clients:
                    with contextlib.suppress(OSError):  # it was refused
                        client.sendall(piece)
                time.sleep(0.2)

            with repeated(send):
                yield

    seen = disturb(stack.url, slowly)

    assert seen.failures == []
    tell(f"{CONNECTIONS:,} connections with slow {request.node.callspec.id}", seen)


def test_clients_that_do_not_take_their_answers_hold_up_nobody_for_long(stack):
    rows = bytes(8_000 * 784)
    path = HEAD.replace(b"predict", b"predict?outputs=input")
    body = path + b"Content-Length: %d\r\n\r\n" % len(rows) + rows
    with contextlib.ExitStack() as clients:
        for _ in range(2 * os.cpu_count() * 24):
            client = clients.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", stack.port))
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.send(body)

        # They may hold a thread for a minute, but not all threads.
        assert stack.client.get("/api/v1/models", timeout=45).status_code == 200
