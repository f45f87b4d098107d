"""The queue of training jobs as whoever posts and watches them sees it."""

from collections.abc import Collection
from typing import Any, NamedTuple

from redis import Redis
from redis.client import Pipeline
from rq.job import JobStatus

from jobs.records import NORMAL, PRIORITIES, JobRecords
from jobs.training_job import TRAIN_TASK, UNFINISHED, TrainingJob
from nncore.config import TrainConfig

RESUMABLE = (JobStatus.STOPPED, JobStatus.CANCELED, JobStatus.FAILED)


class Page(NamedTuple):
    """Some jobs, newest first, and where the next page begins."""

    jobs: list[TrainingJob]
    next_cursor: int | None


class JobQueue:
    """Post jobs, look at them, stop them. Each method raises RedisError without Redis."""

    def __init__(self, redis: Redis, name: str) -> None:
        self._records = JobRecords(redis, name)

    def enqueue(
        self, config: TrainConfig, *, request_id: str, priority: str = NORMAL
    ) -> TrainingJob:
        """Put a job into the queue and return it."""
        records = self._records
        queue = records.queues[PRIORITIES.index(priority)]
        job: Any = queue.create_job(
            TRAIN_TASK,
            args=(config.to_dict(),),
            description=f"train {config.model} on {config.dataset}",
            meta={"request_id": request_id, "sequence": records.index.next_number()},
        )
        with records.redis.pipeline() as pipeline:
            pipeline.multi()
            records.push(job, pipeline)
            job.tell(pipeline, "Enqueued.")
            records.index.put(job, pipeline)
            pipeline.execute()
        enqueued: TrainingJob = job
        return enqueued

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

    def history(self, job_id: str, start: int = 0) -> list[bytes]:
        """Return what the job's epochs brought, from the one after `start` on: JSON objects."""
        key = self._records.history_key(job_id)
        lines: Any = self._records.redis.lrange(key, start, -1)
        return list(lines)

    def stop(self, job_id: str) -> TrainingJob:
        """Cancel a job that waits; ask one that runs to keep a checkpoint and stop.

        Raises
        ------
        NoSuchJobError, WrongStateError
            If there is no such job; if it has ended.
        """

        def stop(job: TrainingJob, pipeline: Pipeline) -> None:
            if job.status is JobStatus.STARTED:
                job.tell(pipeline, "Asked to stop.", stop_requested=True)
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
            job.tell(pipeline, "Resumed.", error=None, deaths=[], retries=0, stop_requested=False)

        return self._records.move(job_id, RESUMABLE, resume)
