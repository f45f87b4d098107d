"""Jobs that are posted by themselves. The clock is the schedule's record, which is set back."""

import json

import pytest

from jobs.options import read_job
from jobs.schedules import Schedules, next_time
from nncore.errors import ConfigError
from nncore.manifest import now
from nncore.registry import Registry
from tests.conftest import publish

pytestmark = pytest.mark.integration

KEY = "inkwell:training:schedules"
JOB = {"model": "digits", "dataset": "digits", "epochs": 1}


@pytest.fixture
def schedules(redis):
    return Schedules(redis, "training")


@pytest.fixture
def tend(schedules, tmp_path):
    return lambda: schedules.tend(lambda job: read_job(job, tmp_path))


@pytest.fixture
def due(redis):
    """Let a schedule have been due long ago."""

    def due(name, at="2026-01-01T02:00:00.000000Z"):
        record = json.loads(redis.hget(KEY, name))
        redis.hset(KEY, name, json.dumps(record | {"next_at": at}))

    return due


@pytest.fixture
def jobs(queue):
    return lambda: queue.page(limit=50, cursor=None, status=None, model=None).jobs


@pytest.mark.parametrize(
    "cron", ["", "0 2 * *", "* * * * * *", "61 2 * * *", "nightly", "0 0 30 2 *", "@daily"]
)
def test_what_is_no_cron_expression_is_told(schedules, cron):
    with pytest.raises(ConfigError, match="/cron: Expected minute, hour"):
        schedules.put("nightly", cron, JOB)

    assert schedules.all() == []


def test_the_next_time_is_in_the_future_and_at_the_minute():
    assert now() < next_time("*/5 * * * *")
    assert next_time("*/5 * * * *").endswith(":00.000000Z")


def test_nothing_is_posted_before_its_time(schedules, tend, jobs):
    schedules.put("nightly", "0 2 1 1 *", JOB)
    tend()

    assert jobs() == []
    assert schedules.get("nightly").last_at is None


def test_what_is_due_is_posted_once_whatever_was_missed(schedules, tend, due, jobs):
    schedules.put("nightly", "0 2 * * *", JOB)
    due("nightly")
    tend()
    tend()

    (job,) = jobs()
    told = schedules.get("nightly")
    assert (told.last_job, told.error) == (job.id, None)
    assert told.last_at < told.next_at
    assert job.config["epochs"] == 1


def test_a_worker_that_dies_before_it_notes_the_job_lets_no_second_be_posted(
    schedules, tend, due, jobs, executions, redis
):
    schedules.put("nightly", "0 2 * * *", JOB)
    due("nightly")
    tend()
    (job,) = jobs()
    redis.lrem("rq:queue:training", 1, job.id)
    executions.finish(*executions.begin(job.id, "w"), {"version": 1})
    due("nightly")  # as if it had not been noted
    tend()

    assert [posted.id for posted in jobs()] == [job.id]
    assert schedules.get("nightly").last_job == job.id


def test_the_next_night_is_another_job_unless_the_last_still_waits(
    schedules, tend, due, jobs, executions, redis
):
    schedules.put("nightly", "0 2 * * *", JOB)
    for night in ("2026-01-01T02:00:00.000000Z", "2026-01-02T02:00:00.000000Z"):
        due("nightly", night)
        tend()
    (job,) = jobs()
    redis.lrem("rq:queue:training", 1, job.id)
    executions.finish(*executions.begin(job.id, "w"), {"version": 1})
    due("nightly", "2026-01-03T02:00:00.000000Z")
    tend()

    assert len(jobs()) == 2


def test_what_the_job_names_is_looked_up_at_that_time(schedules, tend, due, jobs, tmp_path):
    schedules.put("nightly", "0 2 * * *", JOB | {"start_from": "live"})
    due("nightly")
    tend()
    assert "/start_from" in schedules.get("nightly").error
    assert jobs() == []

    publish(Registry(tmp_path))
    due("nightly", "2026-01-02T02:00:00.000000Z")
    tend()

    (job,) = jobs()
    assert job.config["start_from"] == 1
    assert schedules.get("nightly").error is None


def test_a_damaged_data_set_is_told_and_keeps_no_other_job_from_being_posted(
    schedules, due, tend, jobs, tmp_path
):
    damaged = tmp_path / "datasets" / "mine"
    damaged.mkdir(parents=True)
    (damaged / "manifest.json").write_text("{")
    for name, dataset in (("a", "mine"), ("b", "digits")):
        schedules.put(name, "0 2 * * *", JOB | {"dataset": dataset})
        due(name)
    tend()

    assert "manifest.json of data set 'mine'" in schedules.get("a").error
    assert [job.id for job in jobs()] == [schedules.get("b").last_job]


def test_a_schedule_that_is_put_again_takes_the_place_of_the_first(schedules, due, tend, jobs):
    schedules.put("nightly", "0 2 * * *", JOB)
    due("nightly")
    schedules.put("nightly", "0 3 * * *", JOB)
    tend()

    assert jobs() == []
    assert schedules.delete("nightly")
    assert not schedules.delete("nightly")
    assert schedules.all() == []


def test_a_schedule_that_cannot_be_read_leaves_the_others_being_posted(
    schedules, tend, due, jobs, redis
):
    for name in ("a", "c"):
        schedules.put(name, "0 2 * * *", JOB | {"model": name})
        due(name)
    redis.hset(KEY, "b", "{")
    tend()

    assert {job.model for job in jobs()} == {"a", "c"}
