"""A worker's round: what it brings on beside the job that it has in hand."""

import os

import pytest

from jobs.schedules import Schedules
from tests.jobs.conftest import QUEUE
from worker.queue_worker import Stop, TrainingWorker
from worker.settings import Settings

pytestmark = pytest.mark.integration

JOB = {"model": "digits", "dataset": "digits"}


def test_a_record_that_cannot_be_read_ends_neither_the_worker_nor_its_round(
    server, redis, tmp_path, queue, caplog
):
    settings = Settings(store=tmp_path, redis_url=server.environ["INKWELL_REDIS_URL"])
    redis.sadd(f"inkwell:{QUEUE}:sweeps:open", "broken")
    redis.set(f"inkwell:{QUEUE}:sweeps:sweep:broken", "{")
    Schedules(redis, QUEUE).put("nightly", "0 2 * * *", JOB)
    text = redis.hget(f"inkwell:{QUEUE}:schedules", "nightly").decode()
    at = text.partition('"next_at": "')[2].partition('"')[0]
    redis.hset(f"inkwell:{QUEUE}:schedules", "nightly", text.replace(at, "2026-01-01T02:00:00Z"))

    TrainingWorker(settings, Stop()).run_maintenance_tasks()

    assert "could not be tidied" not in caplog.text
    assert "Could not be brought on: broken" in caplog.text
    (job,) = queue.page(limit=9, cursor=None, status=None, model=None).jobs
    assert job.config["model"] == "digits"


def test_a_worker_tidies_its_store_between_jobs(server, redis, tmp_path, post):
    settings = Settings(store=tmp_path, redis_url=server.environ["INKWELL_REDIS_URL"])
    jobs = tmp_path / "jobs"
    known = post().id
    for job_id in (known, "gone"):
        (jobs / job_id).mkdir(parents=True)
        os.utime(jobs / job_id, (0, 0))

    TrainingWorker(settings, Stop()).run_maintenance_tasks()

    assert os.listdir(jobs) == [known]
