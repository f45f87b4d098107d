"""The records of all jobs in Redis, and the one way from one state to another.

A move is one transaction: whoever looks, and whatever dies in between, a job is in one state, in
the place that belongs to it (RQ's queue, its registry of started jobs, that of scheduled ones),
and is listed there.
"""

import hashlib
import json
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.exceptions import ConnectionError, WatchError
from redis.retry import Retry
from rq import Queue
from rq.exceptions import DeserializationError, NoSuchJobError
from rq.job import JobStatus
from rq.utils import utcformat

from jobs.index import JobIndex
from jobs.options import NORMAL, PRIORITIES, JobOptions
from jobs.training_job import TRAIN_TASK, TrainingJob
from nncore.config import TrainConfig
from nncore.estimate import speed_key
from nncore.specs import to_json

SERIALIZER = "json"
KEPT_SECONDS = 90 * 24 * 3600  # jobs that have ended

Change = Callable[[TrainingJob, Pipeline], None]


class WrongStateError(Exception):
    """The job is in a state in which this cannot be done."""

    def __init__(self, job: TrainingJob) -> None:
        super().__init__(f"The job is {job.status.value}.")
        self.job = job


def connect(redis_url: str) -> Redis:
    """Return a client that tells of a dead Redis within a second.

    So short time-outs, and a second try only where a connection from before a restart broke.
    """
    return Redis.from_url(
        redis_url,
        socket_timeout=0.5,
        socket_connect_timeout=0.3,
        retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionError,)),
    )


def queue_names(name: str) -> list[str]:
    """Return the names of RQ's queues, the first to be served first."""
    return [name if priority == NORMAL else f"{name}-{priority}" for priority in PRIORITIES]


def digest(value: Any) -> str:
    """Return the hash of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


class JobRecords:
    """Every job of the queue called `name`. Each method raises RedisError without Redis.

    Beside RQ's keys there are those that begin with ``inkwell:<name>:jobs``: the index, and for
    each job a list of what its epochs brought.
    """

    def __init__(self, redis: Redis, name: str) -> None:
        self.redis = redis
        self.prefix = f"inkwell:{name}:jobs"
        self.index = JobIndex(redis, self.prefix)
        self.queues = [
            Queue(queue, connection=redis, serializer=SERIALIZER, job_class=TrainingJob)
            for queue in queue_names(name)
        ]

    def get(self, job_id: str) -> TrainingJob | None:
        """Return the job, or None where there is none of ours."""
        try:
            job = self._fetch(job_id)
        # ValueError: an id that RQ would never give; DeserializationError: somebody else's job
        except (NoSuchJobError, ValueError, DeserializationError):
            return None
        return job if job.is_ours else None

    def get_many(self, ids: Collection[str]) -> list[TrainingJob]:
        """Return those of the jobs that are still there."""
        fetched = TrainingJob.fetch_many(ids, connection=self.redis, serializer=SERIALIZER)
        return [job for job in fetched if isinstance(job, TrainingJob)]

    def create(self, config: TrainConfig, options: JobOptions, **meta: Any) -> TrainingJob:
        """Return a new job, which is nowhere yet."""
        queue = self.queues[PRIORITIES.index(options.priority)]
        job: Any = queue.create_job(
            TRAIN_TASK,
            args=(config.to_dict(),),
            description=f"train {config.model} on {'+'.join(config.datasets)}",
            meta={"sequence": self.index.next_number(), "options": to_json(options), **meta},
        )
        created: TrainingJob = job
        return created

    def put(self, job: TrainingJob, pipeline: Pipeline, **fields: Any) -> None:
        """Put a new job into its queue."""
        self.push(job, pipeline)
        job.tell(pipeline, "Enqueued.", **fields)
        self.index.put(job, pipeline)

    def history_key(self, job_id: str) -> str:
        """Return where what the job's epochs brought is kept: a list of JSON objects."""
        return f"{self.prefix}:{job_id}:history"

    def speed_key(self, config: TrainConfig) -> str:
        """Return where it is kept how many rows a second such runs train on."""
        return f"{self.prefix}:speed:{speed_key(config)}"

    def queue_of(self, job: TrainingJob) -> Queue:
        """Return the queue that the job was put into."""
        return next(queue for queue in self.queues if queue.name == job.origin)

    def move(
        self,
        job_id: str,
        among: Collection[JobStatus],
        change: Change,
        *,
        owner: str | None = None,
    ) -> TrainingJob:
        """Let `change` bring a job, whose status is `among` those, into another state.

        `owner` is the execution that the job must belong to, if any.

        Raises
        ------
        NoSuchJobError
            If there is no such job.
        WrongStateError
            If its status, or its owner, is another.
        """
        with self.redis.pipeline() as pipeline:
            while True:
                try:
                    pipeline.watch(TrainingJob.key_for(job_id))  # type: ignore[no-untyped-call]
                    job = self._fetch(job_id)
                    if job.status not in among or owner not in (None, job.execution_id):
                        raise WrongStateError(job)
                    pipeline.multi()
                    self._leave(job, pipeline)
                    change(job, pipeline)
                    self.index.put(job, pipeline)
                    pipeline.execute()
                except WatchError:
                    continue  # the record changed meanwhile
                else:
                    return job

    def push(self, job: TrainingJob, pipeline: Pipeline, *, at_front: bool = False) -> None:
        """Put the job into its queue."""
        job.started_at = job.ended_at = None
        job.set_status(JobStatus.QUEUED, pipeline)
        self.queue_of(job).enqueue_job(job, pipeline=pipeline, at_front=at_front)

    def schedule(self, job: TrainingJob, due: datetime, pipeline: Pipeline) -> None:
        """Let the job wait until it is due."""
        self.queue_of(job).schedule_job(job, due, pipeline=pipeline)

    def end(self, job: TrainingJob, status: JobStatus, pipeline: Pipeline) -> None:
        """Bring the job to its end."""
        job.ended_at = datetime.now(UTC)
        job.set_status(status, pipeline)
        pipeline.hset(job.key, "ended_at", utcformat(job.ended_at))
        pipeline.expire(job.key, KEPT_SECONDS)
        pipeline.expire(self.history_key(job.id), KEPT_SECONDS)

    def revive(self, job: TrainingJob, pipeline: Pipeline) -> None:
        """Put a job that had ended into its queue again."""
        pipeline.persist(job.key)
        pipeline.persist(self.history_key(job.id))
        self.push(job, pipeline)

    def _fetch(self, job_id: str) -> TrainingJob:
        job: Any = TrainingJob.fetch(job_id, connection=self.redis, serializer=SERIALIZER)
        fetched: TrainingJob = job
        return fetched

    def _leave(self, job: TrainingJob, pipeline: Pipeline) -> None:
        """Take the job from the place that belongs to its status."""
        queue = self.queue_of(job)
        if job.status is JobStatus.QUEUED:
            queue.remove(job, pipeline=pipeline)
        elif job.status is JobStatus.SCHEDULED:
            queue.scheduled_job_registry.remove(job, pipeline=pipeline)
