"""Work that nobody waits for: a thread of the lowest priority in each process."""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

LOWEST_PRIORITY = 19

Item = TypeVar("Item")


class Background(Generic[Item]):
    """A thread that gives to `work` what it was offered, all that waits at a time.

    It waits `pause` seconds before each, so that more comes together.
    """

    def __init__(
        self, name: str, work: Callable[[list[Item]], None], *, pause: float = 0.0
    ) -> None:
        self._name = name
        self._work = work
        self._pause = pause
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._items: SimpleQueue[tuple[Item, int]] = SimpleQueue()
        self._waiting_rows = 0

    def offer(self, item: Item, rows: int, *, at_most: int) -> bool:
        """Let `item` wait its turn, unless more than `at_most` rows would; tell whether it does."""
        with self._lock:
            if self._owner != os.getpid():
                self._start()
            if self._waiting_rows + rows > at_most:
                return False
            self._waiting_rows += rows
        self._items.put((item, rows))
        return True

    def _start(self) -> None:
        """Begin in this process; what another had waiting when it forked is its own affair."""
        self._owner = os.getpid()
        self._items, self._waiting_rows = SimpleQueue(), 0
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def _run(self) -> None:
        if sys.platform == "linux":  # where a thread has a priority of its own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)
        while True:
            waiting = [self._items.get()]
            time.sleep(self._pause)
            waiting += [self._items.get() for _ in range(self._items.qsize())]
            try:
                self._work([item for item, _ in waiting])
            except Exception:  # it must not end: nobody would do the work any more
                log.exception("Work of the thread %r is lost", self._name)
            with self._lock:
                self._waiting_rows -= sum(rows for _, rows in waiting)


class Repeated:
    """A thread that does `work` every so many seconds, in each process that wants it."""

    def __init__(self, name: str, work: Callable[[], None], seconds: float) -> None:
        self._name = name
        self._work = work
        self._seconds = seconds
        self._lock = threading.Lock()
        self._owner: int | None = None

    def ensure(self) -> None:
        """Begin in this process, unless it has begun."""
        if self._owner == os.getpid():
            return
        with self._lock:
            if self._owner != os.getpid():
                self._owner = os.getpid()
                threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(self._seconds)
            try:
                self._work()
            except OSError as error:
                log.warning("The thread %r tries again: %s", self._name, error)
            except Exception:  # it must not end: nobody would do the work any more
                log.exception("The thread %r tries again", self._name)
