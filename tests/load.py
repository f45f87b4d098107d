"""Steady requests from outside while something is broken."""

import statistics
import threading
import time

import httpx

import inkwell

PICTURE = bytes(784)
OCTETS = "application/octet-stream"


class Load:
    """Posts pictures over kept-alive connections, 50 a second each, until the block ends.

    `failures` says what was answered but 200, or not answered at all. `milliseconds` has the time
    of each answer, counted from when its request was due, so that waiting counts. `longest` is the
    longest time in seconds without any answer.
    """

    EVERY = 0.02  # seconds, of each client

    def __init__(
        self, url, *, clients=4, path="/api/v1/predict", body=PICTURE, content_type=OCTETS
    ):
        self.url, self.path, self.body, self.content_type = url, path, body, content_type
        self.failures, self.milliseconds, self.longest = [], [], 0.0
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._ready = threading.Barrier(clients + 1, self._begin)
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    @property
    def answered(self):
        return len(self.milliseconds)

    @property
    def p99(self):
        """The time that 99 of 100 answers took at most, in milliseconds."""
        if self.answered < 2:  # a machine that has much else to do
            return max(self.milliseconds, default=float("nan"))
        return statistics.quantiles(self.milliseconds, n=100)[98]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *exception):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _begin(self):
        self._last = time.monotonic()

    def _run(self):
        with self._client() as ask:
            self._ready.wait()  # all clients are made before one asks: that takes long
            due = time.monotonic()
            while not self._over.wait(max(due - time.monotonic(), 0)):
                self._count(ask(), due)
                due = max(due + self.EVERY, time.monotonic() - 1)

    def _client(self):
        return Asking(self)

    def _count(self, failure, due):
        now = time.monotonic()
        with self._lock:
            if failure:
                self.failures.append(failure)
                return
            self.longest = max(self.longest, now - self._last)
            self._last = now
            self.milliseconds.append((now - due) * 1000)


class Asking:
    """A client of one connection. A call returns what went wrong, or None."""

    def __init__(self, load):
        self.load = load
        self.client = httpx.Client(
            base_url=load.url, headers={"Content-Type": load.content_type}, timeout=60
        )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.client.close()

    def __call__(self):
        try:
            answer = self.client.post(self.load.path, content=self.load.body)
        except httpx.TransportError as error:
            return repr(error)
        return None if answer.status_code == 200 else answer.text


class RetryingLoad(Load):
    """The same through our own client, which sends again what is safe to send twice."""

    def _client(self):
        return Retrying(self)


class Retrying:
    """Our own client, with its retries."""

    def __init__(self, load):
        self.client = inkwell.Client(load.url, retries=5)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.client.close()

    def __call__(self):
        try:
            self.client.post_pixels(PICTURE, OCTETS)
        except (inkwell.ServiceError, inkwell.ServiceUnreachable) as error:
            return repr(error)
        return None
