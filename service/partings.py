"""Connections whose last answer is out: each is ended when its client did, or after a while.

Closed at once, what is unread of its request would cost the client its answer (RFC 9112, section
9.6). gunicorn waits for each such client in its event loop.
"""

import itertools
import selectors
import socket
import time
from collections.abc import Callable, Iterable
from functools import partial

from gunicorn.workers.gthread import TConn

SECONDS_TO_PART = 2.0
FORGOTTEN = 65_536  # bytes at a time of what comes behind the last answer


class Partings:
    """The connections of an event loop that end; ``drop`` is called with each at its end."""

    def __init__(self, drop: Callable[[TConn], None]) -> None:
        self._drop = drop
        self._parting: dict[TConn, float] = {}  # until when

    def __len__(self) -> int:
        return len(self._parting)

    def begin(self, conn: TConn, poller: selectors.BaseSelector) -> None:
        """Tell the client that nothing more comes, and wait for its end of the connection."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(conn)
            return
        self._parting[conn] = time.monotonic() + SECONDS_TO_PART
        on_more = partial(self._on_more, conn, poller)
        poller.register(conn.sock, selectors.EVENT_READ, on_more)

    def end_late(self, poller: selectors.BaseSelector, now: float) -> None:
        """End those whose time is over."""
        for conn in late(self._parting.items(), now):
            self._end(conn, poller)

    def _on_more(self, conn: TConn, poller: selectors.BaseSelector, client: socket.socket) -> None:
        """Something more came behind the last answer: it is forgotten. Or the end came."""
        try:
            ended = not client.recv(FORGOTTEN)
        except OSError:
            ended = True
        if ended:
            self._end(conn, poller)

    def _end(self, conn: TConn, poller: selectors.BaseSelector) -> None:
        poller.unregister(conn.sock)
        del self._parting[conn]
        self._drop(conn)


def late(deadlines: Iterable[tuple[TConn, float]], now: float) -> list[TConn]:
    """Return those whose deadline is over, of ``deadlines`` from the first to the last."""
    return [conn for conn, _ in itertools.takewhile(lambda one: one[1] <= now, deadlines)]
