"""Watching a job: server-sent events, one an epoch and one at the end.

A stream holds a thread for as long as it lasts. So there are threads for so many streams beside
those that predict, and no more streams than that.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator

from flask import Blueprint, Response, current_app, request
from redis.exceptions import RedisError

from jobs.queue import JobQueue
from jobs.training_job import ENDED
from service.answers import to_json
from service.context import job_queue
from service.job_view import view
from service.problems import RETRY_SECONDS, Problem
from service.watched_jobs import WatchedJob

log = logging.getLogger(__name__)

bp = Blueprint("job_events", __name__, url_prefix="/api/v1/jobs")

MEDIA_TYPE = "text/event-stream"
SECONDS_BETWEEN_LOOKS = 1.0
SECONDS_OF_SILENCE = 10.0  # then a comment shows that the stream is alive, and that its reader is
_EVENT_ID = re.compile(r"(\d{1,9})(-end)?")


class Streams:
    """The streams of this process."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._free = threading.BoundedSemaphore(limit)

    def open(self, events: Iterator[bytes]) -> Response:
        """Answer with a stream of `events`. Raises Problem 429 where there are too many."""
        if not self._free.acquire(blocking=False):
            detail = f"{self.limit} streams are open in this process; poll the job instead."
            raise Problem(429, "too-many-streams", detail, headers={"Retry-After": RETRY_SECONDS})
        # no-transform, X-Accel-Buffering: nothing in between may hold events back.
        headers = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}
        response = Response(events, headers=headers, mimetype=MEDIA_TYPE)
        response.call_on_close(self._free.release)
        return response


@bp.get("/<job_id>/events")
def watch_job(job_id: str) -> Response:
    queue = job_queue()
    streams: Streams = current_app.extensions["streams"]
    job = queue.get(job_id)
    if job is None:
        raise Problem(404, "not-found", f"There is no job {job_id[:80]!r}.")
    epochs, seen_the_end = _last_event()
    if seen_the_end and job.status in ENDED:
        return Response(status=204)  # which tells a browser not to come again
    watched: WatchedJob = current_app.extensions["watched_jobs"].watch(job_id)
    return streams.open(_events(queue, watched, epochs, current_app.extensions["stopping"]))


def _last_event() -> tuple[int, bool]:
    """Return how many epochs the client knows of, and whether it knows of the end."""
    text = request.headers.get("Last-Event-ID", "0")
    found = _EVENT_ID.fullmatch(text)
    if not found:
        detail = f"Last-Event-ID: expected an id of this stream; got {text[:80]!r}."
        raise Problem(422, "not-an-event-id", detail)
    return int(found[1]), found[2] is not None


def _events(
    queue: JobQueue, watched: WatchedJob, known: int, stopping: Callable[[], bool]
) -> Iterator[bytes]:
    """Yield an event for each epoch after the `known` ones, and one at the end."""
    spoken_at = time.monotonic()
    while not stopping():
        try:
            status, lines = watched.look(start=known)
            ended = status is None or status in ENDED
            job = queue.get(watched.id) if ended else None
            end = b"null" if job is None else to_json(view(queue, job))
        except RedisError as error:
            log.warning("The queue cannot be reached: %s", error)
            lines, ended = [], False
        for line in lines:
            known += 1
            yield _event("epoch", f"{known}", line)
        if ended:
            yield _event("end", f"{known}-end", end)
            return
        if lines:
            spoken_at = time.monotonic()
        elif time.monotonic() - spoken_at >= SECONDS_OF_SILENCE:
            spoken_at = time.monotonic()
            yield b": alive\n\n"
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _event(name: str, identity: str, data: bytes) -> bytes:
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (identity.encode(), name.encode(), data)
