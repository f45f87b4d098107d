"""What becomes of a job, by what its process does. Real processes, real Redis, no training."""

import errno
import os
import signal
import time

import numpy as np
import pytest
from rq.job import JobStatus

from jobs.executions import Orders
from jobs.records import connect
from worker import attempt, horse
from worker.attempt import Attempt
from worker.checkpoints import InterruptedRunError, Interruption
from worker.datasets import DatasetError, UnreachableDatasetError
from worker.job_folder import JobFolder, SupersededError

pytestmark = pytest.mark.integration

GOES_ON = Orders(is_mine=True, stop=False)
RESULT = {"version": 7}


def returns():
    return RESULT


def makes_way():
    with Interruption() as interrupted:
        while not interrupted():
            time.sleep(0.01)
        raise InterruptedRunError


def trains_no_more():
    with Interruption():
        pass
    time.sleep(600)


def is_deaf():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


def dies():
    os.kill(os.getpid(), signal.SIGKILL)


def ends_itself():
    os._exit(3)


def raises(error):
    def task():
        raise error

    return task


@pytest.fixture
def attempt_at(executions, redis, tmp_path):
    """Begin a job and see it through with `task` in the place of a run."""

    def attempt_at(job, task, *, beat=lambda: GOES_ON, stopping=lambda: False):
        redis.lrem(f"rq:queue:{job.origin}", 1, job.id)
        begun, execution = executions.begin(job.id, "w")
        begun.perform = task
        folder = JobFolder(tmp_path, job.id, execution.id)
        folder.take()
        Attempt(executions, begun, execution, folder, beat=beat, stopping=stopping).see_through()
        return folder

    return attempt_at


def test_a_result_finishes_the_job_and_clears_its_folder(attempt_at, queue, post, tmp_path):
    job = post()
    attempt_at(job, returns)

    done = queue.get(job.id)
    assert (done.status, done.outcome) == (JobStatus.FINISHED, RESULT)
    assert os.listdir(tmp_path / "jobs") == []


@pytest.mark.parametrize(
    "error",
    [DatasetError("Bad data."), ValueError("A fault."), PermissionError(errno.EACCES, "Not yours")],
)
def test_what_will_not_pass_fails_the_job_at_once(attempt_at, queue, post, error):
    job = post()
    attempt_at(job, raises(error))

    failed = queue.get(job.id)
    assert (failed.status, failed.error) == (JobStatus.FAILED, str(error))


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        UnreachableDatasetError("No network."),
    ],
)
def test_what_may_pass_is_tried_again_ever_later(
    attempt_at, queue, post, executions, monkeypatch, error
):
    assert list(attempt.RETRY_SECONDS) == sorted(attempt.RETRY_SECONDS)
    monkeypatch.setattr(attempt, "RETRY_SECONDS", (0, 0))
    job = post()
    for _ in range(2):
        attempt_at(job, raises(error))
        waiting = queue.get(job.id)
        assert waiting.status is JobStatus.SCHEDULED
        assert waiting.story[-1]["event"] == f"{error} Tried again in 0 s."
        executions.tend()
    attempt_at(job, raises(error))

    failed = queue.get(job.id)
    assert failed.status is JobStatus.FAILED
    assert failed.error == f"{error} It was tried 3 times."


@pytest.mark.parametrize(
    ("task", "cause"), [(dies, "Killed by SIGKILL"), (ends_itself, "Ended with code 3")]
)
def test_a_process_that_is_gone_without_a_word_is_a_death(attempt_at, queue, post, task, cause):
    job = post()
    attempt_at(job, task)

    back = queue.get(job.id)
    assert (back.status, len(back.deaths)) == (JobStatus.QUEUED, 1)
    assert back.deaths[0].startswith(cause)


@pytest.mark.parametrize("task", [makes_way, is_deaf])
def test_a_job_that_is_to_stop_has_stopped_whether_its_process_listens_or_not(
    attempt_at, queue, post, task
):
    job = post()

    def beat():
        if not queue.get(job.id).stop_requested:
            queue.stop(job.id)
        return Orders(is_mine=True, stop=True)

    attempt_at(job, task, beat=beat)

    stopped = queue.get(job.id)
    assert (stopped.status, stopped.deaths) == (JobStatus.STOPPED, [])


