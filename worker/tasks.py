"""What RQ calls. The service names `train_model` by its dotted string."""

import logging
import time
from typing import Any

from redis.exceptions import RedisError
from rq import get_current_job
from rq.job import Job

from nncore.config import TrainConfig
from nncore.errors import InkwellError
from worker.settings import Settings
from worker.training import run_training

log = logging.getLogger(__name__)

SECONDS_BETWEEN_REPORTS = 0.5
PATIENCE_SECONDS = 600.0  # with a Redis that is away when a run has ended


def train_model(payload: dict[str, Any]) -> dict[str, Any]:
    """Train as `payload`, a TrainConfig as JSON, says; return the result as JSON values.

    Progress goes into the job's meta: ``progress``, ``history``; at the end ``result``, or
    ``error``, a sentence, where the run fails for a reason that we know.
    """
    job = get_current_job()
    reporter = Reporter(job)
    try:
        config = TrainConfig.from_dict(payload)
        settings = Settings.from_env()
        log.info("Training %r on %r: job %s.", config.model, config.dataset, job and job.id)
        result = run_training(
            config, settings, job_id=job.id if job else None, report=reporter.report
        )
    except (InkwellError, OSError) as error:
        reporter.fail(f"{error}")
        raise
    reporter.finish(result)
    log.info("Published version %d of %r. %s", result["version"], config.model, result["reason"])
    return result


class Reporter:
    """Writes progress into the job's meta, at most twice a second. Redis may be away meanwhile."""

    def __init__(self, job: Job | None) -> None:
        self._job = job
        self._meta: dict[str, Any] = {"history": []}
        self._saved_at = 0.0

    def report(self, progress: dict[str, Any], line: dict[str, Any]) -> None:
        """Take up the progress after an epoch, and its line of history."""
        self._meta["progress"] = progress
        self._meta["history"].append(line)
        if time.monotonic() - self._saved_at >= SECONDS_BETWEEN_REPORTS:
            self.save()

    def finish(self, result: dict[str, Any]) -> None:
        """Take up the result. A Redis that is away is waited for: the version is there already."""
        self._meta["result"] = result
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.save() and time.monotonic() < deadline:
            time.sleep(SECONDS_BETWEEN_REPORTS)

    def fail(self, error: str) -> None:
        """Tell why the run failed."""
        self._meta["error"] = error
        self.save()

    def save(self) -> bool:
        """Write what is known; tell whether it went through.

        A run does not end because nobody can be told of it.
        """
        self._saved_at = time.monotonic()
        if self._job is None:
            return True
        self._job.meta.update(self._meta)
        try:
            self._job.save_meta()  # type: ignore[no-untyped-call]
        except RedisError as error:
            log.warning("Progress could not be reported: %s", error)
            return False
        return True
