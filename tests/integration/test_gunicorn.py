"""What a real server adds: sockets, processes, signals."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading

import httpx
import pytest

from nncore.registry import Registry
from service.arrivals import GATHERED, QUICK
from tests.conftest import publish
from tests.stack import ROOT, Stack, children, wait_for

pytestmark = pytest.mark.integration

APP = "service.wsgi:app"
OCTETS = {"Content-Type": "application/octet-stream"}
# A large body has a minute to come once it has begun, a small one ten seconds.
BEGUN, ROWS = bytes(GATHERED), QUICK // 784 + 1
REST = bytes(784 * ROWS - GATHERED)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """The service alone, with a version and no Redis: predicting needs neither worker nor queue."""
    running = Stack(tmp_path_factory.mktemp("service"))
    publish(Registry(running.store))
    try:
        running.start_service()
        yield running
    finally:
        running.stop()


def exchange(stack, request, *, close_writing=False):
    """Send raw bytes; return all that comes back."""
    with socket.create_connection(("127.0.0.1", stack.port), 60) as connection:
        connection.sendall(request)
        if close_writing:
            connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_predicting_needs_no_redis(stack):
    assert stack.client.post("/api/v1/predict", content=bytes(784), headers=OCTETS).is_success


def test_a_body_of_100_mb_gets_its_answer(stack):
    response = stack.client.post("/api/v1/predict", content=bytes(100_000_000), headers=OCTETS)

    assert response.status_code == 413
    assert response.headers["Content-Type"] == "application/problem+json"
    assert stack.client.post("/api/v1/predict", content=bytes(784), headers=OCTETS).is_success


@pytest.mark.parametrize(
    ("path", "content_type", "status"),
    [
        ("/api/v1/predict", "text/plain", 415),
        ("/api/v1/nowhere", "text/plain", 404),
        ("/livez", "text/plain", 405),
        ("/api/v1/models/nope/predict", "application/octet-stream", 404),
    ],
)
def test_a_large_body_does_not_cost_the_client_its_answer(stack, path, content_type, status):
    response = stack.client.post(
        path, content=bytes(60_000_000), headers={"Content-Type": content_type}
    )

    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"


def test_a_body_wrongly_cut_in_chunks_is_told(stack):
    answer = exchange(
        stack,
        b"POST /api/v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
    )

    assert b" 400 " in answer.splitlines()[0]
    assert b"application/problem+json" in answer


def test_a_body_in_chunks_past_the_limit_is_refused(stack):
    def chunks():
        for _ in range(100):
            yield bytes(1_000_000)

    response = stack.client.post("/api/v1/predict", content=chunks(), headers=OCTETS)

    assert response.status_code == 413


def test_a_body_in_chunks_is_read(stack):
    response = stack.client.post(
        "/api/v1/predict", content=iter([bytes(700), bytes(84)]), headers=OCTETS
    )

    assert len(response.json()["predictions"]) == 1


def test_a_body_that_is_cut_off_is_told(stack):
    answer = exchange(
        stack,
        b"POST /api/v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
        b"Content-Length: 784\r\nConnection: close\r\n\r\n" + bytes(100),
        close_writing=True,
    )

    assert b" 400 " in answer.splitlines()[0]
    assert b"application/problem+json" in answer


@pytest.mark.parametrize(
    ("request_line", "headers", "status"),
    [
        (b"nonsense", b"", 400),
        (b"GET /v2 HTTP/9.9", b"", 400),
        (b"GET /v2/" + b"x" * 10_000 + b" HTTP/1.1", b"", 414),
        (b"GET /v2 HTTP/1.1", b"X: " + b"x" * 100_000 + b"\r\n", 431),
        (b"GET /v2 HTTP/1.1", b"X-%d: 1\r\n" * 200 % tuple(range(200)), 431),
        (b"GET /v2 HTTP/1.1", b"Bad Header: 1\r\n", 400),
        (b"GET /v2 HTTP/1.1", b"Transfer-Encoding: x\r\n", 501),
        (b"GET /v2 HTTP/1.1", b"Expect: x\r\n", 417),
    ],
)
def test_a_request_that_cannot_be_parsed_gets_an_error_that_every_client_can_read(
    stack, request_line, headers, status
):
    answer = exchange(stack, request_line + b"\r\nHost: x\r\n" + headers + b"\r\n")

    head, _, body = answer.partition(b"\r\n\r\n")
    document = json.loads(body)
    assert f" {status} ".encode() in head.splitlines()[0]
    assert b"Content-Type: application/problem+json" in head
    assert f"X-Request-ID: {document['request_id']}".encode() in head
    assert {"title", "detail", "error", "error_code", "message"} < set(document)
    assert document["status"] == document["code"] == status
    assert len(body) < 3_000


def test_a_killed_process_is_replaced_and_the_others_go_on(stack):
    master = stack.processes["service"].pid
    before = children(master)

    os.kill(before[0], signal.SIGKILL)

    assert httpx.post(
        f"{stack.url}/api/v1/predict", content=bytes(784), headers=OCTETS, timeout=60
    ).is_success
    wait_for(lambda: len(set(children(master)) - set(before)) == 1, what="a new process")


@pytest.fixture
def ending(tmp_path):
    """Return what starts a service of its own, which the test ends."""
    started = []

    def start(**environ):
        stack = Stack(tmp_path, **environ)
        publish(Registry(stack.store))
        stack.start_service()
        started.append(stack)
        return stack

    yield start
    for stack in started:
        stack.stop()


def test_a_graceful_stop_finishes_the_requests_in_flight_and_refuses_new_connections(ending):
    stack = ending()
    answers = []

    def ask_slowly():
        def body():
            yield BEGUN
            told.set()
            refused.wait(60)
            yield REST

        length = {"Content-Length": str(784 * ROWS)}
        address = f"{stack.url}/api/v1/predict"
        answers.append(httpx.post(address, content=body(), headers=OCTETS | length, timeout=60))

    def is_refused():
        try:
            socket.create_connection(("127.0.0.1", stack.port), 60).close()
        except ConnectionRefusedError:
            return True

    told, refused = threading.Event(), threading.Event()
    asking = threading.Thread(target=ask_slowly)
    asking.start()
    told.wait(60)
    stack.processes["service"].send_signal(signal.SIGTERM)
    # While the one request is under way: a connection that is taken and never served is lost.
    wait_for(is_refused, 25, "connections to be refused")  # gunicorn gives the request 30
    refused.set()
    asking.join()
    stack.processes["service"].wait(90)

    assert answers[0].status_code == 200
    assert stack.processes["service"].returncode == 0


def test_a_service_that_drains_is_not_ready_and_still_answers(ending):
    stack = ending(INKWELL_DRAIN_SECONDS="10")

    # Each request over a connection of its own: it is who connects meanwhile that must be answered.
    closed = {"Connection": "close"}
    with httpx.Client(base_url=stack.url, headers=closed, timeout=60) as client:
        stack.processes["service"].send_signal(signal.SIGTERM)
        ready = wait_for(lambda: (answer := client.get("/readyz")).status_code == 503 and answer)
        answers = [
            client.post("/api/v1/predict", content=bytes(784), headers=OCTETS) for _ in range(10)
        ]
    stack.processes["service"].wait(90)

    assert ready.json()["reason"] == "The service is stopping."
    assert all(answer.is_success for answer in answers)
    assert stack.processes["service"].returncode == 0


def test_processes_that_outlive_their_master_make_room_for_the_next(ending):
    stack = ending()
    with socket.create_connection(("127.0.0.1", stack.port), 60) as client:
        head = f"POST /api/v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: {OCTETS['Content-Type']}"
        client.sendall(f"{head}\r\nContent-Length: {784 * ROWS}\r\n\r\n".encode() + BEGUN)
        stack.kill("service")

        stack.start_service()  # while one of the processes waits for the rest of a request
        wait_for(lambda: stack.log("service").count("Listening at") == 2, what="the next master")

        client.sendall(REST)
        assert client.recv(100).startswith(b"HTTP/1.1 200 OK")


TOLD_TO_STOP_AT_ONCE = """
import os, runpy, signal
globals().update(runpy.run_path("service/gunicorn.conf.py"))
forked = post_fork

