"""Sweeps: training jobs that differ in some keys, their trials, and the best of them.

A sweep needs no process of its own. Its record says how far it is, and every worker that looks
around brings it on: whichever does, and whatever dies in between, each step happens once.
"""

import json
import secrets
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import WatchError
from rq.exceptions import NoSuchJobError
from rq.job import JobStatus

from jobs.idempotency import Answered, Idempotency
from jobs.options import JobOptions, split_job
from jobs.queue import JobQueue
from jobs.records import KEPT_SECONDS, JobRecords, WrongStateError
from jobs.rounds import for_each
from jobs.sweep_request import HIGHER_IS_BETTER, SweepRequest, with_parameters
from jobs.training_job import ENDED, UNFINISHED, TrainingJob
from nncore.config import TrainConfig
from nncore.errors import ConfigError
from nncore.manifest import now
from nncore.specs import from_json, to_json

WAITING, RUNNING, PUBLISHING, STOPPING = "waiting", "running", "publishing", "stopping"
FINISHED, FAILED, STOPPED = "finished", "failed", "stopped"
LEAST_EPOCHS = 3  # of a trial before it may be called hopeless
LEAST_OTHERS = 3  # trials that it is compared with

Plan = Callable[[SweepRequest], list[dict[str, Any]]]


@dataclass(frozen=True)
class Sweep:
    """A sweep's record.

    ``trials`` has, for each, its ``parameters`` and its ``job``, or the ``error`` that kept it from
    becoming one; once all have ended also what those ``reached`` that ended well. ``best`` is then
    the job of the best.
    """

    id: str
    request: SweepRequest
    status: str
    created_at: str
    sequence: int
    trials: list[dict[str, Any]] = field(default_factory=list)
    best: str | None = None
    error: str | None = None
    ended_at: str | None = None

    @property
    def job_ids(self) -> list[str]:
        """The jobs of its trials."""
        return [trial["job"] for trial in self.trials if "job" in trial]

    @classmethod
    def from_json(cls, text: bytes) -> "Sweep":
        """Return what `to_json` wrote."""
        values = json.loads(text)
        return cls(**{**values, "request": from_json(SweepRequest, values["request"])})

    def to_json(self) -> str:
        """Return the record as JSON."""
        return json.dumps(vars(self) | {"request": to_json(self.request)})


class Posted(NamedTuple):
    """A sweep, and whether it was begun just now."""

    sweep: Sweep
    is_new: bool


