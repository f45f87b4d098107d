"""The queue of training jobs as whoever posts and watches them sees it."""

from collections.abc import Collection
from typing import Any, NamedTuple

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import WatchError
from rq.job import Job, JobStatus

from jobs.idempotency import Answered, Idempotency
from jobs.options import JobOptions
from jobs.records import KEPT_SECONDS, JobRecords, digest
from jobs.training_job import UNFINISHED, TrainingJob
from jobs.workers import Load, Overview, load_of, overview_of
from nncore.config import TrainConfig

DEFAULT_OPTIONS = JobOptions()
RESUMABLE = (JobStatus.STOPPED, JobStatus.CANCELED, JobStatus.FAILED)


class Page(NamedTuple):
    """Some jobs, newest first, and where the next page begins."""

    jobs: list[TrainingJob]
    next_cursor: int | None


class Posted(NamedTuple):
    """A job, and whether it was queued just now."""

    job: TrainingJob
    is_new: bool


class JobQueue:
    """Post jobs, look at them, stop them. Each method raises RedisError without Redis."""

    def __init__(self, redis: Redis, name: str) -> None:
        self._records = JobRecords(redis, name)
        self._answered = Answered(redis, self._records.prefix)

    def enqueue(
        self,
        config: TrainConfig,
        options: JobOptions = DEFAULT_OPTIONS,
        *,
        request_id: str,
        traceparent: str | None = None,
        idempotency: Idempotency | None = None,
    ) -> Posted:
        """Put a job into the queue, unless it is there already; all of it in one transaction.

        It is there where a request with the same idempotency key was answered before; or, unless
        the options force it, where an equal job waits or runs.

        Raises
        ------
        KeyReusedError
            If the request that came with the same key before was another.
        """
        twins = self._twins(config)
        keys = [twins] if idempotency is None else [twins, self._answered.place(idempotency)]
        with self._records.redis.pipeline() as pipeline:
            while True:
                try:
                    pipeline.watch(*keys)  # type: ignore[no-untyped-call]
                    earlier = self._earlier(config, options, idempotency)
                    if earlier is not None:
                        if idempotency is not None:
                            pipeline.multi()
                            self._answered.remember(idempotency, earlier.id, pipeline)
                            pipeline.execute()
                        return Posted(earlier, is_new=False)
                    job = self._records.create(
                        config, options, request_id=request_id, traceparent=traceparent
                    )
                    pipeline.multi()
                    self._records.put(job, pipeline)
                    pipeline.set(twins, job.id, ex=KEPT_SECONDS)
                    if idempotency is not None:
                        self._answered.remember(idempotency, job.id, pipeline)
                    pipeline.execute()
                except WatchError:
                    continue  # an equal request was quicker
                else:
                    return Posted(job, is_new=True)

    def get(self, job_id: str) -> TrainingJob | None:
        """Return the job, or None where there is none."""
        return self._records.get(job_id)

    def page(
        self, *, limit: int, cursor: int | None, status: JobStatus | None, model: str | None
    ) -> Page:
        """Return up to `limit` jobs before `cursor` with that status and model."""
        index, found = self._records.index, list[TrainingJob]()
        while len(found) <= limit:
            numbers = index.page(status=status, model=model, below=cursor, limit=limit + 1)
            if not numbers:
                return Page(found, None)
            there = self._records.get_many(numbers)
            gone = set(numbers) - {job.id for job in there}
            index.drop(gone, status=status, model=model)
            found += there
            cursor = min(numbers.values())
        return Page(found[:limit], found[limit - 1].meta["sequence"])

    def positions(self, jobs: Collection[TrainingJob]) -> list[int | None]:
        """Return for each job how many are served until it is, from 1; None where it waits not."""
        queues = self._records.queues
        with self._records.redis.pipeline(transaction=False) as pipeline:
            for queue in queues:
                pipeline.llen(queue.key)
            for job in jobs:
                pipeline.lpos(self._records.queue_of(job).key, job.id)
            told = pipeline.execute()
        lengths, places = told[: len(queues)], told[len(queues) :]
        names = [queue.name for queue in queues]
        before = [sum(lengths[: names.index(job.origin)]) for job in jobs]
        return [
            None if place is None else first + place + 1
            for first, place in zip(before, places, strict=True)
        ]

    def history(self, job_id: str) -> list[bytes]:
        """Return what the job's epochs brought: a JSON object for each."""
        lines: Any = self._records.redis.lrange(self._records.history_key(job_id), 0, -1)
        return list(lines)

    def look(self, job_id: str, start: int) -> tuple[JobStatus | None, list[bytes]]:
        """Return the job's status, None where it is gone, and its history after `start` epochs.

        One round trip, and nothing of the job is read: many may watch it.
        """
        with self._records.redis.pipeline(transaction=False) as pipeline:
            # The status before the history: where it has ended, the history is whole.
            pipeline.hget(Job.key_for(job_id), "status")
            pipeline.lrange(self._records.history_key(job_id), start, -1)
            status, lines = pipeline.execute()
        return (None if status is None else JobStatus(status.decode())), lines

    def stop(self, job_id: str, why: str = "Asked to stop.") -> TrainingJob:
        """Cancel a job that waits; ask one that runs to keep a checkpoint and stop.

        Raises
        ------
        NoSuchJobError, WrongStateError
            If there is no such job; if it has ended.
        """

        def stop(job: TrainingJob, pipeline: Pipeline) -> None:
            if job.status is JobStatus.STARTED:
                job.tell(pipeline, why, stop_requested=True)
            else:
                self._records.end(job, JobStatus.CANCELED, pipeline)
                job.tell(pipeline, "Canceled.")

        return self._records.move(job_id, UNFINISHED, stop)

    def resume(self, job_id: str) -> TrainingJob:
        """Put a job that was stopped or canceled or has failed into the queue again.

        Raises
        ------
        NoSuchJobError, WrongStateError
            If there is no such job; if it is in another state.
        """

        def resume(job: TrainingJob, pipeline: Pipeline) -> None:
            self._records.revive(job, pipeline)
            anew: dict[str, Any] = {"error": None, "deaths": [], "retries": 0, "seconds": 0.0}
            job.tell(pipeline, "Resumed.", **anew, stop_requested=False)

        return self._records.move(job_id, RESUMABLE, resume)

    def speed(self, config: TrainConfig) -> float | None:
        """Return how many rows a second such runs trained on, the last time; None if none has."""
        told: Any = self._records.redis.get(self._records.speed_key(config))
        return None if told is None else float(told)

    def load(self) -> Load:
        """Return how busy the queues and the workers are."""
        return load_of(self._records)

    def overview(self) -> Overview:
        """Return all that is measured of jobs."""
        return overview_of(self._records)

    def _earlier(
        self, config: TrainConfig, options: JobOptions, idempotency: Idempotency | None
    ) -> TrainingJob | None:
        """Return the job that this request is answered with, if there is one."""
        if idempotency is not None:
            made = self._answered.earlier(idempotency)
            if made and (job := self.get(made)):
                return job
        if options.force:
            return None
        twin: Any = self._records.redis.get(self._twins(config))
        job = self.get(twin.decode()) if twin else None
        waits_or_runs = job is not None and job.status in UNFINISHED and not job.stop_requested
        return job if waits_or_runs else None

    def _twins(self, config: TrainConfig) -> str:
        return f"{self._records.prefix}:config:{digest(config.to_dict())}"
