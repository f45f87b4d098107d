import threading
import time

import pytest
from rq import Queue, Worker
from rq.job import JobStatus

from jobs import executions as module
from jobs.executions import Executions
from jobs.records import WrongStateError
from tests.jobs.conftest import QUEUE
from tests.stack import wait_for

pytestmark = pytest.mark.integration


@pytest.fixture
def begin(executions, redis):
    """Take a job from the queue and begin it, as a worker does."""

    def begin(job, worker="w"):
        redis.lrem(f"rq:queue:{job.origin}", 1, job.id)
        return executions.begin(job.id, worker)

    return begin


@pytest.fixture
def lose(monkeypatch, redis):
    """Let what has begun be lost."""

    def lose(*tending):
        wait_for(lambda: redis.info("server")["uptime_in_seconds"] > 4, what="an older Redis")
        for several in tending:
            several.tend()
        time.sleep(2.1)  # RQ counts whole seconds
        monkeypatch.setattr(module, "HEARD_SECONDS", 4)

    monkeypatch.setattr(module, "HEARD_SECONDS", 1)
    return lose


@pytest.fixture
def worker(redis):
    return Worker([Queue(QUEUE, connection=redis)], connection=redis, serializer="json")


def test_a_job_is_begun_once(executions, post, begin):
    job = post()
    begin(job)

    with pytest.raises(WrongStateError, match="started"):
        executions.begin(job.id, "another")


def test_who_looks_after_a_job_is_told_what_is_wanted(executions, queue, post, begin, worker):
    job, execution = begin(post())

    before = executions.beat(job, execution, worker)
    queue.stop(job.id)
    after = executions.beat(job, execution, worker)
    executions.give_back(job, execution, "It was asked to stop.")
    at_last = executions.beat(job, execution, worker)

    assert (before.is_mine, before.stop) == (True, False)
    assert (after.is_mine, after.stop) == (True, True)
    assert not at_last.is_mine
    assert queue.get(job.id).status is JobStatus.STOPPED


def test_a_run_that_ended_well_is_finished_and_kept_for_a_while(
    executions, queue, redis, begin, post
):
    job, execution = begin(post())
    executions.report(job.id, {"epoch": 1}, [{"epoch": 1}])
    executions.finish(job, execution, {"version": 3})

    done = queue.get(job.id)
    assert (done.status, done.outcome, done.error) == (JobStatus.FINISHED, {"version": 3}, None)
    assert done.ended_at is not None
    assert redis.ttl(job.key) > 80 * 24 * 3600
    assert redis.ttl(f"inkwell:{QUEUE}:jobs:{job.id}:history") > 80 * 24 * 3600


def test_a_run_whose_report_could_not_be_drawn_is_finished_and_says_so(
    executions, queue, begin, post
):
    job, execution = begin(post())
    executions.finish(job, execution, {"version": 3, "report_error": "OSError: no room"})

    done = queue.get(job.id)
    assert done.status is JobStatus.FINISHED
    assert done.story[-1]["event"] == "Finished, without a report: OSError: no room"


def test_history_grows_by_what_is_new(executions, queue, begin, post):
    job, _ = begin(post())
    lines = [{"epoch": n} for n in (1, 2, 3)]

    executions.report(job.id, {"epoch": 2}, lines[:2])
    executions.report(job.id, {"epoch": 3}, lines)
    executions.report(job.id, {"epoch": 1}, lines[:1])  # a run that goes on from a checkpoint

    assert queue.history(job.id) == [b'{"epoch": 1}', b'{"epoch": 2}', b'{"epoch": 3}']
    assert queue.look(job.id, start=2) == (JobStatus.STARTED, [b'{"epoch": 3}'])
    assert queue.look("nope", start=0) == (None, [])


def test_a_run_that_made_way_goes_before_the_others(executions, queue, begin, post):
    job, waiting = post(), post()
    executions.give_back(*begin(job), "Its worker was stopped.")

    assert queue.get(job.id).status is JobStatus.QUEUED
    assert queue.positions([job, waiting]) == [1, 2]


def test_the_third_death_is_the_last(executions, queue, begin, post):
    job = post()
    for cause in ("Killed by SIGKILL", "Killed by SIGSEGV"):
        executions.mourn(*begin(job), cause)
        assert queue.get(job.id).status is JobStatus.QUEUED
    executions.mourn(*begin(job), "Killed by SIGKILL")

    failed = queue.get(job.id)
    assert failed.status is JobStatus.FAILED
    assert failed.error == (
        "The run died 3 times: Killed by SIGKILL before the end of its first epoch; "
        "Killed by SIGSEGV before the end of its first epoch; "
        "Killed by SIGKILL before the end of its first epoch."
    )

    queue.resume(job.id)
    executions.mourn(*begin(job), "Killed by SIGKILL")
    assert queue.get(job.id).status is JobStatus.QUEUED


def test_a_job_that_is_put_off_comes_back_when_it_is_due(executions, queue, begin, post):
    job = post()
    executions.put_off(*begin(job), "The disk is full.", [0, 3600])
    waiting = queue.get(job.id)
    executions.tend()

    assert waiting.status is JobStatus.SCHEDULED
    assert queue.get(job.id).status is JobStatus.QUEUED

    executions.put_off(*begin(job), "The disk is full.", [0, 3600])
    executions.tend()
    assert queue.get(job.id).status is JobStatus.SCHEDULED
    queue.stop(job.id)
    assert queue.get(job.id).status is JobStatus.CANCELED


