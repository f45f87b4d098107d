"""How busy the queues and the workers are."""

from datetime import UTC, datetime
from typing import NamedTuple

from rq import Queue, Worker
from rq.job import JobStatus

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


class Overview(NamedTuple):
    """All that is measured of jobs.

    ``ages`` is for how many seconds the next job of each queue has waited, 0 where none does;
    ``states`` how many jobs are listed under each status; ``running`` those that are started.
    """

    load: Load
    ages: dict[str, float]
    states: dict[JobStatus, int]
    running: list[TrainingJob]


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


def overview_of(records: JobRecords) -> Overview:
    """Return how all stand now. Raises RedisError."""
    queues = zip(PRIORITIES, records.queues, strict=True)
    running = records.get_many(records.index.all_of(JobStatus.STARTED))
    ages = {name: _age(queue, records) for name, queue in queues}
    return Overview(load_of(records), ages, records.index.counts(), running)


def _age(queue: Queue, records: JobRecords) -> float:
    first = records.get_many(queue.get_job_ids(0, 1))
    enqueued_at = first[0].enqueued_at if first else None
    return (datetime.now(UTC) - enqueued_at).total_seconds() if enqueued_at else 0.0
