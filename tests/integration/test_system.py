"""What the system tells of a real queue and a real worker."""

import pytest

from tests.stack import wait_for

pytestmark = pytest.mark.integration


def test_the_system_tells_of_jobs_that_wait_and_of_the_worker_that_has_one(stack):
    running = stack.post(epochs=100_000, seed=1)
    stack.wait(running["id"], ["started"])
    waiting = stack.post(epochs=1, seed=2, priority="high")

    told = wait_for(
        lambda: (told := stack.client.get("/api/v1/system").json())["workers"][0]["job_id"] and told
    )

    assert told["waiting"] == {"high": 1, "normal": 0, "low": 0}
    (worker,) = told["workers"]
    assert worker["job_id"] == running["id"]
    assert worker["born_at"] <= worker["seen_at"]
    for job in (waiting, running):
        stack.client.post(f"/api/v1/jobs/{job['id']}/stop")
