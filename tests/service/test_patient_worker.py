"""The worker's event loop, with real sockets; its threads are a list of what they were given."""

import contextlib
import resource
import selectors
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import PollableMethodQueue, TConn

from nncore.classifier import Classifier
from service import patient_worker
from service.app import create_app
from service.bodies import read_body
from service.file_limit import most_connections
from service.partings import SECONDS_TO_PART
from service.patient_worker import PatientWorker
from service.problems import Problem

REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
SMALL = REQUEST % 1 + b"x"
LARGE = REQUEST % 200_000 + bytes(100_000)
QUICK = (
    b"POST /api/v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
    b"Content-Length: 784\r\n\r\n" + bytes(784)
)


class Threads:
    """Takes what the worker submits, and notes whether the event loop still watches it."""

    def __init__(self, worker):
        self.worker = worker
        self.given, self.watched = [], []

    def submit(self, _handle, conn):
        self.given.append(conn)
        self.watched.append(conn.sock in self.worker.poller.get_map())
        return Future()


@pytest.fixture
def worker(monkeypatch, settings):
    """A worker of two threads, for which one request may wait; one of them may read a large one."""
    monkeypatch.setenv("INKWELL_MAX_WAITING", "1")
    cfg = Config()
    cfg.set("threads", 2)
    worker = PatientWorker(1, 1, [], None, 30, cfg, Logger(cfg))
    worker.wsgi = create_app(settings)
    with contextlib.closing(selectors.DefaultSelector()) as worker.poller:
        worker.tpool = Threads(worker)
        yield worker
    worker.tmp.close()


@pytest.fixture
def arrive(worker):
    """Let a client connect and send; return the server's connection and the client's socket."""
    with contextlib.ExitStack() as opened:

        def arrive(content):
            server, client = map(opened.enter_context, socket.socketpair())
            conn = TConn(worker.cfg, server, ("127.0.0.1", 1), ("127.0.0.1", 2))
            worker.nr_conns += 1
            worker.enqueue_req(conn)
            send(worker, client, content)
            return conn, client

        yield arrive


def send(worker, client, content):
    client.setblocking(False)
    while content:
        with contextlib.suppress(BlockingIOError):
            content = content[client.send(content) :]
        if not worker.poller.select(0):
            break  # the rest is for a thread
        worker.wait_for_and_dispatch_events(0)


def finish(worker, conn):
    done = Future()
    done.set_result(False)
    worker.finish_request(conn, done)


def test_the_event_loop_watches_no_connection_that_a_thread_has(worker, arrive):
    arrive(SMALL)
    arrive(LARGE)

    assert len(worker.tpool.given) == 2
    assert not any(worker.tpool.watched)


def test_a_connection_that_ends_is_watched_no_longer_and_closed(worker, arrive):
    conn, client = arrive(b"")
    client.close()

    ((key, _),) = worker.poller.select(0)
    key.data(key.fileobj)

    assert not worker.poller.get_map()
    assert conn.sock.fileno() == -1
    assert worker.nr_conns == 0


def test_large_requests_wait_for_their_thread(worker, arrive):
    first, _ = arrive(LARGE)
    second, _ = arrive(LARGE)
    assert worker.tpool.given == [first]

    finish(worker, first)

    assert worker.tpool.given == [first, second]


def test_large_requests_that_are_refused_let_none_wait_for_ever(worker, arrive):
    first, _ = arrive(LARGE)
    waiting = [arrive(LARGE)[1] for _ in range(2)]
    for _ in range(3):
        arrive(SMALL)  # the last is refused: all threads are busy and one request waits
    worker.busy += 1  # as when a probe, which is never refused, came meanwhile

    finish(worker, first)

    assert not worker.large_waiting
    for client in waiting:
        client.setblocking(True)
        assert client.recv(100).startswith(b"HTTP/1.1 429")


