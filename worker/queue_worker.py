"""The RQ worker: takes training jobs from the queues, one at a time."""

import logging
import os
import secrets
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue, Worker
from rq.exceptions import StopRequested
from rq.executions import Execution
from rq.job import Job, JobStatus
from rq.worker import WorkerStatus
from rq.worker_registration import clean_worker_registry

from jobs.executions import Executions, Orders
from jobs.options import JobOptions, read_job
from jobs.records import SERIALIZER, WrongStateError, connect, queue_names
from jobs.rounds import for_each
from jobs.schedules import Schedules
from jobs.sweeps import Sweeps
from jobs.training_job import TrainingJob
from nncore import logs
from nncore.config import TrainConfig
from nncore.errors import ConfigError, FieldError, RegistryError
from nncore.object_store import Store
from nncore.specs import from_json, to_json
from nncore.telemetry import spans_of
from worker import outcomes
from worker.attempt import Attempt
from worker.horse import apart
from worker.job_folder import open_job
from worker.settings import Settings
from worker.sweeps import plan
from worker.tidying import tidy

if TYPE_CHECKING:
    from nncore.spans import Span

log = logging.getLogger(__name__)

SECONDS_BETWEEN_ROUNDS = 5  # looks after jobs that no worker has in hand
SECONDS_BETWEEN_TIDYINGS = 3600  # of the store
SECONDS_TO_TIDY = 30  # at most: what is left over then is seen to the next time
MAX_RECONNECT_SECONDS = 2.0  # between tries while Redis is away; RQ's own is a minute
WORKER_TTL_SECONDS = 60  # a worker that has not shown itself for so long is forgotten


class Stop:
    """Whether the program is to stop. A plain flag: a signal's handler must wait for no lock."""

    requested = False

    def request(self, *_: Any) -> None:
        """Stop when what is being done just now is done; a running job makes way."""
        self.requested = True


