"""One attempt at a job: a process is started for it, watched over, and its outcome settled.

The process alone trains; the worker alone says what becomes of the job. So nothing hangs on how
the process ends, and a run can be ended at any moment: its checkpoint is in the store.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from redis.exceptions import RedisError
from rq.exceptions import NoSuchJobError
from rq.executions import Execution

from jobs.executions import Executions, Orders
from jobs.records import WrongStateError
from jobs.training_job import TrainingJob
from worker import outcomes
from worker.horse import Horse, apart
from worker.job_folder import StoredJob

log = logging.getLogger(__name__)

TICK_SECONDS = 0.1
SECONDS_BETWEEN_BEATS = 0.5
RETRY_SECONDS = (5, 30, 120, 600, 3600)

# Why a run is to make way, and how many seconds it has for that before it is killed.
STOP = "It was asked to stop."
SHUTDOWN = "Its worker was stopped."
TIME = "Its time is over."
SECONDS_TO_MAKE_WAY = {STOP: 1.0, SHUTDOWN: 3.0, TIME: 3.0}
SECONDS_TO_SETTLE = 1.0  # where Redis is away and the worker is to stop


class Attempt:
    """An attempt at `job`, which `execution` has begun.

    Parameters
    ----------
    executions : Executions
    job : TrainingJob
    execution : Execution
    folder : StoredJob
    beat : callable
        Shows that the job is looked after; returns what is wanted of it. May raise RedisError.
    stopping : callable
        Tells whether the worker is to stop.
    """

    def __init__(
        self,
        executions: Executions,
        job: TrainingJob,
        execution: Execution,
        folder: StoredJob,
        *,
        beat: Callable[[], Orders],
        stopping: Callable[[], bool],
    ) -> None:
        self._executions = executions
        self._job = job
        self._execution = execution
        self._folder = folder
        self._beat = beat
        self._stopping = stopping
        self._horse = Horse(job.perform, memory_limit_mb=job.options.memory_limit_mb)
        self._time_limit = job.options.time_limit_seconds
        self._publishing = job.publishing  # the process will tell
        self._time_is_over_at = time.monotonic() + self._time_limit - job.seconds
        self._reason: str | None = None
        self._deadline = float("inf")
        self._beat_at = 0.0

    def see_through(self) -> dict[str, Any]:
        """Watch over the process until it is gone; settle what came of it, and return that."""
        while not self._horse.wait(TICK_SECONDS):
            self._look_after()
        outcome, death = self._horse.bury()
        outcome = outcome or {"kind": outcomes.DIED, "error": death}
        self._settle(outcome)
        return outcome

    def _look_after(self) -> None:
        now = time.monotonic()
        if self._stopping():
            self._make_way(SHUTDOWN)
        if now >= self._time_is_over_at and not self._publishing:
            self._make_way(TIME)
        if now >= self._beat_at:
            self._obey()
            self._beat_at = now + SECONDS_BETWEEN_BEATS
        if now >= self._deadline:
            self._horse.kill()

    def _obey(self) -> None:
        try:
            orders = self._beat()
        except RedisError as error:
            log.warning("Redis cannot be reached; the run goes on: %s", error)
            return
        if not orders.is_mine:
            log.warning("Job %s was taken over by another worker.", self._job.id)
            self._horse.kill()
            return
        self._publishing = orders.publishing
        if self._publishing and self._reason in (STOP, TIME):  # that came too late
            self._reason, self._deadline = None, float("inf")
        elif orders.stop and not self._publishing:
            self._make_way(STOP)

    def _make_way(self, reason: str) -> None:
        if self._reason is None:
            self._reason = reason
            self._deadline = time.monotonic() + SECONDS_TO_MAKE_WAY[reason]
            self._horse.ask_to_make_way()

    def _settle(self, outcome: dict[str, Any]) -> None:
        """Write down what became of the job. Redis is waited for, unless the worker is to stop.

        A job that is not settled counts as lost after a while, and is taken up again.
        """
        deadline = float("inf")
        while time.monotonic() < deadline:
            try:
                self._write_down(outcome)
                return
            except (WrongStateError, NoSuchJobError) as error:
                log.warning("Job %s is no longer this worker's: %s", self._job.id, error)
                return
            except RedisError as error:
                log.warning("Job %s cannot be settled now: %s", self._job.id, error)
            if self._stopping():
                deadline = min(deadline, time.monotonic() + SECONDS_TO_SETTLE)
            time.sleep(SECONDS_BETWEEN_BEATS)

    def _write_down(self, outcome: dict[str, Any]) -> None:
        mine = self._job, self._execution
        kind, error = outcome["kind"], outcome.get("error", "")
        if kind == outcomes.FINISHED:
            self._executions.finish(*mine, outcome["result"])
            if self._job.publishes:  # else it may have to, later
                with suppress(OSError):  # what is left harms nobody
                    apart(self._folder.remove)
        elif kind == outcomes.FAILED:
            self._executions.fail(*mine, error)
        elif kind == outcomes.PUT_OFF:
            self._executions.put_off(*mine, error, RETRY_SECONDS)
        elif self._reason == TIME:
            limit = f"{self._time_limit:,} s"
            error = f"The run took longer than its limit of {limit}. Resumed, it has as much again."
            self._executions.fail(*mine, error)
        elif kind == outcomes.INTERRUPTED or (kind == outcomes.DIED and self._reason):
            # Killed because it took too long to make way is making way, too.
            self._executions.give_back(*mine, self._reason or "Its process was told to end.")
        elif kind == outcomes.DIED:
            self._executions.mourn(*mine, error)