def test_large_requests_past_a_number_do_not_pile_up(worker, arrive):
    arrive(LARGE)
    arrive(LARGE)

    _, client = arrive(LARGE)

    assert len(worker.large_waiting) == 1
    client.setblocking(True)
    assert client.recv(100).startswith(b"HTTP/1.1 429")


def test_a_client_that_does_not_end_its_connection_is_waited_for_by_nobody(
    worker, arrive, monkeypatch
):
    conn, client = arrive(SMALL)
    finish(worker, conn)
    deadline = time.monotonic() + SECONDS_TO_PART

    assert conn.sock.fileno() in worker.poller.get_map()
    send(worker, client, b"more that nobody asked for")
    assert len(worker.partings) == 1
    monkeypatch.setattr(time, "monotonic", lambda: deadline)
    worker.murder_pending()

    assert not worker.partings
    assert not worker.poller.get_map()
    assert conn.sock.fileno() == -1
    assert worker.nr_conns == 0


def test_a_client_that_ends_its_connection_after_the_last_answer_is_forgotten(worker, arrive):
    conn, client = arrive(SMALL)
    finish(worker, conn)

    client.close()
    ((key, _),) = worker.poller.select(0)
    key.data(key.fileobj)

    assert not worker.partings
    assert worker.nr_conns == 0


def test_a_client_that_does_not_take_its_answer_is_given_up(worker, arrive, monkeypatch):
    monkeypatch.setattr(patient_worker, "SECONDS_TO_TAKE", 0.2)
    requests = worker.wsgi.extensions["requests"]

    def answer(environ, start_response):
        start_response("200 OK", [("Content-Length", "50000000")])
        return [bytes(50_000_000)]

    answer.extensions = worker.wsgi.extensions
    worker.wsgi = answer
    conn, _ = arrive(SMALL)

    assert worker.handle(conn) is False
    assert requests.events("refused request") == {("answer not taken",): 1}


def test_of_clients_that_do_not_take_their_answers_half_the_threads_wait_at_most(worker, arrive):
    answering = [arrive(SMALL) for _ in range(worker.most_large + 1)]
    for i, (conn, _) in enumerate(answering):
        worker.answering[conn] = time.monotonic() - 60 + i
        conn.sock.send(b"the beginning")

    worker.murder_pending()

    ended = [has_ended(client) for _, client in answering]
    assert ended == [True, *[False] * worker.most_large]


def test_answers_that_are_taken_may_take_long(worker, arrive):
    answering = [arrive(SMALL) for _ in range(worker.most_large + 1)]
    for conn, _ in answering:
        worker.answering[conn] = time.monotonic() - 60

    worker.murder_pending()

    assert not any(has_ended(client) for _, client in answering)


def has_ended(client):
    """Tell whether a connection ends behind what has come."""
    client.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while client.recv(1000):
            pass
        return True
    return False


def test_a_body_that_does_not_come_in_time_is_given_up(worker, arrive, monkeypatch):
    monkeypatch.setattr(patient_worker, "SECONDS_TO_END", -1.0)
    conn, _ = arrive(LARGE)
    told = []

    def read(environ, start_response):
        with pytest.raises(Problem, match="200,000 bytes announced, 100,000 came"):
            read_body(environ, 200_000)
        told.append(True)
        start_response("200 OK", [("Content-Length", "0")])
        return []

    worker.wsgi = read
    worker.murder_pending()
    worker.handle(conn)

    assert told


@pytest.fixture
def loaded(worker, live):
    """A version that the worker has answered with before."""
    return worker.wsgi.extensions["predictor"].default()


def test_a_quick_prediction_is_answered_by_the_event_loop(worker, arrive, loaded):
    conn, client = arrive(QUICK)

    assert not worker.tpool.given
    assert worker.busy == 0
    client.setblocking(True)
    assert client.recv(100_000).startswith(b"HTTP/1.1 200 OK")
    assert list(worker.keepalived_conns) == [conn]

    worker.notify()  # a new turn
    send(worker, client, QUICK)
    assert client.recv(100_000).startswith(b"HTTP/1.1 200 OK")

    send(worker, client, QUICK + QUICK)  # they wait for a thread: others have their turn
    assert worker.tpool.given == [conn]


