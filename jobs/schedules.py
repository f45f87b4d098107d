"""Schedules: jobs that are posted by themselves, at the times of a cron expression."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from redis.exceptions import WatchError
from rq.cron import CronJob

from jobs.idempotency import Idempotency
from jobs.options import JobOptions
from jobs.queue import JobQueue
from jobs.records import digest
from jobs.rounds import for_each
from jobs.training_job import TRAIN_TASK
from nncore.config import TrainConfig
from nncore.errors import ConfigError, RegistryError
from nncore.manifest import now
from nncore.specs import wrong

MAX_SCHEDULES = 100
FIELDS = 5  # minute, hour, day, month, day of the week

Read = Callable[[Mapping[str, Any]], tuple[TrainConfig, JobOptions]]


@dataclass(frozen=True)
class Schedule:
    """A schedule's record: `job` as it is posted each time, and what became of it the last time."""

    name: str
    cron: str
    job: dict[str, Any]
    created_at: str
    next_at: str
    last_at: str | None = None
    last_job: str | None = None
    error: str | None = None


class Schedules:
    """The schedules of the queue called `name`. Each method raises RedisError without Redis."""

    def __init__(self, redis: Redis, name: str) -> None:
        self._redis = redis
        self._queue = JobQueue(redis, name)
        self._key = f"inkwell:{name}:schedules"

    def put(self, name: str, cron: str, job: dict[str, Any]) -> Schedule:
        """Keep a schedule, in the place of the one of that name.

        Raises
        ------
        ConfigError
            If `cron` is no cron expression, or there are too many schedules.
        """
        schedule = Schedule(name, cron, job, now(), next_time(cron))
        if (
            not self._redis.hexists(self._key, name)
            and self._redis.hlen(self._key) >= MAX_SCHEDULES
        ):
            raise wrong("", f"Expected at most {MAX_SCHEDULES} schedules; delete one first.")
        self._redis.hset(self._key, name, json.dumps(vars(schedule)))
        return schedule

    def get(self, name: str) -> Schedule | None:
        """Return the schedule, or None where there is none."""
        text: Any = self._redis.hget(self._key, name)
        return Schedule(**json.loads(text)) if text else None

    def all(self) -> list[Schedule]:
        """Return all schedules, by name."""
        told: Any = self._redis.hgetall(self._key)
        return [Schedule(**json.loads(told[name])) for name in sorted(told)]

    def delete(self, name: str) -> bool:
        """Remove a schedule; tell whether there was one."""
        return bool(self._redis.hdel(self._key, name))

    def tend(self, read: Read) -> None:
        """Post what is due. What was due while no worker ran is posted once.

        `read` returns what a job's body asks for; what it names is looked up at that time.
        """
        names: Any = self._redis.hkeys(self._key)
        for_each([name.decode() for name in names], lambda name: self._post_if_due(name, read))

    def _post_if_due(self, name: str, read: Read) -> None:
        schedule = self.get(name)
        if schedule is not None and schedule.next_at <= now():
            self._post(schedule, read)

    def _post(self, schedule: Schedule, read: Read) -> None:
        # Of two workers, or one that dies before it has noted it, the key lets one job through.
        body = digest(schedule.job)
        key = f"schedule {schedule.name} {schedule.next_at} {body}"
        told = replace(schedule, last_at=now(), last_job=None, error=None)
        try:
            config, options = read(schedule.job)
            posted = self._queue.enqueue(
                config,
                options,
                request_id=key,
                idempotency=Idempotency(key, body),
            )
            told = replace(told, last_job=posted.job.id)
        except (ConfigError, RegistryError) as error:
            told = replace(told, error=str(error))
        self._note(schedule, replace(told, next_at=next_time(schedule.cron)))

    def _note(self, before: Schedule, after: Schedule) -> None:
        with self._redis.pipeline() as pipeline:
            try:
                pipeline.watch(self._key)  # type: ignore[no-untyped-call]
                if self.get(before.name) == before:
                    pipeline.multi()
                    pipeline.hset(self._key, after.name, json.dumps(vars(after)))
                    pipeline.execute()
            except WatchError:
                return  # it is seen to the next time


def next_time(cron: str) -> str:
    """Return when, from now on, a cron expression is due next, in UTC. Raises ConfigError."""
    try:
        if len(cron.split()) != FIELDS:
            raise ValueError(f"expected {FIELDS} fields")
        due = CronJob("", func_name=TRAIN_TASK, cron=cron).next_enqueue_time
    except ValueError as error:
        rule = 'minute, hour, day, month, day of the week, such as "0 2 * * *"'
        raise wrong("/cron", f"Expected {rule}; got {cron[:80]!r}: {error}.") from None
    moment = due or datetime.now(UTC)
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
