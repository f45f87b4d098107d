"""Jobs that are watched: the queue is asked once for all who watch the same one here."""

import threading
import time
from weakref import WeakValueDictionary

from rq.job import JobStatus

from jobs.queue import JobQueue

SECONDS_OLD = 0.5


class WatchedJob:
    """A job's status and history, at most half a second old.

    Watchers that came at once look at once, and predictions wait for all of them: so the first one
    asks the queue, and the others find its answer.
    """

    def __init__(self, queue: JobQueue, job_id: str) -> None:
        self.id = job_id
        self._queue = queue
        self._lock = threading.Lock()
        self._due = 0.0
        self._status: JobStatus | None = None
        self._history: list[bytes] = []

    def look(self, start: int) -> tuple[JobStatus | None, list[bytes]]:
        """Return its status, None where it is gone, and its history after `start` epochs.

        Raises RedisError without Redis.
        """
        with self._lock:
            if time.monotonic() >= self._due:
                self._status, news = self._queue.look(self.id, len(self._history))
                self._history += news
                self._due = time.monotonic() + SECONDS_OLD
            return self._status, self._history[start:]


class WatchedJobs:
    """The jobs that somebody watches in this process."""

    def __init__(self, queue: JobQueue) -> None:
        self._queue = queue
        self._lock = threading.Lock()
        self._watched: WeakValueDictionary[str, WatchedJob] = WeakValueDictionary()

    def watch(self, job_id: str) -> WatchedJob:
        """Return the job, the same object for all who watch it."""
        with self._lock:
            return self._watched.setdefault(job_id, WatchedJob(self._queue, job_id))
