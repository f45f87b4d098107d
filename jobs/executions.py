"""Training jobs as the workers see them: begun, looked after, settled, found lost."""

import json
import time
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from redis import Redis
from redis.client import Pipeline
from rq.exceptions import NoSuchJobError
from rq.executions import Execution
from rq.job import JobStatus
from rq.worker import BaseWorker

from jobs.records import KEPT_SECONDS, Change, JobRecords, WrongStateError
from jobs.rounds import for_each
from jobs.training_job import TrainingJob
from nncore.config import TrainConfig

HEARD_SECONDS = 15  # a job that no worker has shown itself for in so long is lost
MAX_DEATHS = 3


class Orders(NamedTuple):
    """What a worker is told about the job that it runs.

    One that is `publishing` ends within seconds, and is not to be stopped.
    """

    is_mine: bool
    stop: bool
    publishing: bool = False


class Executions:
    """What workers do with jobs. Each method raises RedisError without Redis.

    Those that settle a job raise WrongStateError where it is no longer this execution's: it was
    taken for lost, and another worker has it.
    """

    def __init__(self, redis: Redis, name: str) -> None:
        self._records = JobRecords(redis, name)
        self._missing: set[str] = set()
        self._tended_at = 0.0

    def begin(self, job_id: str, worker_name: str) -> tuple[TrainingJob, Execution]:
        """Mark a job that was taken from the queue as started; `beat` from now on.

        Raises
        ------
        WrongStateError
            If it does not wait any more: it was canceled meanwhile, say.
        """
        begun: list[Execution] = []

        def begin(job: TrainingJob, pipeline: Pipeline) -> None:
            job.prepare_for_execution(worker_name, pipeline)
            begun.append(Execution.create(job, HEARD_SECONDS, pipeline, worker_name))
            job.tell(pipeline, f"Started by worker {worker_name}.", execution_id=begun[-1].id)

        job = self._records.move(job_id, [JobStatus.QUEUED], begin)
        return job, begun[-1]

    def beat(self, job: TrainingJob, execution: Execution, worker: BaseWorker) -> Orders:
        """Show that `worker` looks after the job; return what is wanted of it."""
        with self._records.redis.pipeline() as pipeline:
            worker.heartbeat(pipeline=pipeline)
            execution.heartbeat(job.started_job_registry, HEARD_SECONDS, pipeline)
            pipeline.hmget(job.key, "execution_id", "status", "stop_requested", "publishing")
            owner, status, stop, publishing = pipeline.execute()[-1]
        is_mine = owner == json.dumps(execution.id).encode() and status == b"started"
        return Orders(is_mine, stop == b"true", publishing == b"true")

    def note_publishing(self, job_id: str, publishing: bool) -> None:
        """Note whether a run has trained, and is to have its version."""
        key = TrainingJob.key_for(job_id)
        self._records.redis.hset(key, "publishing", json.dumps(publishing))

    def report(self, job_id: str, progress: dict[str, Any], history: list[dict[str, Any]]) -> None:
        """Tell how far a run is, and what its epochs brought, if that is not known yet."""
        key = self._records.history_key(job_id)
        known = self._records.redis.llen(key)
        with self._records.redis.pipeline() as pipeline:
            pipeline.hset(TrainingJob.key_for(job_id), "progress", json.dumps(progress))
            if new := history[known:]:
                pipeline.rpush(key, *map(json.dumps, new))
            pipeline.execute()

    def finish(self, job: TrainingJob, execution: Execution, outcome: dict[str, Any]) -> None:
        """Settle a run that ended well."""

        def finish(job: TrainingJob, pipeline: Pipeline) -> None:
            self._records.end(job, JobStatus.FINISHED, pipeline)
            lacking = outcome.get("report_error")
            told = f"Finished, without a report: {lacking}" if lacking else "Finished."
            job.tell(pipeline, told, outcome=outcome)
            if speed := (job.progress or {}).get("samples_per_second"):
                key = self._records.speed_key(TrainConfig.from_dict(job.config))
                pipeline.set(key, speed, ex=KEPT_SECONDS)

        self._settle(job.id, execution, finish)

    def fail(self, job: TrainingJob, execution: Execution, error: str) -> None:
        """Settle a run that cannot end well."""

        def fail(job: TrainingJob, pipeline: Pipeline) -> None:
            self._fail(job, pipeline, error)

        self._settle(job.id, execution, fail)

    def give_back(self, job: TrainingJob, execution: Execution, why: str) -> None:
        """Put a job whose run made way in front of the others; it has stopped, if it was to."""

        def give_back(job: TrainingJob, pipeline: Pipeline) -> None:
            self._go_on(job, pipeline, f"{why} It stood {_where(job)}.")

        self._settle(job.id, execution, give_back)

    def put_off(
        self, job: TrainingJob, execution: Execution, error: str, seconds: Collection[float]
    ) -> None:
        """Let a job that failed for what may pass wait; the n-th time for the n-th of `seconds`.

        After the last of them it has failed for good.
        """

        def put_off(job: TrainingJob, pipeline: Pipeline) -> None:
            waits = [*seconds][job.retries :]
            if _is_to_stop(job):
                self._go_on(job, pipeline, error)
            elif waits:
                due = datetime.now(UTC) + timedelta(seconds=waits[0])
                self._records.schedule(job, due, pipeline)
                event = f"{error} Tried again in {waits[0]:g} s."
                job.tell(pipeline, event, retries=job.retries + 1)
            else:
                self._fail(job, pipeline, f"{error} It was tried {job.retries + 1} times.")

        self._settle(job.id, execution, put_off)

    def mourn(self, job: TrainingJob, execution: Execution, cause: str) -> None:
        """Put a job whose process died in front of the others; the third time it has failed."""

        def mourn(job: TrainingJob, pipeline: Pipeline) -> None:
            deaths = [*job.deaths, f"{cause} {_where(job)}"]
            if len(deaths) < MAX_DEATHS:
                self._go_on(job, pipeline, f"{deaths[-1]}.", deaths=deaths)
            else:
                error = f"The run died {len(deaths)} times: {'; '.join(deaths)}."
                self._fail(job, pipeline, error, deaths=deaths)

        self._settle(job.id, execution, mourn)

    def knows(self, job_id: str) -> bool:
        """Tell whether there is a record of the job."""
        return bool(self._records.redis.exists(TrainingJob.key_for(job_id)))

    def tend(self) -> None:
        """Bring jobs on that no worker has in hand: the lost, the due, and those that slipped."""
        began = time.time()
        if began - self._tended_at < HEARD_SECONDS:
            self._reclaim_lost()
        # Else this worker, and so the others perhaps, has not run for a while: the machine slept,
        # or Redis was away. They have until the next time to show themselves.
        self._enqueue_due()
        self._requeue_slipped()
        self._tended_at = began

    def _settle(self, job_id: str, execution: Execution, change: Change) -> None:
        def settle(job: TrainingJob, pipeline: Pipeline) -> None:
            execution.delete(job, pipeline)
            change(job, pipeline)
            ran = datetime.now(UTC) - execution.created_at
            seconds = job.seconds + ran.total_seconds()
            job.note(pipeline, seconds=seconds, stop_requested=False)  # it has come to rest

        self._records.move(job_id, [JobStatus.STARTED], settle, owner=execution.id)

    def _fail(self, job: TrainingJob, pipeline: Pipeline, error: str, **fields: Any) -> None:
        self._records.end(job, JobStatus.FAILED, pipeline)
        job.tell(pipeline, f"Failed: {error}", error=error, **fields)

    def _go_on(self, job: TrainingJob, pipeline: Pipeline, event: str, **fields: Any) -> None:
        """Put the job in front of the others, unless it was asked to stop."""
        if _is_to_stop(job):
            self._records.end(job, JobStatus.STOPPED, pipeline)
            job.tell(pipeline, f"{event} Stopped.", **fields)
        else:
            self._records.push(job, pipeline, at_front=True)
            job.tell(pipeline, f"{event} Back in the queue.", **fields)

    def _reclaim_lost(self) -> None:
        """Take jobs from workers that are not heard of any more."""
        redis = self._records.redis
        if redis.info("server")["uptime_in_seconds"] < HEARD_SECONDS:
            return  # nobody could be heard before
        for queue in self._records.queues:
            registry = queue.started_job_registry.key
            lost: Any = redis.zrangebyscore(registry, 0, datetime.now(UTC).timestamp())
            for_each(lost, partial(self._reclaim, registry))

    def _reclaim(self, registry: str, entry: bytes) -> None:
        execution = Execution.from_composite_key(entry.decode(), self._records.redis)
        job = self._records.get(execution.job_id)
        with suppress(WrongStateError):  # settled meanwhile
            if job is not None:
                self.mourn(job, execution, f"Worker {job.worker_name} was lost")
        self._records.redis.zrem(registry, entry)

    def _enqueue_due(self) -> None:
        """Put jobs whose time has come into the queue."""

        def enqueue(job: TrainingJob, pipeline: Pipeline) -> None:
            self._records.push(job, pipeline)
            job.tell(pipeline, "Back in the queue.")

        for queue in self._records.queues:
            due = queue.scheduled_job_registry.get_jobs_to_schedule()
            for_each(due, partial(self._bring_on, JobStatus.SCHEDULED, enqueue))

    def _requeue_slipped(self) -> None:
        """Put back jobs that a worker took from the queue, and died before it began them.

        Between the two a job is nowhere for a moment: only who is so twice has slipped.
        """

        def requeue(job: TrainingJob, pipeline: Pipeline) -> None:
            self._records.push(job, pipeline, at_front=True)
            job.tell(pipeline, "Back in the queue: the worker that took it was lost.")

        listed = self._records.index.all_of(JobStatus.QUEUED)
        waiting = {job_id for queue in self._records.queues for job_id in queue.get_job_ids()}
        missing = listed - waiting
        for_each(missing & self._missing, partial(self._bring_on, JobStatus.QUEUED, requeue))
        self._missing = missing

    def _bring_on(self, status: JobStatus, change: Change, job_id: str) -> None:
        # It may be gone; another worker may have been first.
        with suppress(NoSuchJobError, WrongStateError):
            self._records.move(job_id, [status], change)


def _is_to_stop(job: TrainingJob) -> bool:
    """Tell whether it was asked to stop before its version may have been there."""
    return job.stop_requested and not job.publishing


def _where(job: TrainingJob) -> str:
    """Tell how far the run is."""
    epoch = (job.progress or {}).get("epoch", 0)
    return f"after epoch {epoch}" if epoch else "before the end of its first epoch"
