"""The system as a whole: queue, workers, what each process answers with and how much."""

import logging
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response
from redis.exceptions import RedisError

from service.answers import answer
from service.context import job_queue, predictor
from service.job_view import rfc3339
from service.statistics import Line

log = logging.getLogger(__name__)

bp = Blueprint("system", __name__, url_prefix="/api/v1/system")


@bp.get("")
def show_system() -> Response:
    statistics = predictor().statistics
    return answer(
        {
            **_queue(),
            "processes": [_process(lines) for lines in statistics.by_process()],
            "answered": [_answered(line) for line in statistics.lines()],
        }
    )


def _queue() -> dict[str, Any]:
    """Return how busy queue and workers are; null where Redis cannot be reached."""
    try:
        load = job_queue().load()
    except RedisError as error:
        log.warning("The queue cannot be reached: %s", error)
        return {"waiting": None, "workers": None}
    return {
        "waiting": load.waiting,
        "workers": [
            worker._asdict()
            | {"born_at": rfc3339(worker.born_at), "seen_at": rfc3339(worker.seen_at)}
            for worker in load.workers
        ],
    }


def _process(lines: list[Line]) -> dict[str, Any]:
    """Return which version of each model a process last answered with."""
    by_time = sorted(lines, key=lambda line: line.last_ms)
    serves = {line.model: line.version for line in by_time}
    return {
        "serves": [{"model": model, "version": version} for model, version in serves.items()],
        "last_at": rfc3339(datetime.fromtimestamp(by_time[-1].last_ms / 1000, UTC)),
    }


def _answered(line: Line) -> dict[str, Any]:
    """Return what a version answered since the service was started."""
    counts = line.counts
    return {
        "model": line.model,
        "version": line.version,
        "requests": counts.successes,
        "failures": counts.failures,
        "rows": counts.rows,
        "seconds": counts.success_ns / 1e9,
    }
