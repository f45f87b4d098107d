import pytest
from rq import Queue
from rq.job import JobStatus

from jobs.queue import JobQueue
from jobs.records import WrongStateError, queue_names
from jobs.training_job import RefusedJobError, TrainingJob
from tests.jobs.conftest import QUEUE

pytestmark = pytest.mark.integration


def page(queue, *, status=None, model=None, limit=100, cursor=None):
    return queue.page(limit=limit, cursor=cursor, status=status, model=model)


def ids(jobs):
    return [job.id for job in jobs]


def test_a_posted_job_waits_in_the_queue(queue, post):
    first, second = post(), post()

    assert [job.status for job in (first, second)] == [JobStatus.QUEUED] * 2
    assert queue.positions([first, second]) == [1, 2]
    assert queue.get(first.id).config["model"] == "digits"
    assert [entry["event"] for entry in queue.get(first.id).story] == ["Enqueued."]


def test_urgent_jobs_are_served_before_others(queue, post):
    low, normal, high = (post(priority=name) for name in ("low", "normal", "high"))

    assert queue.positions([low, normal, high]) == [3, 2, 1]


@pytest.mark.parametrize("job_id", ["nope", "a:b", "\0", "x" * 3000, ""])
def test_a_job_that_is_not_there_is_none(queue, job_id):
    assert queue.get(job_id) is None


def test_jobs_of_others_are_not_told_of(queue, redis, post):
    theirs = Queue(QUEUE, connection=redis, serializer="json").enqueue("os.getcwd")
    pickled = Queue(QUEUE, connection=redis).enqueue("os.getcwd")

    assert queue.get(theirs.id) is None
    assert queue.get(pickled.id) is None
    assert page(queue).jobs == []


def test_only_our_own_task_is_ever_imported(redis, post):
    theirs = Queue(QUEUE, connection=redis, serializer="json").enqueue("os.getcwd")
    fetched = TrainingJob.fetch(theirs.id, connection=redis, serializer="json")

    with pytest.raises(RefusedJobError, match="another job"):
        _ = fetched.func


def test_a_page_is_narrowed_by_status_model_and_both(queue, executions, post):
    waiting, started, canceled = post(), post(), post()
    other = post(model="other")
    executions.begin(started.id, "w")
    queue.stop(canceled.id)

    assert ids(page(queue).jobs) == ids([other, canceled, started, waiting])
    assert ids(page(queue, model="digits").jobs) == ids([canceled, started, waiting])
    assert ids(page(queue, status=JobStatus.QUEUED).jobs) == ids([other, waiting])
    assert ids(page(queue, status=JobStatus.QUEUED, model="digits").jobs) == ids([waiting])
    assert ids(page(queue, status=JobStatus.STARTED).jobs) == ids([started])
    assert ids(page(queue, status=JobStatus.CANCELED, model="digits").jobs) == ids([canceled])
    assert page(queue, status=JobStatus.FAILED).jobs == []


def test_pages_follow_each_other_without_a_gap(queue, post):
    posted = ids([post() for _ in range(7)])

    seen, cursor = [], None
    while True:
        found = page(queue, limit=3, cursor=cursor)
        seen += ids(found.jobs)
        cursor = found.next_cursor
        if cursor is None:
            break

    assert seen == posted[::-1]


def test_jobs_that_redis_has_dropped_leave_no_gap_in_a_page(queue, redis, post):
    posted = [post() for _ in range(6)]
    for job in posted[2:5]:
        redis.delete(job.key)

    found = page(queue, limit=3)

    assert ids(found.jobs) == ids([posted[5], posted[1], posted[0]])
    assert found.next_cursor is None


def test_a_waiting_job_is_canceled_and_no_longer_served(queue, executions, post):
    job = post()
    queue.stop(job.id)

    assert queue.get(job.id).status is JobStatus.CANCELED
    assert queue.positions([job]) == [None]
    with pytest.raises(WrongStateError, match="canceled"):
        executions.begin(job.id, "w")
    with pytest.raises(WrongStateError):
        queue.stop(job.id)


def test_a_canceled_job_can_be_resumed(queue, redis, post):
    job = post()
    queue.stop(job.id)
    assert redis.ttl(job.key) > 0

    queue.resume(job.id)

    assert queue.get(job.id).status is JobStatus.QUEUED
    assert queue.positions([job]) == [1]
    assert redis.ttl(job.key) == -1


@pytest.mark.parametrize("status", ["queued", "started", "finished"])
def test_a_job_that_has_not_broken_off_cannot_be_resumed(queue, executions, post, status):
    job = post()
    if status != "queued":
        begun = executions.begin(job.id, "w")
    if status == "finished":
        executions.finish(*begun, {"version": 1})

    with pytest.raises(WrongStateError, match=status):
        queue.resume(job.id)


def test_two_queues_in_one_redis_know_nothing_of_each_other(queue, redis, post):
    job = post()

    assert page(JobQueue(redis, "other")).jobs == []
    assert ids(page(queue).jobs) == [job.id]


def test_there_is_a_queue_for_each_priority_and_the_urgent_one_is_first():
    assert queue_names("training") == ["training-high", "training", "training-low"]
