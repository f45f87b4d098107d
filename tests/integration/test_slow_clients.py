"""Clients that send slowly, or too much at once, hold up nobody else."""

import contextlib
import socket
import time
from collections import Counter

import pytest

from tests.stack import Stack, wait_for

pytestmark = pytest.mark.integration

HEAD = b"POST /api/v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
PICTURE = bytes(784)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    running = Stack(
        tmp_path_factory.mktemp("stack"),
        INKWELL_WEB_WORKERS="1",
        INKWELL_WEB_THREADS="2",
        INKWELL_MAX_STREAMS="2",
        INKWELL_MAX_WAITING="2",
    )
    try:
        running.start()
        running.train()
        yield running
    finally:
        running.stop()


@contextlib.contextmanager
def connections(stack, number):
    with contextlib.ExitStack() as open_ones:
        yield [open_ones.enter_context(connection(stack)) for _ in range(number)]


def connection(stack):
    return socket.create_connection(("127.0.0.1", stack.port), timeout=90)


def answer(client):
    """Return status and body of an answer after which the connection ends, or of one whole."""
    content = b""
    while b"\r\n\r\n" not in content:
        more = client.recv(65536)
        assert more, "the connection ended without an answer"
        content += more
    head, _, body = content.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length")
    )
    while len(body) < length:
        body += client.recv(65536)
    return int(head.split()[1]), head, body


def with_length(body, *more):
    return HEAD + b"".join(more) + b"Content-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"POST /api",
        HEAD,
        with_length(bytes(10_000))[:-9_000],
        with_length(bytes(200_000))[:-9],
    ],
    ids=["nothing", "half a line", "half a head", "half a body", "half a large body"],
)
def test_clients_that_stall_leave_the_threads_to_others(stack, beginning):
    with connections(stack, 40) as stalled:
        for client in stalled:
            client.sendall(beginning)

        for _ in range(5):
            assert stack.client.get("/livez").status_code == 200
            assert post(stack).status_code == 200


def post(stack):
    headers = {"Content-Type": "application/octet-stream"}
    return stack.client.post("/api/v1/predict", content=PICTURE, headers=headers)


@pytest.mark.parametrize("size", [784, 100 * 784], ids=["one picture", "a hundred"])
def test_a_request_that_comes_in_pieces_is_answered(stack, size):
    request = with_length(bytes(size))
    with connection(stack) as client:
        for start in range(0, len(request), len(request) // 20):
            client.sendall(request[start : start + len(request) // 20])
            time.sleep(0.01)

        status, _, body = answer(client)

    assert status == 200
    assert body.count(b"probabilities") == size // 784


def test_a_request_in_chunks_is_answered(stack):
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(part), part) for part in (PICTURE[:300], PICTURE[300:])
    )
    with connection(stack) as client:
        client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
        client.sendall(b"0\r\n\r\n")

        assert answer(client)[0] == 200


def test_a_client_that_waits_to_be_told_to_go_on_is_told(stack):
    with connection(stack) as client:
        client.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: 784\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 100 Continue")

        client.sendall(PICTURE)

        assert answer(client)[0] == 200


def test_two_requests_that_come_at_once_are_both_answered(stack):
    with connection(stack) as client:
        client.sendall(with_length(PICTURE) + with_length(PICTURE, b"Connection: close\r\n"))
        content = b""
        while more := client.recv(65536):
            content += more

    assert content.count(b"HTTP/1.1 200 OK") == 2


def test_a_request_that_does_not_come_in_time_gets_408(stack):
    with connection(stack) as client:
        client.sendall(HEAD)

        status, head, body = answer(client)

    assert status == 408
    assert b"connection: close" in head.lower()
    assert b"did not come within 10 s" in body


def test_an_answer_whose_client_went_away_harms_nobody(stack):
    for _ in range(20):
        with connection(stack) as client:
            client.sendall(with_length(PICTURE))

    assert stack.client.get("/livez").status_code == 200


def test_more_at_once_than_is_taken_gets_429_and_soon_all_is_well(stack):
    answers, statuses = [], Counter()
    while len(statuses) < 2:  # who is slow to send may be answered each time
        answers += answers_at_once(stack, 60)
        statuses = Counter(status for status, _, _ in answers)

    assert set(statuses) == {200, 429}
    for status, head, body in answers:
        if status == 429:
            assert b"retry-after: 1" in head.lower()
            assert b"More requests at once" in body
            assert b'"error_code": "REQUEST_LIMIT_EXCEEDED"' in body
            assert b'"code": 429' in body
    wait_for(lambda: post(stack).status_code == 200, what="an answer")


def answers_at_once(stack, number):
    request = with_length(bytes(60 * 784), b"Connection: close\r\n")
    with connections(stack, number) as clients:
        for client in clients:
            client.sendall(request)
        answers = [answer(client) for client in clients]
        assert stack.client.get("/livez").status_code == 200
    return answers


def test_clients_that_do_not_end_their_connection_hold_up_nobody(stack):
    with connections(stack, 100) as lingering:
        for client in lingering:
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert answer(client)[0] == 200

        # gunicorn's own worker waits two seconds for each of them, one after the other.
        assert stack.client.get("/livez", timeout=60).status_code == 200
        assert post(stack).status_code == 200
