"""How busy the queues and the workers are."""

from datetime import datetime
from typing import NamedTuple

from rq import Worker

from jobs.options import PRIORITIES
from jobs.records import SERIALIZER, JobRecords
from jobs.training_job import TrainingJob


class WorkerState(NamedTuple):
    """A worker: since when it runs, when it last showed itself, the job that it has in hand."""

    name: str
    born_at: datetime | None
    seen_at: datetime | None
    job_id: str | None


class Load(NamedTuple):
    """How many jobs wait in each queue, by priority; and the workers, by name."""

    waiting: dict[str, int]
    workers: list[WorkerState]


def load_of(records: JobRecords) -> Load:
    """Return how busy all are now. Raises RedisError."""
    waiting = {name: queue.count for name, queue in zip(PRIORITIES, records.queues, strict=True)}
    workers = Worker.all(
        connection=records.redis,
        job_class=TrainingJob,
        queue=records.queues[0],
        serializer=SERIALIZER,
    )
    states = [
        WorkerState(w.name, w.birth_date, w.last_heartbeat, w.get_current_job_id()) for w in workers
    ]
    return Load(waiting, sorted(states))