def test_one_quick_prediction_too_many_is_refused_before_others_are_answered(
    worker, arrive, loaded, monkeypatch
):
    conns, clients = zip(*[arrive(QUICK) for _ in range(3)], strict=True)
    for client in clients:
        client.settimeout(60)
        client.recv(100_000)
        client.send(QUICK)
    answer, told = worker.answer_at_once, []

    def look_and_answer(*quick):
        told.extend(filter(None, map(what_came, clients)))
        answer(*quick)

    monkeypatch.setattr(worker, "answer_at_once", look_and_answer)
    worker.wait_for_and_dispatch_events(0)

    told.extend(filter(None, map(what_came, clients)))
    assert [answer[9:12] for answer in told] == [b"429", b"429", b"200"]  # one may wait
    for conn in conns:
        assert conn in worker.keepalived_conns
        assert conn.sock in worker.poller.get_map()


def test_beginnings_of_requests_take_no_place(worker, arrive, loaded):
    """What many slow clients send counts for nothing before it is whole."""
    slow = [arrive(QUICK[:-100])[1] for _ in range(3)]
    _, client = arrive(QUICK)
    client.settimeout(10)
    client.recv(100_000)
    for other in (*slow, client):
        other.send(QUICK[:10] if other is not client else QUICK)

    worker.wait_for_and_dispatch_events(0)

    assert client.recv(100_000).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_takes_no_refusal_has_its_connection_ended(worker, arrive, loaded):
    conn, client = arrive(QUICK)
    worker.busy = worker.most_busy
    conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with contextlib.suppress(BlockingIOError):
        while True:
            conn.sock.send(b"-")  # until the system takes no more

    send(worker, client, QUICK)

    assert not worker.keepalived_conns
    assert len(worker.partings) == 1


def what_came(client):
    client.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        return client.recv(100_000)


def test_quick_predictions_that_are_wrong_are_told_so_and_their_connections_go_on(
    worker, arrive, loaded
):
    conn, client = arrive(QUICK.replace(b"784", b"783")[:-1])

    client.setblocking(True)
    assert client.recv(100_000).startswith(b"HTTP/1.1 422 ")
    assert list(worker.keepalived_conns) == [conn]


def test_the_first_prediction_by_an_alias_is_left_to_a_thread_which_loads(worker, arrive, live):
    arrive(QUICK)

    assert len(worker.tpool.given) == 1


def test_more_rows_than_a_network_takes_at_once_are_left_to_a_thread(
    worker, arrive, loaded, monkeypatch
):
    monkeypatch.setattr(Classifier, "rows_at_once", 2)
    for rows, given in ((2, 0), (3, 1)):
        worker.notify()  # a new turn
        head = QUICK.partition(b"\r\n\r\n")[0].replace(b"784", b"%d" % (784 * rows))
        arrive(head + b"\r\n\r\n" + bytes(784 * rows))

        assert len(worker.tpool.given) == given


def test_a_fault_ends_the_connection_of_one_prediction_and_no_more(worker, arrive, loaded):
    def fails(environ, start_response):
        raise RuntimeError("a fault of ours")

    fails.extensions = worker.wsgi.extensions
    app, worker.wsgi = worker.wsgi, fails
    _, client = arrive(QUICK)
    client.setblocking(True)
    assert client.recv(100_000).startswith(b"HTTP/1.1 500 ")
    assert not worker.keepalived_conns

    worker.wsgi = app
    worker.notify()  # a new turn
    _, client = arrive(QUICK)
    client.setblocking(True)
    assert client.recv(100_000).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("path", [b"/api/v1/jobs", b"/api/v1/nothing"])