def test_a_job_that_publishes_is_stopped_neither_by_an_order_nor_by_its_time(
    attempt_at, queue, post
):
    job = post(time_limit_seconds=1)

    def beat():
        if not queue.get(job.id).stop_requested:
            queue.stop(job.id)
        return Orders(is_mine=True, stop=True, publishing=True)

    attempt_at(job, lambda: time.sleep(2) or RESULT, beat=beat)

    done = queue.get(job.id)
    assert (done.status, done.outcome, done.stop_requested) == (JobStatus.FINISHED, RESULT, False)


@pytest.mark.parametrize("task", [makes_way, is_deaf])
def test_a_worker_that_is_to_stop_gives_the_job_back(attempt_at, queue, post, task):
    job = post()
    attempt_at(job, task, stopping=lambda: True)

    back = queue.get(job.id)
    assert (back.status, back.deaths) == (JobStatus.QUEUED, [])
    assert queue.positions([back]) == [1]


@pytest.mark.parametrize("task", [lambda: time.sleep(600), trains_no_more])
def test_a_process_that_does_not_train_ends_as_soon_as_it_is_told_to(
    attempt_at, queue, post, monkeypatch, task
):
    monkeypatch.setitem(attempt.SECONDS_TO_MAKE_WAY, attempt.SHUTDOWN, float("inf"))
    job = post()
    attempt_at(job, task, stopping=lambda: True)

    back = queue.get(job.id)
    assert (back.status, back.deaths) == (JobStatus.QUEUED, [])


def test_a_job_that_is_anothers_by_now_is_left_alone(attempt_at, queue, executions, post, redis):
    job = post()

    def taken_over():
        mine = queue.get(job.id)
        redis.hset(job.key, "execution_id", '"of-another"')
        return Orders(is_mine=mine.execution_id != "of-another", stop=False)

    attempt_at(job, is_deaf, beat=taken_over)
    attempt_at(post(), raises(SupersededError("Another has it.")))

    assert queue.get(job.id).status is JobStatus.STARTED
    assert queue.get(job.id).execution_id == "of-another"


def test_a_run_that_takes_too_long_fails_and_has_as_much_time_again_when_resumed(
    attempt_at, queue, post
):
    job = post(time_limit_seconds=1)
    attempt_at(job, makes_way)

    failed = queue.get(job.id)
    assert failed.status is JobStatus.FAILED
    assert failed.error.startswith("The run took longer than its limit of 1 s.")
    assert failed.seconds >= 1

    queue.resume(job.id)
    assert queue.get(job.id).seconds == 0
    attempt_at(job, returns)
    assert queue.get(job.id).status is JobStatus.FINISHED


def test_the_time_of_all_processes_together_is_limited(attempt_at, queue, post, redis):
    job = post(time_limit_seconds=100)
    redis.hset(job.key, "seconds", "99.9")

    attempt_at(job, makes_way)

    assert queue.get(job.id).status is JobStatus.FAILED


def test_a_run_that_needs_more_memory_than_it_may_have_fails(attempt_at, queue, post):
    job, modest = post(memory_limit_mb=50), post(memory_limit_mb=50)
    attempt_at(job, lambda: {"sum": int(np.ones(2**31, np.uint8).sum())})
    attempt_at(modest, lambda: {"sum": int(np.ones(2**20, np.uint8).sum())})

    failed = queue.get(job.id)
    assert failed.status is JobStatus.FAILED
    assert failed.error.startswith("The run needed more memory than it may have")
    assert queue.get(modest.id).status is JobStatus.FINISHED


def test_a_redis_that_is_away_is_waited_for(attempt_at, queue, post, server, redis):
    job = post()
    away = []

    def beat():
        if not away:
            away.append(True)
            server.kill("redis")
        return GOES_ON

    def task():
        time.sleep(1)
        return RESULT

    class Restart:
        """Brings Redis back when the worker has met its absence."""

        calls = 0

        def __call__(self):
            self.calls += 1
            if away and self.calls > 20 and server.processes["redis"].poll() is not None:
                server.start_redis()
            return False

    attempt_at(job, task, beat=beat, stopping=Restart())

    with connect(server.environ["INKWELL_REDIS_URL"]):
        assert queue.get(job.id).status is JobStatus.FINISHED


def test_a_task_apart_returns_what_it_found_or_says_what_is_wrong():
    assert horse.apart(returns) == RESULT
    with pytest.raises(OSError, match="the disk is away"):
        horse.apart(raises(OSError("the disk is away")))


@pytest.mark.parametrize("how", [{"seconds": 0.2}, {"seconds": 600, "stopping": lambda: True}])
def test_a_task_apart_that_the_store_holds_up_is_ended(how):
    with pytest.raises(OSError, match="Killed by SIGKILL"):
        horse.apart(is_deaf, **how)