class TrainingWorker(Worker):
    """An RQ worker of training jobs, which looks after those of lost workers too."""

    job_class = TrainingJob
    max_connection_wait_time = MAX_RECONNECT_SECONDS
    dequeue_timeout = 2  # seconds until it looks around, and sees that it is to stop

    def __init__(self, settings: Settings, stop: Stop) -> None:
        # RQ itself waits for a Redis that is away.
        connection = Redis.from_url(settings.redis_url, retry=Retry(NoBackoff(), 1))
        super().__init__(
            [
                Queue(name, connection=connection, serializer=SERIALIZER, job_class=TrainingJob)
                for name in queue_names(settings.queue)
            ],
            # The last part tells it from one that died here under the same number.
            name=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}",
            connection=connection,
            serializer=SERIALIZER,
            job_class=TrainingJob,
            worker_ttl=WORKER_TTL_SECONDS,
        )
        self._settings = settings
        self._stop = stop
        self._last_round = self._tidied_at = float("-inf")
        # Its time-outs are short: a worker whose Redis is away must hear a signal all the same.
        redis = connect(settings.redis_url)
        self._training = Executions(redis, settings.queue)
        self._sweeps = Sweeps(redis, settings.queue)
        self._schedules = Schedules(redis, settings.queue)
        # At once: a process that forks for each job had better have no threads.
        self._spans = spans_of("inkwell-worker", at_once=True) if settings.spans else None

    def _install_signal_handlers(self) -> None:
        """Leave the signals to the program."""

    def subscribe(self) -> None:
        """Take no commands: RQ's would kill the process of a job without asking it."""

    @property
    def should_run_maintenance_tasks(self) -> bool:
        """Whether to look around: RQ asks before it takes a job, never while it has one in hand.

        Raises StopRequested, which ends RQ's loop, where that is wanted.
        """
        if self._stop.requested:
            raise StopRequested
        return self._is_time_for_a_round()

    def run_maintenance_tasks(self) -> None:
        """Do what is to be done between jobs."""
        self._look_around()
        if time.monotonic() - self._tidied_at >= SECONDS_BETWEEN_TIDYINGS:
            self._tidy()
            self._tidied_at = time.monotonic()

    def _look_around(self) -> None:
        """Bring on jobs that no worker has in hand."""
        for_each(
            (self._training.tend, self._tend_sweeps, self._tend_schedules), lambda tend: tend()
        )
        for queue in self.queues:
            clean_worker_registry(queue)
        self._last_round = time.monotonic()

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run a job that was taken from the queue, and settle what comes of it."""
        if not isinstance(job, TrainingJob) or not job.is_ours:
            log.warning("Refused the job %s: it is none of ours.", job.id)
            job.set_status(JobStatus.FAILED)
            return
        self.set_state(WorkerStatus.BUSY)
        with logs.bound(**job.log_fields):  # in the lines of its process, too
            self._see_through(job)
        self.set_state(WorkerStatus.IDLE)
        if "sweep" in job.meta:
            self._last_round = float("-inf")  # its sweep may go on at once

    def _see_through(self, job: TrainingJob) -> None:
        try:
            begun, execution = self._training.begin(job.id, self.name)
        except WrongStateError as error:
            log.info("Job %s was taken from the queue for nothing: %s", job.id, error)
            return
        attempt = Attempt(
            self._training,
            begun,
            execution,
            open_job(self._settings.store, begun.id, execution.id),
            beat=lambda: self._beat(begun, execution),
            stopping=lambda: self._stop.requested,
        )
        span = self._spans and self._spans.begin("CONSUMER", job.meta.get("traceparent") or "")
        outcome = attempt.see_through()
        if span:
            _end_span(span, begun, outcome)

    def _beat(self, job: TrainingJob, execution: Execution) -> Orders:
        orders = self._training.beat(job, execution, self)
        if self._is_time_for_a_round() and not self._stop.requested:
            self._look_around()
        return orders

    def _tend_sweeps(self) -> None:
        self._sweeps.tend(plan, self._forget)

    def _tend_schedules(self) -> None:
        self._schedules.tend(self._read)

    def _read(self, job: Mapping[str, Any]) -> tuple[TrainConfig, JobOptions]:
        """Return what the body of a job asks for. Raises ConfigError, RegistryError, OSError."""
        asked = apart(lambda: _asked(job, self._settings.store))
        if "refused" in asked:
            raise RegistryError(asked["refused"])
        if "errors" in asked:
            raise ConfigError([FieldError(*error) for error in asked["errors"]])
        return TrainConfig.from_dict(asked["config"]), from_json(JobOptions, asked["options"])

    def _tidy(self) -> None:
        def task() -> None:
            training = Executions(connect(self._settings.redis_url), self._settings.queue)
            tidy(self._settings.store, training.knows)

        try:
            apart(task, seconds=SECONDS_TO_TIDY, stopping=lambda: self._stop.requested)
        except OSError as error:
            log.warning("The store could not be tidied: %s", error)

    def _forget(self, job_id: str) -> None:
        with suppress(OSError):  # what is left harms nobody
            apart(open_job(self._settings.store, job_id, "").remove)

    def _is_time_for_a_round(self) -> bool:
        return time.monotonic() - self._last_round >= SECONDS_BETWEEN_ROUNDS


def _end_span(span: "Span", job: TrainingJob, outcome: dict[str, Any]) -> None:
    result = outcome.get("result", {})
    told = {
        "inkwell.job_id": job.id,
        "inkwell.model": job.model,
        "inkwell.dataset": job.config["dataset"],
        "inkwell.outcome": outcome["kind"],
        "inkwell.version": result.get("version"),
    }
    bad = outcome["kind"] not in (outcomes.FINISHED, outcomes.INTERRUPTED)
    fields = {name: value for name, value in told.items() if value is not None}
    span.end("train", fields, error=outcome.get("error", "") if bad else None)


def _asked(job: Mapping[str, Any], store: Store) -> dict[str, Any]:
    """Return what the body of a job asks for, or its errors: JSON values."""
    try:
        config, options = read_job(job, store)
    except ConfigError as error:
        return {"errors": error.errors}
    except RegistryError as error:
        return {"refused": str(error)}
    return {"config": config.to_dict(), "options": to_json(options)}
