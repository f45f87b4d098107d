"""A training job as the API shows it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from jobs.queue import JobQueue
from jobs.training_job import TrainingJob


def view_many(queue: JobQueue, jobs: Sequence[TrainingJob]) -> list[dict[str, Any]]:
    """Return jobs in short: without what each of their epochs brought."""
    positions = queue.positions(jobs)
    return [_view(job, position) for job, position in zip(jobs, positions, strict=True)]


def view(queue: JobQueue, job: TrainingJob) -> dict[str, Any]:
    """Return a job with its history and its story."""
    (short,) = view_many(queue, [job])
    history = [orjson.Fragment(line) for line in queue.history(job.id)]
    return short | {"history": history, "story": job.story}


def _view(job: TrainingJob, position: int | None) -> dict[str, Any]:
    return {
        "id": job.id,
        "status": job.status.value,
        "stopping": job.stop_requested,
        "position": position,
        "times": {
            "created_at": rfc3339(job.created_at),
            "enqueued_at": rfc3339(job.enqueued_at),
            "started_at": rfc3339(job.started_at),
            "ended_at": rfc3339(job.ended_at),
        },
        "config": job.config,
        "options": job.meta["options"],
        "sweep": job.meta.get("sweep"),
        "progress": job.progress,
        "result": job.outcome,
        "error": job.error,
    }


def rfc3339(moment: datetime | None) -> str | None:
    """Return a moment as the API writes it, in UTC; one without a zone is in UTC already."""
    if moment is None:
        return None
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return utc.isoformat().replace("+00:00", "Z")
