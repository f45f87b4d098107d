"""Steady requests from outside while containers change."""

import threading
import time

import httpx

PICTURE = bytes(784)


class Load:
    """Posts pictures over kept-alive connections, without pause, until the block ends.

    `failures` says what was answered but 200, or not answered at all; `answered` counts the rest,
    and `longest` is the longest time in seconds without any answer.
    """

    def __init__(self, url, *, clients=4):
        self.url = f"{url}/api/v1/predict"
        self.failures, self.answered, self.longest = [], 0, 0.0
        self._last, self._over = time.monotonic(), threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._post) for _ in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _post(self):
        headers = {"Content-Type": "application/octet-stream"}
        with httpx.Client(headers=headers, timeout=30) as client:
            while not self._over.is_set():
                try:
                    answer = client.post(self.url, content=PICTURE)
                except httpx.TransportError as error:
                    self._count(repr(error))
                    time.sleep(0.05)
                else:
                    self._count(None if answer.status_code == 200 else answer.text)
                time.sleep(0.005)

    def _count(self, failure):
        with self._lock:
            if failure:
                self.failures.append(failure)
                return
            now = time.monotonic()
            self.longest = max(self.longest, now - self._last)
            self._last = now
            self.answered += 1
