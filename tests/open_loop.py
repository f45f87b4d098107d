"""Requests that come at a fixed rate, whatever becomes of those before."""

import re
import selectors
import socket
import time
from collections import deque
from typing import NamedTuple

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
SECONDS_TO_FINISH = 30  # for answers that are out when the last request is sent


class Answer(NamedTuple):
    """What was answered, None where the connection broke, and how many seconds after it was due."""

    status: int | None
    seconds: float
    content: bytes


class _Client:
    """A kept-alive connection that waits for at most one answer."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.due, self.content = 0.0, b""

    def send(self, request, due):
        self.due, self.content = due, b""
        self.socket.sendall(request)

    def answer(self):
        """Read what came; return the answer where it is whole."""
        try:
            part = self.socket.recv(1 << 16)
        except OSError:
            part = b""
        self.content += part
        head, end, body = self.content.partition(b"\r\n\r\n")
        whole = end and len(body) >= int(LENGTH.search(head)[1])
        if part and not whole:
            return None
        status = int(head.split()[1]) if whole else None
        return Answer(status, time.perf_counter() - self.due, self.content)


class Clients:
    """As many clients of one service as requests are out at once, in this thread."""

    def __init__(self, port, request):
        self.port, self.request = port, request
        self.answers = []
        self._selector = selectors.DefaultSelector()
        self._idle = deque()
        self._out = 0

    def keep_asking(self, clients, seconds):
        """Let so many clients ask again as soon as they are answered; return answers a second."""
        until = time.perf_counter() + seconds
        for _ in range(clients):
            self._ask(time.perf_counter())
        while self._out:
            self._take(0.1)
            while self._idle and self._out < clients and time.perf_counter() < until:
                self._ask(time.perf_counter())
        return len(self.answers) / seconds

    def ask_at(self, rate, seconds):
        """Ask `rate` times a second, waiting for nobody; return answers a second."""
        begun = time.perf_counter()
        sent, all_of_them = 0, int(rate * seconds)
        while self._out or sent < all_of_them:
            now = time.perf_counter()
            while sent < all_of_them and begun + sent / rate <= now:
                self._ask(begun + sent / rate)
                sent += 1
            self._take(0.001 if sent < all_of_them else 0.1)
            if now > begun + seconds + SECONDS_TO_FINISH:
                raise AssertionError(f"{self._out} requests were never answered")
        return len([one for one in self.answers if one.status == 200]) / seconds

    def close(self):
        for key in list(self._selector.get_map().values()):
            key.data.socket.close()
        self._selector.close()

    def _ask(self, due):
        if self._idle:
            client = self._idle.popleft()
        else:
            client = _Client(self.port)
            self._selector.register(client.socket, selectors.EVENT_READ, client)
        client.send(self.request, due)
        self._out += 1

    def _take(self, seconds):
        for key, _ in self._selector.select(seconds):
            client = key.data
            answer = client.answer()
            if answer is None:
                continue
            self.answers.append(answer)
            self._out -= 1
            if answer.status is None or b"\r\nConnection: close" in answer.content:
                self._selector.unregister(client.socket)
                client.socket.close()
            else:
                self._idle.append(client)


def post(path, body, content_type):
    """Return a request as bytes."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body