def test_the_event_loop_answers_nothing_but_predictions(worker, arrive, loaded, path):
    arrive(QUICK.replace(b"/api/v1/predict", path))

    assert len(worker.tpool.given) == 1


def test_while_threads_are_busy_the_event_loop_answers_and_waits_for_none(worker, arrive, loaded):
    arrive(LARGE)
    with worker.wsgi.extensions["predictor"]._turn:  # as while a thread answers
        _, client = arrive(QUICK)

    assert len(worker.tpool.given) == 1
    client.setblocking(True)
    assert client.recv(100_000).startswith(b"HTTP/1.1 200 OK")


def test_a_quick_answer_that_is_not_taken_holds_up_a_thread_and_not_the_event_loop(
    worker, arrive, loaded
):
    _, client = arrive(QUICK.replace(b"/predict", b"/predict?outputs=input", 1)[:-300])
    conn = next(iter(worker.arriving))
    conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with contextlib.suppress(BlockingIOError):
        while True:
            conn.sock.send(b"-")  # until the system takes no more
    with contextlib.closing(PollableMethodQueue()) as worker.method_queue:
        worker.method_queue.init()
        worker.tpool = ThreadPoolExecutor(1)

        send(worker, client, bytes(300))
        assert worker.busy == 1
        client.settimeout(60)
        received = b""
        while not received.endswith(b"]}]}"):
            received += client.recv(100_000)
        while worker.busy:
            worker.method_queue.run_callbacks(None)

    assert received.lstrip(b"-").startswith(b"HTTP/1.1 200 OK")
    assert list(worker.keepalived_conns) == [conn]


def test_a_request_whose_end_can_be_read_in_two_ways_ends_the_connection(worker, arrive):
    conn, _ = arrive(SMALL)

    request = next(conn.parser)
    request.body.reader = None

    assert worker.handle_request(request, conn) is False


@pytest.mark.parametrize("hard", [300, 100_000, resource.RLIM_INFINITY])
def test_there_are_never_more_connections_than_files(monkeypatch, hard):
    asked = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))

    most = most_connections(4096)

    files = 300 if hard == 300 else 8192
    assert asked == [(files, hard)]
    assert most == files // 2


@pytest.fixture
def connecting(worker):
    """A listener at which a client waits to be taken."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        with socket.create_connection(listener.getsockname()):
            yield listener
        for conn in worker.arriving:
            conn.close()


def test_a_process_with_fewer_connections_may_take_a_new_one_first(worker, connecting, monkeypatch):
    worker.load.tell(worker.place, 2)
    worker.load.tell(1, 1)
    worker.nr_conns = 2
    by_the_other = []
    monkeypatch.setattr(
        patient_worker.time, "sleep", lambda _seconds: by_the_other.append(connecting.accept()[0])
    )

    worker.accept(connecting)

    (taken,) = by_the_other
    taken.close()
    assert worker.nr_conns == 2


@pytest.mark.parametrize("others", [[], [2], [3, 5]])
def test_a_process_that_none_has_fewer_connections_than_takes_the_next(
    worker, connecting, monkeypatch, others
):
    for place, connections in enumerate(others, 1):
        worker.load.tell(place, connections)
    worker.load.tell(worker.place, 2)
    worker.nr_conns = 2
    monkeypatch.setattr(patient_worker.time, "sleep", lambda _seconds: pytest.fail("it waits"))

    worker.accept(connecting)

    assert worker.nr_conns == 3
    assert worker.load.fewest() == min([3, *others])


def test_nobody_waits_for_a_process_that_ends(worker, connecting):
    worker.load.tell(worker.place, 0)
    worker.load.tell(1, 5)
    worker.alive = False
    worker.sockets = [connecting]

    worker.set_accept_enabled(False)
    worker.wait_for_and_dispatch_events(0)

    assert worker.nr_conns == 1  # it had connected before
    assert worker.load.fewest() == 5