def test_a_job_that_was_to_stop_is_not_put_off(executions, queue, begin, post):
    job, execution = begin(post())
    queue.stop(job.id)
    executions.put_off(job, execution, "The disk is full.", [60])

    stopped = queue.get(job.id)
    assert (stopped.status, stopped.stop_requested) == (JobStatus.STOPPED, False)
    assert stopped.story[-1]["event"] == "The disk is full. Stopped."


@pytest.mark.parametrize("how", ["give_back", "mourn"])
def test_a_job_that_may_have_its_version_goes_on_though_it_was_to_stop(
    executions, queue, begin, post, worker, how
):
    job, execution = begin(post())
    executions.note_publishing(job.id, True)
    queue.stop(job.id)

    orders = executions.beat(job, execution, worker)
    getattr(executions, how)(job, execution, "It made way.")

    assert (orders.stop, orders.publishing) == (True, True)
    back = queue.get(job.id)
    assert (back.status, back.stop_requested) == (JobStatus.QUEUED, False)


def test_a_job_that_has_to_train_again_can_be_stopped_again(executions, queue, begin, post):
    job, execution = begin(post())
    executions.note_publishing(job.id, True)
    executions.note_publishing(job.id, False)
    queue.stop(job.id)
    executions.give_back(job, execution, "It was asked to stop.")

    assert queue.get(job.id).status is JobStatus.STOPPED


@pytest.mark.parametrize("settle", ["finish", "fail"])
def test_a_job_that_ended_before_it_could_be_stopped_is_not_stopping(
    executions, queue, begin, post, settle
):
    job, execution = begin(post())
    queue.stop(job.id)
    getattr(executions, settle)(job, execution, {} if settle == "finish" else "It diverged.")

    assert not queue.get(job.id).stop_requested


def test_a_job_that_was_put_off_too_often_has_failed(executions, queue, begin, post):
    job = post()
    executions.put_off(*begin(job), "The disk is full.", [])

    failed = queue.get(job.id)
    assert (failed.status, failed.error) == (
        JobStatus.FAILED,
        "The disk is full. It was tried 1 times.",
    )


def test_a_job_whose_worker_is_not_heard_of_goes_on_elsewhere(executions, queue, begin, post, lose):
    job = post()
    mine = begin(job, "worker-1")
    lose(executions)
    executions.tend()

    found = queue.get(job.id)
    assert found.status is JobStatus.QUEUED
    assert "Worker worker-1 was lost" in found.story[-1]["event"]
    with pytest.raises(WrongStateError):
        executions.finish(*mine, {"version": 1})


def test_a_record_that_cannot_be_read_leaves_the_other_lost_jobs_going_on(
    executions, queue, redis, begin, post, lose
):
    jobs = [post() for _ in range(4)]
    for job in jobs:
        begin(job, "worker-1")
    for job in jobs[1:3]:
        redis.hset(job.key, "story", "{")
    lose(executions)
    executions.tend()

    assert {queue.get(jobs[n].id).status for n in (0, 3)} == {JobStatus.QUEUED}


def test_a_job_that_is_looked_after_is_not_lost(executions, queue, begin, post, worker):
    job, execution = begin(post())
    executions.beat(job, execution, worker)
    executions.tend()

    assert queue.get(job.id).status is JobStatus.STARTED


def test_no_job_is_lost_because_redis_was_away(executions, queue, begin, post, lose, monkeypatch):
    """Its worker could not be heard meanwhile, and has some time to show itself."""
    job, _ = begin(post())
    lose(executions)
    monkeypatch.setattr(module, "HEARD_SECONDS", 10**9)  # more than Redis has been up
    executions.tend()

    assert queue.get(job.id).status is JobStatus.STARTED


def test_no_job_is_lost_because_the_machine_slept(executions, queue, begin, post, lose):
    """Who did not look for a while does not know whether the others could show themselves."""
    job, _ = begin(post())
    lose()
    executions.tend()
    first = queue.get(job.id).status
    executions.tend()

    assert first is JobStatus.STARTED
    assert queue.get(job.id).status is JobStatus.QUEUED


def test_a_job_whose_worker_died_before_it_began_is_put_back(executions, queue, redis, post):
    job = post()
    redis.lpop(f"rq:queue:{QUEUE}")

    executions.tend()
    assert queue.positions([job]) == [None]  # it may be about to begin
    executions.tend()

    assert queue.positions([job]) == [1]
    executions.tend()
    executions.tend()
    assert redis.llen(f"rq:queue:{QUEUE}") == 1


def test_of_workers_that_tend_at_once_one_brings_a_job_on(redis, queue, begin, post, lose):
    job = post()
    begin(job)
    workers = [Executions(redis, QUEUE) for _ in range(8)]
    lose(*workers)
    tending = [threading.Thread(target=worker.tend, daemon=True) for worker in workers]
    for thread in tending:
        thread.start()
    for thread in tending:
        thread.join()

    assert redis.llen(f"rq:queue:{QUEUE}") == 1
    assert len(queue.get(job.id).deaths) == 1
