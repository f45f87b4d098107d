"""Retraining each night on data and feedback, through the whole stack."""

import json

import numpy as np
import pytest
from redis import Redis

from tests.stack import wait_for

pytestmark = pytest.mark.integration

JOB = {
    "model": "digits",
    "dataset": ["digits", "feedback"],
    "start_from": "live",
    "epochs": 1,
    "promote": "always",
}
SCHEDULE = {"cron": "0 2 * * *", "job": JOB}
ADDRESS = "/api/v1/schedules/nightly"


def test_a_night_trains_on_what_was_corrected_by_day(stack):
    stack.train(epochs=2)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 784)).tolist()
    kept = stack.client.post("/api/v1/feedback", json={"instances": pixels, "label": "7"})
    assert kept.json()["count"] == 2, kept.text
    put = stack.client.put(ADDRESS, json=SCHEDULE)
    assert put.status_code == 200, put.text
    assert stack.client.get(ADDRESS).json() == put.json()
    with Redis.from_url(stack.environ["INKWELL_REDIS_URL"]) as redis:
        night = json.dumps(put.json() | {"next_at": "2026-01-01T02:00:00.000000Z"})
        redis.hset("inkwell:training:schedules", "nightly", night)

    job_id = wait_for(lambda: stack.client.get(ADDRESS).json()["last_job"], what="the night")
    done = stack.wait(job_id)

    assert done["status"] == "finished", done
    manifest = stack.client.get("/api/v1/models/digits/versions/live").json()
    assert manifest["job_id"] == job_id
    assert manifest["parent"] == manifest["config"]["start_from"] == 1
    assert manifest["dataset"]["name"] == "digits+feedback"
    assert manifest["dataset"]["feedback"] == 2
    listed = stack.client.get("/api/v1/schedules").json()["schedules"]
    assert [schedule["name"] for schedule in listed] == ["nightly"]
    assert stack.client.delete(ADDRESS).status_code == 204
    assert stack.client.delete(ADDRESS).status_code == 404
    assert stack.client.get(ADDRESS).status_code == 404


@pytest.mark.parametrize(
    ("changed", "pointers"),
    [
        ({"cron": "often", "job": JOB | {"epochs": 0}}, {"/cron", "/job/epochs"}),
        ({"cron": 5}, {"/cron"}),
        ({"jobs": {}}, {"/jobs"}),
    ],
)
def test_a_wrong_schedule_is_told(stack, changed, pointers):
    answer = stack.client.put(ADDRESS, json=SCHEDULE | changed)

    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json()["errors"]} == pointers
