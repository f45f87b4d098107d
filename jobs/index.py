"""Which jobs there are, newest first: all, and those of a status, of a model, of both.

Each is a sorted set of job ids by the order in which they came, so that a page costs what it costs
however long the history is.
"""

from collections.abc import Collection, Iterator
from typing import Any

from redis import Redis
from redis.client import Pipeline
from rq.job import JobStatus

from jobs.training_job import STATUSES, TrainingJob


class JobIndex:
    """The sorted sets, whose keys begin with `prefix`."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix

    def next_number(self) -> int:
        """Return the place of a new job in the order of all."""
        return int(self._redis.incr(f"{self._prefix}:sequence"))

    def put(self, job: TrainingJob, pipeline: Pipeline) -> None:
        """List `job` under its status, and under no other."""
        for status in STATUSES:
            for key in self._keys(status, job.model):
                pipeline.zrem(key, job.id)
        for listed in (None, job.status):
            for key in self._keys(listed, job.model):
                pipeline.zadd(key, {job.id: job.meta["sequence"]})

    def page(
        self, *, status: JobStatus | None, model: str | None, below: int | None, limit: int
    ) -> dict[str, int]:
        """Return up to `limit` ids with their numbers, newest first, from `below` on."""
        entries: Any = self._redis.zrevrangebyscore(
            self._key(status, model),
            "+inf" if below is None else f"({below}",
            "-inf",
            start=0,
            num=limit,
            withscores=True,
        )
        return {name.decode(): int(number) for name, number in entries}

    def all_of(self, status: JobStatus) -> set[str]:
        """Return the ids of all jobs with that status."""
        ids: Any = self._redis.zrange(self._key(status, None), 0, -1)
        return {name.decode() for name in ids}

    def counts(self) -> dict[JobStatus, int]:
        """Return how many jobs are listed under each status."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for status in STATUSES:
                pipeline.zcard(self._key(status, None))
            return dict(zip(STATUSES, pipeline.execute(), strict=True))

    def drop(self, ids: Collection[str], *, status: JobStatus | None, model: str | None) -> None:
        """Forget jobs that are no longer there."""
        if ids:
            self._redis.zrem(self._key(status, model), *ids)

    def _keys(self, status: JobStatus | None, model: str) -> Iterator[str]:
        yield self._key(status, None)
        yield self._key(status, model)

    def _key(self, status: JobStatus | None, model: str | None) -> str:
        of_status = "" if status is None else f":status:{status.value}"
        of_model = "" if model is None else f":model:{model}"
        return f"{self._prefix}{of_status}{of_model}"
