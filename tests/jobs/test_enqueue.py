import threading

import pytest

from jobs.idempotency import Idempotency, KeyReusedError
from jobs.options import JobOptions
from jobs.queue import JobQueue
from jobs.records import connect
from nncore.config import TrainConfig
from tests.jobs.conftest import QUEUE

pytestmark = pytest.mark.integration

FORCE = JobOptions(force=True)


def config(**changed):
    return TrainConfig.from_dict({"model": "digits", "dataset": "digits"} | changed)


@pytest.fixture
def enqueue(queue):
    def enqueue(options=None, *, key=None, body="body", **changed):
        return queue.enqueue(
            config(**changed),
            options or JobOptions(),
            request_id="r",
            idempotency=None if key is None else Idempotency(key, body),
        )

    return enqueue


def test_the_same_key_gets_the_same_job(enqueue):
    first = enqueue(FORCE, key="k")
    again = enqueue(FORCE, key="k")
    other = enqueue(FORCE, key="l")

    assert (first.is_new, again.is_new, other.is_new) == (True, False, True)
    assert again.job.id == first.job.id != other.job.id


def test_a_key_is_remembered_after_the_job_has_ended(enqueue, queue):
    first = enqueue(key="k")
    queue.stop(first.job.id)

    assert enqueue(key="k").job.id == first.job.id
    assert enqueue().job.id != first.job.id


def test_a_key_that_was_answered_with_an_equal_job_is_remembered_too(enqueue, queue):
    first = enqueue()
    assert enqueue(key="k").job.id == first.job.id
    queue.stop(first.job.id)

    assert enqueue(key="k").job.id == first.job.id
    with pytest.raises(KeyReusedError):
        enqueue(key="k", body="another", seed=1)


def test_a_key_with_another_body_is_refused(enqueue):
    enqueue(key="k", body="one")

    with pytest.raises(KeyReusedError):
        enqueue(key="k", body="two", seed=1)


def test_an_equal_job_that_waits_or_runs_is_not_queued_again(enqueue, executions):
    first = enqueue()
    waiting = enqueue()
    begun = executions.begin(first.job.id, "w")
    running = enqueue()
    executions.finish(*begun, {"version": 1})
    after = enqueue()

    assert [posted.is_new for posted in (waiting, running, after)] == [False, False, True]
    assert {posted.job.id for posted in (waiting, running)} == {first.job.id}


def test_an_equal_job_is_queued_again_where_that_is_forced(enqueue):
    assert enqueue().job.id != enqueue(FORCE).job.id


def test_a_job_that_differs_in_anything_is_another(enqueue):
    assert enqueue().job.id != enqueue(seed=1).job.id


def test_a_job_that_is_about_to_stop_is_not_handed_out(enqueue, executions, queue):
    first = enqueue()
    executions.begin(first.job.id, "w")
    queue.stop(first.job.id)

    assert enqueue().is_new


@pytest.mark.parametrize("key", [None, "k"])
def test_of_many_equal_requests_at_once_one_is_queued(server, redis, key):
    posted, several = [], 12
    together = threading.Barrier(several)

    def post():
        with connect(server.environ["INKWELL_REDIS_URL"]) as own:
            together.wait(60)
            idempotency = None if key is None else Idempotency(key, "body")
            queue = JobQueue(own, QUEUE)
            posted.append(queue.enqueue(config(), request_id="r", idempotency=idempotency))

    threads = [threading.Thread(target=post) for _ in range(several)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(posted) == several
    assert len({each.job.id for each in posted}) == 1
    assert sum(each.is_new for each in posted) == 1
    assert redis.llen(f"rq:queue:{QUEUE}") == 1


def test_the_speed_of_a_run_that_ended_well_is_known_for_the_next(enqueue, executions, queue):
    posted = enqueue()
    before = queue.speed(config())
    begun = executions.begin(posted.job.id, "w")
    executions.report(posted.job.id, {"samples_per_second": 1234.5}, [])
    executions.finish(*begun, {"version": 1})

    assert before is None
    assert queue.speed(config(epochs=99, seed=7)) == 1234.5
    assert queue.speed(config(batch_size=10)) is None