class Sweeps:
    """The sweeps of the queue called `name`. Each method raises RedisError without Redis."""

    def __init__(self, redis: Redis, name: str) -> None:
        self._redis = redis
        self._records = JobRecords(redis, name)
        self._queue = JobQueue(redis, name)
        self._prefix = f"inkwell:{name}:sweeps"
        self._answered = Answered(redis, self._prefix)

    def post(self, request: SweepRequest, idempotency: Idempotency | None = None) -> Posted:
        """Begin a sweep, unless a request with the same key did. A worker makes its trials.

        Raises
        ------
        KeyReusedError
            If the request that came with the same key before was another.
        """
        with self._redis.pipeline() as pipeline:
            while True:
                try:
                    if idempotency is not None:
                        pipeline.watch(self._answered.place(idempotency))  # type: ignore[no-untyped-call]
                        made = self._answered.earlier(idempotency)
                        if made and (earlier := self.get(made)):
                            return Posted(earlier, is_new=False)
                    sequence = int(self._redis.incr(f"{self._prefix}:sequence"))
                    sweep = Sweep(secrets.token_hex(8), request, WAITING, now(), sequence)
                    pipeline.multi()
                    self._write(sweep, pipeline)
                    pipeline.zadd(self._index, {sweep.id: sequence})
                    if idempotency is not None:
                        self._answered.remember(idempotency, sweep.id, pipeline)
                    pipeline.execute()
                except WatchError:
                    continue  # an equal request was quicker
                else:
                    return Posted(sweep, is_new=True)

    def get(self, sweep_id: str) -> Sweep | None:
        """Return the sweep, or None where there is none."""
        text: Any = self._redis.get(self._key(sweep_id))
        return Sweep.from_json(text) if text else None

    def page(self, *, limit: int, cursor: int | None) -> tuple[list[Sweep], int | None]:
        """Return up to `limit` sweeps before `cursor`, newest first, and where the next begin."""
        newest = "+inf" if cursor is None else f"({cursor}"
        ids: Any = self._redis.zrevrangebyscore(self._index, newest, "-inf", start=0, num=limit + 1)
        found = [sweep for sweep_id in ids if (sweep := self.get(sweep_id.decode()))]
        more = len(found) > limit
        return found[:limit], found[limit - 1].sequence if more else None

    def trials(self, sweep: Sweep) -> list[TrainingJob | None]:
        """Return the job of each trial, None where there is none."""
        there = {job.id: job for job in self._records.get_many(sweep.job_ids)}
        return [there.get(trial.get("job", "")) for trial in sweep.trials]

    def histories(self, sweep: Sweep) -> list[list[dict[str, Any]]]:
        """Return what the epochs of each trial brought."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for trial in sweep.trials:
                pipeline.lrange(self._records.history_key(trial.get("job", "")), 0, -1)
            return [[json.loads(line) for line in lines] for lines in pipeline.execute()]

    def stop(self, sweep_id: str) -> Sweep | None:
        """Stop all of its trials; return the sweep as it then is, None where it has ended."""

        def stop(sweep: Sweep, pipeline: Pipeline) -> Sweep:
            return replace(sweep, status=STOPPING)

        stopped = self._move(sweep_id, (WAITING, RUNNING, PUBLISHING, STOPPING), stop)
        if stopped is not None:
            self._stop_trials(stopped, self.trials(stopped), "Its sweep was stopped.")
        return stopped

    def tend(self, plan: Plan, forget: Callable[[str], None]) -> None:
        """Bring on every sweep that has not ended.

        Parameters
        ----------
        plan : callable
            Returns the parameters of each trial.
        forget : callable
            Takes a job of which nothing needs to be kept any more.
        """
        open_ids: Any = self._redis.smembers(self._open)
        ids = [sweep_id.decode() for sweep_id in open_ids]
        for_each(ids, lambda sweep_id: self._bring_on(sweep_id, plan, forget))

    def _bring_on(self, sweep_id: str, plan: Plan, forget: Callable[[str], None]) -> None:
        sweep = self.get(sweep_id)
        if sweep is None:
            return
        if sweep.status == WAITING:
            parameters = plan(sweep.request)
            self._move(sweep.id, (WAITING,), lambda s, p: self._begin(s, parameters, p))
            return
        jobs = self.trials(sweep)
        if any(job is not None and job.status in UNFINISHED for job in jobs):
            if sweep.status == STOPPING:
                self._stop_trials(sweep, jobs, "Its sweep was stopped.")
            elif sweep.request.stop_hopeless:
                self._stop_hopeless(sweep, jobs)
            return
        ended = self._decide(sweep, [job for job in jobs if job is not None])
        if ended.status in (FINISHED, FAILED, STOPPED):
            for job_id in sweep.job_ids:
                forget(job_id)
        if ended is not sweep:
            self._move(sweep.id, (sweep.status,), lambda s, p: ended)

    def _begin(self, sweep: Sweep, parameters: list[dict[str, Any]], pipeline: Pipeline) -> Sweep:
        """Put a job for each trial into the queue."""
        config, options_part = split_job(sweep.request.base)
        options: JobOptions = from_json(JobOptions, options_part)
        trials = []
        for chosen in parameters:
            try:
                trial = TrainConfig.from_dict(with_parameters(config, chosen))
            except ConfigError as error:
                trials.append({"parameters": chosen, "error": str(error)})
                continue
            job = self._records.create(trial, options, request_id=None, sweep=sweep.id)
            self._records.put(job, pipeline, publishes=False)
            trials.append({"parameters": chosen, "job": job.id})
        return replace(sweep, status=RUNNING, trials=trials)

    def _decide(self, sweep: Sweep, jobs: list[TrainingJob]) -> Sweep:
        """Return how a sweep goes on none of whose trials waits or runs."""
        ended = replace(sweep, ended_at=now())
        if sweep.status == STOPPING:
            return replace(ended, status=STOPPED)
        if sweep.status == PUBLISHING:
            return self._publish(sweep, next(job for job in jobs if job.id == sweep.best))
        reached = {job.id: job.outcome for job in jobs if job.status is JobStatus.FINISHED}
        if not reached:
            return replace(ended, status=FAILED, error="None of the trials ended well.")
        best = max(reached, key=lambda job_id: score(sweep.request.metric, reached[job_id] or {}))
        trials = [trial | {"reached": reached.get(trial.get("job", ""))} for trial in sweep.trials]
        if sweep.request.publish:
            return replace(sweep, status=PUBLISHING, best=best, trials=trials)
        return replace(ended, status=FINISHED, best=best, trials=trials)

    def _publish(self, sweep: Sweep, best: TrainingJob) -> Sweep:
        """Queue the best trial once more, so that it publishes; see whether it has."""
        if not best.publishes:

            def publish(job: TrainingJob, pipeline: Pipeline) -> None:
                self._records.revive(job, pipeline)
                told = "The best of its sweep: back in the queue, to become a version."
                job.tell(pipeline, told, publishes=True)

            self._quietly(self._records.move, best.id, (JobStatus.FINISHED,), publish)
            return sweep
        ended = replace(sweep, ended_at=now())
        if best.status is JobStatus.FINISHED:
            return replace(ended, status=FINISHED)
        error = f"The best trial could not be published: {best.error or best.status.value}"
        return replace(ended, status=FAILED, error=error)

    def _stop_hopeless(self, sweep: Sweep, jobs: list[TrainingJob | None]) -> None:
        metric = sweep.request.metric
        curves = [[score(metric, line) for line in lines] for lines in self.histories(sweep)]
        for i, job in enumerate(jobs):
            others = curves[:i] + curves[i + 1 :]
            runs = job is not None and job.status is JobStatus.STARTED and not job.stop_requested
            if job is not None and runs and is_hopeless(curves[i], others):
                told = "Stopped as hopeless: worse than half of the other trials by then."
                self._quietly(self._queue.stop, job.id, told)

    def _stop_trials(self, sweep: Sweep, jobs: Iterable[TrainingJob | None], why: str) -> None:
        for job in jobs:
            if job is not None and job.status not in ENDED and not job.stop_requested:
                self._quietly(self._queue.stop, job.id, why)

    def _quietly(self, move: Callable[..., object], *arguments: Any) -> None:
        # Another worker was first, or the job has just ended.
        try:
            move(*arguments)
        except (WrongStateError, NoSuchJobError):
            return

    def _move(
        self, sweep_id: str, among: tuple[str, ...], change: Callable[[Sweep, Pipeline], Sweep]
    ) -> Sweep | None:
        """Let `change` bring a sweep on whose status is `among` those; None where it is not.

        All of it is one transaction: of two workers that do the same one is too late.
        """
        with self._redis.pipeline() as pipeline:
            while True:
                try:
                    pipeline.watch(self._key(sweep_id))  # type: ignore[no-untyped-call]
                    sweep = self.get(sweep_id)
                    if sweep is None or sweep.status not in among:
                        return None
                    pipeline.multi()
                    changed = change(sweep, pipeline)
                    self._write(changed, pipeline)
                    pipeline.execute()
                except WatchError:
                    continue
                else:
                    return changed

    def _write(self, sweep: Sweep, pipeline: Pipeline) -> None:
        ended = sweep.ended_at is not None
        pipeline.set(self._key(sweep.id), sweep.to_json(), ex=KEPT_SECONDS if ended else None)
        (pipeline.srem if ended else pipeline.sadd)(self._open, sweep.id)

    @property
    def _index(self) -> str:
        return f"{self._prefix}:all"

    @property
    def _open(self) -> str:
        return f"{self._prefix}:open"

    def _key(self, sweep_id: str) -> str:
        return f"{self._prefix}:sweep:{sweep_id}"


def score(metric: str, reached: dict[str, Any]) -> float:
    """Return what a trial reached as a number that is the higher the better."""
    value = reached.get(metric)
    if value is None:
        return float("-inf")
    return float(value if HIGHER_IS_BETTER[metric] else -value)


def is_hopeless(curve: list[float], others: list[list[float]]) -> bool:
    """Tell whether the best of a trial so far is below the median of the others' averages.

    Each is averaged up to the same epoch. Source: Golovin et al. 2017, "Google Vizier", the median
    stopping rule.
    """
    epochs = len(curve)
    if epochs < LEAST_EPOCHS:
        return False
    averages = [statistics.fmean(other[:epochs]) for other in others if len(other) >= epochs]
    return len(averages) >= LEAST_OTHERS and max(curve) < statistics.median(averages)
