"""The RQ worker, restricted to training jobs."""

import logging
from typing import Any

from redis import Redis
from rq import Queue, Worker
from rq.job import Job

from worker.settings import Settings
from worker.tasks import train_model

log = logging.getLogger(__name__)

TASK = f"{train_model.__module__}.{train_model.__qualname__}"
HEARTBEAT_SECONDS = 15
MAINTENANCE_SECONDS = 60  # between looks for jobs whose worker died
MAX_RECONNECT_SECONDS = 2.0  # between tries while Redis is away; RQ's own is a minute
WORKER_TTL_SECONDS = 60  # an idle worker shows itself a quarter of a minute before this


class RefusedJobError(Exception):
    """The job names another function than the one that this worker runs."""


class TrainingJob(Job):
    """A job that can only be `train_model`.

    RQ runs whatever dotted name lies in Redis; the JSON serializer alone does not stop a person
    who reaches Redis from naming ``os.system``. Here no other name is even imported.
    """

    @property
    def func(self) -> Any:
        """The task. Raises RefusedJobError where the job names another."""
        if self.func_name != TASK:
            raise RefusedJobError(f"This worker runs {TASK} only; got {self.func_name!r}.")
        return train_model

    @property
    def success_callback(self) -> None:
        """None: callbacks are names of functions too."""

    @property
    def failure_callback(self) -> None:
        """None: callbacks are names of functions too."""

    @property
    def stopped_callback(self) -> None:
        """None: callbacks are names of functions too."""

    def send_webhooks(self, status: Any, *, exc_string: str | None = None) -> None:
        """Send nothing: whoever reaches Redis must not make the worker call addresses."""


class TrainingWorker(Worker):
    """An RQ worker that runs training jobs, and knows whether it was asked to stop."""

    job_class = TrainingJob
    max_connection_wait_time = MAX_RECONNECT_SECONDS
    stop_requested = False

    def request_stop(self, signum: Any, frame: Any) -> None:
        """Take RQ's signal for a warm stop: the running job is finished first."""
        self.stop_requested = True
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def stop_before_next_job(self) -> None:
        """Stop, where the signal came before RQ's own handlers were in place."""
        self.stop_requested = self._stop_requested = True


def build_worker(settings: Settings) -> TrainingWorker:
    """Return a worker on the queue of `settings`. Raises RedisError where Redis is not there."""
    connection = Redis.from_url(settings.redis_url)
    queue = Queue(settings.queue, connection=connection, serializer="json", job_class=TrainingJob)
    return TrainingWorker(
        [queue],
        connection=connection,
        serializer="json",
        job_class=TrainingJob,
        worker_ttl=WORKER_TTL_SECONDS,
        maintenance_interval=MAINTENANCE_SECONDS,
        job_monitoring_interval=HEARTBEAT_SECONDS,
    )
