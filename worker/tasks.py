"""What the work-horse runs. The service names it by its dotted string."""

import logging
import time
from collections.abc import Callable
from typing import Any

from redis.exceptions import RedisError
from rq import get_current_job

from jobs.executions import Executions
from jobs.records import connect
from jobs.training_job import TrainingJob
from nncore.config import TrainConfig
from worker.checkpoints import Interruption
from worker.job_folder import open_job
from worker.settings import Settings
from worker.training import run_training

log = logging.getLogger(__name__)

SECONDS_BETWEEN_TRIES = 2.0  # to report, while Redis is away
PATIENCE_SECONDS = 600.0  # with a Redis that is away when a run has ended


def train_model(payload: dict[str, Any]) -> dict[str, Any]:
    """Train as `payload`, a TrainConfig as JSON, says; return the result as JSON values.

    Raises what `run_training` does, ConfigError, and OSError where the store is away.
    """
    job = get_current_job()
    assert isinstance(job, TrainingJob) and job.execution_id  # noqa: S101, PT018 - RQ calls us
    config = TrainConfig.from_dict(payload)
    settings = Settings.from_env()
    log.info("Training %r on %r: job %s.", config.model, config.dataset, job.id)
    folder = open_job(settings.store, job.id, job.execution_id)
    folder.check_store()
    interruption, reporter = Interruption(), Reporter(job.id, settings)
    result = run_training(
        config,
        settings,
        job_id=job.id,
        publish=job.publishes,
        folder=folder,
        report=reporter.report,
        publishing=reporter.note_publishing,
        interruption=interruption,
    )
    reporter.make_sure(interruption)
    log.info("Version of %r: %s. %s", config.model, result["version"], result["reason"])
    return result


class Reporter:
    """Tells Redis how far a run is. It may be away: a run does not end because nobody listens."""

    def __init__(self, job_id: str, settings: Settings) -> None:
        self._executions = Executions(connect(settings.redis_url), settings.queue)
        self._job_id = job_id
        self._untold: tuple[dict[str, Any], list[dict[str, Any]]] | None = None
        self._silent_until = 0.0

    def report(self, progress: dict[str, Any], history: list[dict[str, Any]]) -> None:
        """Report; where that fails, not again for some seconds."""
        self._untold = progress, history
        if time.monotonic() < self._silent_until:
            return
        try:
            self._executions.report(self._job_id, progress, history)
            self._untold = None
        except RedisError as error:
            log.warning("Progress could not be reported: %s", error)
            self._silent_until = time.monotonic() + SECONDS_BETWEEN_TRIES

    def note_publishing(self, publishing: bool) -> None:
        """Tell whether the run is to have its version now."""
        try:
            self._executions.note_publishing(self._job_id, publishing)
        except RedisError as error:  # whoever stops it now has it stopped
            log.warning("That the run publishes could not be reported: %s", error)

    def make_sure(self, interrupted: Callable[[], bool]) -> None:
        """Wait until the last report has gone through, unless the run is to make way."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._untold and not interrupted() and time.monotonic() < deadline:
            time.sleep(0.1)
            self.report(*self._untold)