def post_fork(server, worker):
    forked(server, worker)
    if worker.age == 1:
        os.kill(os.getpid(), signal.SIGTERM)
"""


def test_a_process_that_is_told_to_stop_before_it_has_begun_stops(tmp_path):
    (tmp_path / "gunicorn.conf.py").write_text(TOLD_TO_STOP_AT_ONCE)
    stack = Stack(tmp_path)
    stack.run(
        "service", [sys.executable, "-m", "gunicorn", "-c", f"{tmp_path}/gunicorn.conf.py", APP]
    )
    try:
        wait_for(
            lambda: re.search(
                r"Booting worker with pid: (\d+).*Worker exiting \(pid: \1\)",
                stack.log("service"),
                re.DOTALL,
            ),
            what="the first process to end",
        )
    finally:
        stack.stop()


def test_each_process_uses_one_blas_thread():
    code = (
        "import runpy; runpy.run_path('service/gunicorn.conf.py'); import threadpoolctl, numpy;"
        "print([p['num_threads'] for p in threadpoolctl.threadpool_info()])"
    )

    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "2"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert told.strip() == "[1]"


def test_a_wrong_setting_ends_the_start_with_one_line(tmp_path):
    stack = Stack(tmp_path, INKWELL_WEB_THREADS="many")
    stack.run("service", [sys.executable, "-m", "gunicorn", "-c", "service/gunicorn.conf.py", APP])
    stack.processes["service"].wait(90)
    stack.stop()

    assert stack.processes["service"].returncode == 1
    assert stack.log("service").splitlines() == [
        "Error: INKWELL_WEB_THREADS: expected a whole number from 1 to 1000000; got 'many'."
    ]


def test_every_line_of_the_log_is_json_where_that_is_set(tmp_path):
    stack = Stack(tmp_path, INKWELL_LOG="json", INKWELL_ADMIN_TOKEN="")
    stack.start_service()
    stack.stop()

    lines = [json.loads(line) for line in stack.log("service").splitlines()]

    assert {line["logger"] for line in lines} == {"gunicorn.error", "service.tokens"}
    assert all(set(line) >= {"ts", "level", "msg"} for line in lines)
