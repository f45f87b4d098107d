"""A worker of gunicorn's whose threads are not held by slow clients, and whose queue has an end.

gthread takes a thread as soon as the first bytes of a request are there, and the thread waits for
the rest: two dozen clients that send a byte a minute hold all threads. Here the event loop gathers
the beginning of each request. Most are whole then, and their thread waits for nothing. Larger ones
may be read in at most half of the threads, each for a limited time; and at most half wait for
clients that do not take their answers. Nobody waits for who does not end a connection.

Told to stop, gunicorn's worker leaves its listening socket open until its last request is answered,
and whoever connects meanwhile is reset. This one answers all who have connected, then refuses.
"""

import fcntl
import select
import selectors
import signal
import socket
import termios
import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from io import BufferedReader
from queue import SimpleQueue
from typing import Any

from gunicorn.http.body import LengthReader
from gunicorn.workers.gthread import TConn, ThreadWorker

from service.arrivals import GATHERED, SECONDS_TO_BEGIN, Arrival, RequestBody, can_be_refused
from service.bodies import Environ
from service.gunicorn_errors import error_bytes, error_parts
from service.kept_connections import KeptConnections
from service.partings import Partings, late
from service.plain_requests import answer as plain_answer
from service.predictor import AT_ONCE
from service.settings import DRAIN_BYTES, Settings
from service.shared_load import TAKES_NONE, SharedLoad

SECONDS_TO_END = 60.0  # until the rest has come, which a thread reads
SECONDS_TO_TAKE = 60.0  # until the client has taken an answer, or each part of one that goes on
SECONDS_TO_SEEM_SLOW = 2.0  # with part of the answer unsent: then half of the threads may wait so
MOST_QUICK_ARRIVING = 64  # requests, each of which may have `QUICK` bytes in memory
LONG_TURN = 16  # requests that the event loop answers itself
SECONDS_TO_WAKE = 0.0002  # of a process that has nothing to do
RETRY_AFTER = {"Retry-After": "1"}  # seconds
ONE_TOO_MANY = {
    goes_on: error_parts(
        429,
        "Too Many Requests",
        "More requests at once than are taken.",
        RETRY_AFTER,
        goes_on=goes_on,
    )
    for goes_on in (False, True)
}
TOO_SLOW = error_parts(
    408, "Request Timeout", f"The request did not come within {SECONDS_TO_BEGIN:.0f} s.", {}
)


