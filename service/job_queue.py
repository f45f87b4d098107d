"""The queue of training jobs, in Redis through RQ. Connects at each use; never waits long."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue
from rq.exceptions import DeserializationError, NoSuchJobError
from rq.job import Job

from nncore.config import TrainConfig

# By name, so that the service needs no code of the worker; a test holds the two together.
TRAIN_TASK = "worker.tasks.train_model"

JOB_SECONDS = 24 * 3600
KEPT_SECONDS = 90 * 24 * 3600  # finished and failed jobs
SERIALIZER = "json"
ABANDONED = "AbandonedJobError"  # how RQ tells of a job whose worker is gone
PAGE = 100  # jobs read from Redis at once


class Page(NamedTuple):
    """Some jobs, newest first, and where the next page begins."""

    jobs: list[dict[str, Any]]
    next_cursor: int | None


class JobQueue:
    """Training jobs: enqueue, look at. Every method raises RedisError where Redis is not there.

    Beside RQ's own keys it keeps one sorted set, ``inkwell:<queue>:jobs``: job ids by the order
    in which they came.
    """

    def __init__(self, redis_url: str, queue: str) -> None:
        # A dead Redis must be told within a second: short time-outs, no second try.
        self._redis = Redis.from_url(
            redis_url,
            socket_timeout=0.5,
            socket_connect_timeout=0.3,
            retry=Retry(NoBackoff(), 0),
        )
        self._queue = Queue(queue, connection=self._redis, serializer=SERIALIZER)
        self._index = f"inkwell:{queue}:jobs"

    def enqueue(self, config: TrainConfig, *, request_id: str) -> dict[str, Any]:
        """Put a job into the queue and return it."""
        sequence = self._redis.incr(f"{self._index}:sequence")
        with self._redis.pipeline() as pipeline:
            job = self._queue.enqueue_call(
                TRAIN_TASK,
                args=(config.to_dict(),),
                timeout=JOB_SECONDS,
                result_ttl=KEPT_SECONDS,
                failure_ttl=KEPT_SECONDS,
                description=f"train {config.model} on {config.dataset}",
                meta={"request_id": request_id},
                pipeline=pipeline,
            )
            pipeline.zadd(self._index, {job.id: sequence})
            pipeline.execute()
        return self._describe(job)

    def get(self, job_id: str) -> dict[str, Any] | None:
        """Return the job, or None where there is none."""
        try:
            job = Job.fetch(job_id, connection=self._redis, serializer=SERIALIZER)
            return self._describe(job) if job.func_name == TRAIN_TASK else None
        # ValueError: an id that RQ would never give; DeserializationError: somebody else's job
        except (NoSuchJobError, ValueError, DeserializationError):
            return None

    def page(
        self, *, limit: int, cursor: int | None, status: str | None, model: str | None
    ) -> Page:
        """Return up to `limit` jobs before `cursor` with that status and model."""
        found: list[tuple[int, dict[str, Any]]] = []
        for sequence, job in self._newest_first(cursor):
            if status in (None, job["status"]) and model in (None, job["config"].get("model")):
                found.append((sequence, job))
            if len(found) > limit:
                return Page([job for _, job in found[:limit]], found[limit - 1][0])
        return Page([job for _, job in found], None)

    def _newest_first(self, cursor: int | None) -> Iterator[tuple[int, dict[str, Any]]]:
        below = "+inf" if cursor is None else f"({cursor}"
        while True:
            entries: Any = self._redis.zrevrangebyscore(
                self._index, below, "-inf", start=0, num=PAGE, withscores=True
            )
            if not entries:
                return
            ids = [key.decode() for key, _ in entries]
            jobs = Job.fetch_many(ids, connection=self._redis, serializer=SERIALIZER)
            gone = [key for key, job in zip(ids, jobs, strict=True) if job is None]
            if gone:
                self._redis.zrem(self._index, *gone)
            for (_, score), job in zip(entries, jobs, strict=True):
                if job is not None:
                    yield int(score), self._describe(job)
            below = f"({int(entries[-1][1])}"

    def _describe(self, job: Job) -> dict[str, Any]:
        """Return the job as its API shows it."""
        status = job.get_status(refresh=False)
        name = status.value if status else "unknown"
        return {
            "id": job.id,
            "status": name,
            "position": job.get_position() if name == "queued" else None,
            "times": {
                "created_at": _rfc3339(job.created_at),
                "enqueued_at": _rfc3339(job.enqueued_at),
                "started_at": _rfc3339(job.started_at),
                "ended_at": _rfc3339(job.ended_at),
            },
            "config": job.args[0] if job.args else {},
            "progress": job.meta.get("progress"),
            "history": job.meta.get("history", []),
            "result": job.meta.get("result") if name == "finished" else None,
            "error": self._error(job) if name in ("failed", "stopped") else None,
        }

    @staticmethod
    def _error(job: Job) -> str:
        if "error" in job.meta:
            return str(job.meta["error"])
        result = job.latest_result()
        lines = (result.exc_string or "").strip().splitlines() if result else []
        if not lines or ABANDONED in lines[-1]:
            return "The worker died during the job."
        return lines[-1]


def _rfc3339(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return utc.isoformat().replace("+00:00", "Z")