class PatientWorker(ThreadWorker):  # type: ignore[misc] # gunicorn ships no types
    """gthread with an event loop that waits for clients, so that threads need not."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        settings = Settings.from_env()
        self.most_waiting = settings.max_waiting
        self.drain_seconds = settings.drain_seconds
        self.keepalived_conns = KeptConnections()
        self.keepalive = self.cfg.keepalive  # gunicorn's settings are slow to ask
        self.stops_at: float | None = None  # when connections are no longer taken
        self.early_signals: SimpleQueue[int] = SimpleQueue()  # set by gunicorn.conf.py
        self.load, self.place = SharedLoad(), 0  # set by gunicorn.conf.py
        self.most_large = max(self.cfg.threads // 2, 1)
        self.arriving: dict[TConn, Arrival] = {}  # connections that the event loop reads
        self.large: dict[TConn, float] = {}  # those that threads read, and until when
        self.large_waiting: deque[TConn] = deque()  # those that wait for such a thread
        self.partings = Partings(self.drop)
        self.answering: dict[TConn, float] = {}  # those that threads have, since when
        self.busy = 0  # requests that threads have, or that wait for one
        self.most_busy = self.cfg.threads + self.most_waiting
        self.quick: deque[tuple[TConn, Environ, bytes]] = deque()  # answered at the turn's end
        self.last_turn_was_long = False

    # --- The end ---

    def init_signals(self) -> None:
        """Handle signals; until now the arbiter's handler put them into this process's queue."""
        super().init_signals()
        while not self.early_signals.empty():
            if self.early_signals.get() == signal.SIGTERM:
                self.handle_exit(signal.SIGTERM, None)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: be no longer ready, and take connections for the time of draining yet."""
        if self.stops_at is None:
            self.stops_at = time.monotonic() + self.drain_seconds
            self.method_queue.defer(self.stop_when_drained)

    def stop_when_drained(self) -> None:
        """End gunicorn's loop when its time has come."""
        if self.stops_at is not None and time.monotonic() >= self.stops_at:
            self.alive = False

    def is_parent_alive(self) -> bool:
        """Tell whether the arbiter is there; without it this worker ends as if it were told to."""
        self.alive = self.alive and super().is_parent_alive()
        return self.alive

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take connections or not; a worker that ends takes those that wait, and closes."""
        if self.alive:
            super().set_accept_enabled(enabled)
            return
        super().set_accept_enabled(False)
        while self.sockets:
            listener = self.sockets.pop()
            while select.select([listener], [], [], 0)[0]:
                self.accept(listener)
            listener.close()
        self.load.tell(self.place, TAKES_NONE)

    # --- The event loop's part ---

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Take up all that came, then answer: what is one too many is told so before that."""
        super().wait_for_and_dispatch_events(timeout)
        self.last_turn_was_long = len(self.quick) >= LONG_TURN
        while self.quick:
            self.answer_at_once(*self.quick.popleft())
        if self.alive:
            self.load.tell(self.place, self.nr_conns)

    def accept(self, listener: Any) -> None:
        """Take a connection; where turns are long, all that wait: at one a turn they never end.

        A process that has fewer connections, and nothing to do, takes it while this one sleeps.
        """
        if not self.last_turn_was_long and self.nr_conns > self.load.fewest():
            time.sleep(SECONDS_TO_WAKE)
        super().accept(listener)
        self.load.tell(self.place, self.nr_conns)
        while (
            self.last_turn_was_long
            and self.nr_conns < self.worker_connections
            and select.select([listener], [], [], 0)[0]
        ):
            super().accept(listener)

    def enqueue_req(self, conn: TConn) -> None:
        """Take up a connection that is new, or that a thread has given back with more on it."""
        if conn.parser and conn.parser.unreader.buf.getvalue():
            self.submit(conn)  # the next request has come with the last
            return
        conn.sock.setblocking(False)
        on_more = partial(self.on_client_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, on_more)
        self.arriving[conn] = Arrival()
        self.on_client_socket_readable(conn, conn.sock)

    def on_client_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Something came: more of a request, or a new one on a connection that was kept."""
        try:
            content = client.recv(GATHERED)
        except BlockingIOError:
            return
        except OSError:
            content = b""
        arrival = self.arriving.get(conn)
        if arrival is None:
            self.keepalived_conns.remove(conn)
        begun = arrival.content if arrival else b""
        if content and self.is_crowded() and can_be_refused(begun + content):
            self.arriving.pop(conn, None)
            self.refuse_and_go_on(conn)
            return
        arrival = arrival or Arrival()
        # At most so many requests ever have more than others.
        if content and not arrival.add(content, more=len(self.arriving) < MOST_QUICK_ARRIVING):
            self.arriving.setdefault(conn, arrival)
            return
        self.arriving.pop(conn, None)
        environ = arrival.quick()
        if environ is not None and self.answers_soon(environ):
            self.quick.append((conn, environ, arrival.body()))
            return
        self.poller.unregister(conn.sock)
        if arrival.content:
            self.hand_over(conn, arrival)
        else:
            self.drop(conn)

    def hand_over(self, conn: TConn, arrival: Arrival) -> None:
        """Let a thread go on with what has come of a request, or refuse it."""
        conn.init()
        unparsed, conn.begun = arrival.part()
        conn.parser.unreader.unread(unparsed)
        conn.data_ready = True
        if arrival.whole:
            self.submit(conn, probe=arrival.probe)
        elif len(self.large) < self.most_large:
            self.submit_large(conn)
        elif len(self.large_waiting) < self.most_waiting:
            self.large_waiting.append(conn)
        else:
            self.refuse_as_one_too_many(conn)

    def is_crowded(self) -> bool:
        """Tell whether more than may wait were there before what is read now."""
        return self.busy >= self.most_busy or len(self.quick) >= self.most_waiting

    def answers_soon(self, environ: Environ) -> bool:
        """Tell whether the event loop answers a request: a prediction that does not take long."""
        return (
            self.alive
            and self.nr + 1 < self.max_requests
            and len(self.keepalived_conns) < self.max_keepalived
            and self.wsgi.extensions["answers_soon"](environ)
        )

    def answer_at_once(self, conn: TConn, environ: Environ, body: bytes) -> None:
        """Answer a request here, on a connection that stays watched.

        To give it to a thread and to take the connection back costs more than most answers, and
        where other threads calculate, each step of that waits for Python's lock. A client that does
        not take it holds up a thread, as others do.
        """
        self.nr += 1
        try:
            environ[AT_ONCE] = True
            rest = plain_answer(self.wsgi, environ, body, conn.client, conn.server)
            with suppress(BlockingIOError):
                rest = rest[conn.sock.send(rest) :]
        except Exception as error:
            self.poller.unregister(conn.sock)
            if not isinstance(error, OSError):
                self.handle_error(None, conn.sock, conn.client, error)
            self.part(conn)
            return
        if not rest:
            self.keep(conn)
            return
        self.poller.unregister(conn.sock)
        conn.init()
        self.busy += 1
        future = self.tpool.submit(self.send_rest, conn, rest)
        future.add_done_callback(partial(self.method_queue.defer, self.finish_request, conn))

    def keep(self, conn: TConn) -> None:
        """Wait for the next request on a connection that is watched."""
        conn.timeout = time.monotonic() + self.keepalive
        self.keepalived_conns.append(conn)

    def submit_large(self, conn: TConn) -> None:
        """Let a thread read the rest of a request, for a limited time."""
        self.large[conn] = time.monotonic() + SECONDS_TO_END
        self.submit(conn)

    def submit(self, conn: TConn, *, probe: bool = False) -> None:
        """Give a thread the request, or refuse it where too many wait already."""
        if self.busy >= self.most_busy and not probe:
            self.large.pop(conn, None)
            self.refuse_as_one_too_many(conn)
            return
        self.busy += 1
        super().enqueue_req(conn)

    def finish_request(self, conn: TConn, fs: "Future[Any]") -> None:
        """Go on with the connection of a request that a thread has answered."""
        self.busy -= 1
        self.large.pop(conn, None)
        # More than one: those that are refused take no place.
        while self.large_waiting and len(self.large) < self.most_large:
            self.submit_large(self.large_waiting.popleft())
        if fs.cancelled() or fs.exception() or not fs.result():
            self.part(conn)
        else:
            super().finish_request(conn, fs)

    def part(self, conn: TConn) -> None:
        """End a connection whose last answer is out."""
        self.partings.begin(conn, self.poller)

    def murder_pending(self) -> None:
        """End what came too slowly. gunicorn calls this about once a second."""
        super().murder_pending()
        self.stop_when_drained()
        now = time.monotonic()
        for conn in [conn for conn, at in self.large.items() if at < now]:
            # Its thread reads an end of the body; one that is past reading notices nothing.
            with suppress(OSError):
                conn.sock.shutdown(socket.SHUT_RD)
        self.give_up_slow_takers(now)
        self.partings.end_late(self.poller, now)
        for conn in late(((conn, came.deadline) for conn, came in self.arriving.items()), now):
            self.poller.unregister(conn.sock)
            arrival = self.arriving.pop(conn)
            if arrival.content:
                self.refuse(conn, 408, TOO_SLOW)
                self.part(conn)
            else:
                self.drop(conn)

    def give_up_slow_takers(self, now: float) -> None:
        """End the oldest answers that wait for their clients, where those hold too many threads."""
        since = now - SECONDS_TO_SEEM_SLOW
        begun = late(list(self.answering.items()), since)
        slow = [conn for conn in begun if _has_unsent(conn.sock)]
        for conn in slow[: max(len(slow) - self.most_large, 0)]:
            self.wsgi.extensions["requests"].happened("refused request", "answer not taken")
            with suppress(OSError):  # its thread meets a broken pipe
                conn.sock.shutdown(socket.SHUT_RDWR)

    def refuse_as_one_too_many(self, conn: TConn) -> None:
        """Answer 429, and end the connection."""
        conn.sock.setblocking(False)
        self.refuse(conn, 429, ONE_TOO_MANY[False])
        self.part(conn)

    def refuse_and_go_on(self, conn: TConn) -> None:
        """Answer 429 to a request that is whole, on a connection that stays watched.

        To end it and to take the next would cost as much as an answer: then a service that is
        asked for twice what it can do would do half of what it can.
        """
        if self.refuse(conn, 429, ONE_TOO_MANY[self.alive]) and self.alive:
            self.keep(conn)
        else:
            self.poller.unregister(conn.sock)
            self.part(conn)

    def refuse(self, conn: TConn, status: int, parts: list[bytes]) -> bool:
        """Answer with a problem, without waiting; tell whether the client took it."""
        self.wsgi.extensions["requests"].happened("refused request", str(status))
        answer = error_bytes(parts)
        try:
            return bool(conn.sock.send(answer) == len(answer))
        except OSError:
            return False

    # --- A thread's part ---

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Answer a request; return whether the connection goes on.

        A client that does not take its answer is given up.
        """
        conn.sock.settimeout(SECONDS_TO_TAKE)
        reader = req.body.reader
        if isinstance(reader, LengthReader) and reader.length > DRAIN_BYTES:
            req.force_close()  # nobody reads it to its end
        begun, conn.begun = conn.begun, None
        if begun is not None:
            if not isinstance(reader, LengthReader):
                return False  # two ways to read where it ends: none is right
            req.body = BufferedReader(RequestBody(begun, reader.length, conn.sock))
        self.answering[conn] = time.monotonic()
        try:
            return super().handle_request(req, conn)
        except TimeoutError:
            self.wsgi.extensions["requests"].happened("refused request", "answer not taken")
            return False
        finally:
            self.answering.pop(conn, None)

    def send_rest(self, conn: TConn, rest: bytes) -> bool:
        """Send what the system did not take at once; return whether the client took it."""
        conn.sock.settimeout(SECONDS_TO_TAKE)
        self.answering[conn] = time.monotonic()
        try:
            conn.sock.sendall(rest)
        except OSError:
            return False
        finally:
            self.answering.pop(conn, None)
        return True

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer what cannot be parsed, and what failed outside of the application."""
        self.wsgi.extensions["requests"].happened("refused request", "unparsed")
        super().handle_error(req, client, addr, exc)

    def drop(self, conn: TConn) -> None:
        """End a connection."""
        self.nr_conns -= 1
        conn.close()


def _has_unsent(sock: socket.socket) -> bool:
    """Tell whether something lies in a socket that its peer has not taken."""
    try:
        unsent = fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4))
    except (OSError, ValueError):  # it was closed, or the system cannot tell
        return False
    return any(unsent)
