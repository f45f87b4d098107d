"""Whatever happens to a run, its version is that of a run that nothing happened to."""

import contextlib
import os
import signal
import time

import pytest

from tests.disturbances import DISTURBANCES
from tests.stack import TRAIN_SECONDS, Stack, wait_for

pytestmark = pytest.mark.integration

RUN = {"epochs": 80, "augment": {"shift": 1}, "promote": "always"}  # some seconds


@pytest.fixture(scope="module")
def stack(stack):
    """With two workers: the one takes over what the other leaves."""
    stack.start_worker("worker2")
    wait_for(lambda: "Taking jobs" in stack.log("worker2"), what="the second worker")
    return stack


@pytest.fixture(scope="module")
def undisturbed(stack):
    """The SHA-256 of a run that nothing disturbs."""
    job = stack.train(**RUN)
    (digest,) = stack.versions(job["id"])
    return digest


@pytest.mark.parametrize("disturb", DISTURBANCES, ids=lambda function: function.__name__)
def test_a_disturbed_run_makes_the_one_version_of_an_undisturbed_one(stack, undisturbed, disturb):
    job = stack.post(**RUN)
    stack.wait_for_progress(job["id"])

    disturb(stack, job["id"])

    done = stack.wait(job["id"])
    assert done["status"] == "finished", done
    assert stack.versions(job["id"]) == [undisturbed]
    assert [line["epoch"] for line in done["history"]] == list(range(1, RUN["epochs"] + 1))
    folder = stack.store / "jobs" / job["id"]
    wait_for(lambda: not folder.exists(), what="the end of its folder")  # after it has reported


def test_a_running_job_stops_within_two_seconds(stack):
    job = stack.post(epochs=100_000)
    stack.wait_for_progress(job["id"])

    asked = time.monotonic()
    answer = stack.client.post(f"/api/v1/jobs/{job['id']}/stop")
    stopped = stack.wait(job["id"])
    seconds = time.monotonic() - asked

    assert (answer.status_code, answer.json()["stopping"]) == (202, True)
    assert (stopped["status"], stopped["stopping"]) == ("stopped", False)
    assert stopped["result"] is None
    assert seconds < 30  # it is 2 where nothing else runs
    assert (stack.store / "jobs" / job["id"] / "checkpoint.safetensors").exists()
    assert stack.train(epochs=1)["status"] == "finished"


def test_a_worker_that_is_to_stop_gives_its_job_back(stack):
    job = stack.post(epochs=100_000)
    stack.wait_for_progress(job["id"])
    first, _ = stack.horse(job["id"])

    asked = time.monotonic()
    stack.kill(first, signal.SIGTERM)
    seconds = time.monotonic() - asked
    wait_for(lambda: starts(stack, job["id"]) == 2, what="the second start")
    second, _ = stack.horse(job["id"])
    stack.start_worker(first)
    stack.client.post(f"/api/v1/jobs/{job['id']}/stop")

    assert seconds < 30  # it is 5 where nothing else runs
    assert first != second
    assert stack.wait(job["id"])["status"] == "stopped"


def test_a_job_that_kills_its_process_three_times_has_failed_and_can_be_resumed(stack, undisturbed):
    job = stack.post(**RUN)
    for deaths in range(3):
        wait_for(lambda n=deaths: starts(stack, job["id"]) > n, what="the next start")
        _, horse = stack.horse(job["id"])
        os.kill(horse, signal.SIGKILL)
        wait_for(lambda pid=horse: not os.path.exists(f"/proc/{pid}"), what="its end")
    failed = stack.wait(job["id"])
    stack.client.post(f"/api/v1/jobs/{job['id']}/resume").raise_for_status()
    done = stack.wait(job["id"])

    assert failed["status"] == "failed"
    assert failed["error"].startswith("The run died 3 times: Killed by SIGKILL")
    assert failed["error"].count("Killed by SIGKILL") == 3
    assert str(failed["story"]).count("Started by worker") == 3
    assert (done["status"], done["error"]) == ("finished", None)
    assert stack.versions(job["id"]) == [undisturbed]


def starts(stack, job_id):
    return str(stack.job(job_id)["story"]).count("Started by worker")


def test_a_job_that_dies_between_publishing_and_reporting_publishes_once(stack, undisturbed):
    job = stack.post(**RUN)
    stack.wait_for_progress(job["id"])
    _, horse = stack.horse(job["id"])
    stack.kill("redis")
    wait_for(lambda: stack.versions(job["id"]), TRAIN_SECONDS, "the version")
    os.kill(horse, signal.SIGKILL)
    stack.start_redis()
    done = stack.wait(job["id"])

    assert done["status"] == "finished"
    assert stack.versions(job["id"]) == [undisturbed]
    history = stack.client.get("/api/v1/models/digits/history").json()["history"]
    assert len([move for move in history if move["to"] == done["result"]["version"]]) == 1


@pytest.fixture
def published(stack):
    """A job whose process stands still, its version published: the job, and the process."""
    for seed in range(20):  # it may be too quick for us
        job = stack.post(epochs=60, seed=seed, force=True)
        _, horse = stack.horse(job["id"])
        wait_for(lambda job=job: stack.versions(job["id"]), 120, "the version")
        with contextlib.suppress(ProcessLookupError):
            os.kill(horse, signal.SIGSTOP)
            if stack.job(job["id"])["status"] == "started":
                yield job["id"], horse
                return
    raise AssertionError("no process was caught before its end")


def goes_on(horse):
    time.sleep(3)  # a worker that wants it to make way waits one second
    os.kill(horse, signal.SIGCONT)


def is_killed(horse):
    os.kill(horse, signal.SIGKILL)


@pytest.mark.parametrize("then", [goes_on, is_killed])
def test_a_job_that_is_to_stop_when_its_version_is_published_finishes(stack, published, then):
    job_id, horse = published

    asked = stack.client.post(f"/api/v1/jobs/{job_id}/stop")
    then(horse)
    done = stack.wait(job_id)

    assert (asked.status_code, asked.json()["stopping"]) == (202, True)
    assert (done["status"], done["stopping"]) == ("finished", False), done
    assert len(stack.versions(job_id)) == 1
    assert done["result"]["version"]
    wait_for(lambda: not (stack.store / "jobs" / job_id).exists(), what="its folder to be gone")


def test_a_worker_that_stood_still_for_a_while_publishes_nothing_more(stack, undisturbed):
    job = stack.post(**RUN)
    stack.wait_for_progress(job["id"])
    name, horse = stack.horse(job["id"])
    frozen = stack.processes[name]
    for pid in (frozen.pid, horse):
        os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: starts(stack, job["id"]) == 2, TRAIN_SECONDS, "the second start")
    finally:
        for pid in (horse, frozen.pid):
            os.kill(pid, signal.SIGCONT)
    done = stack.wait(job["id"])
    wait_for(lambda: not os.path.exists(f"/proc/{horse}"), what="the end of the frozen run")

    assert done["status"] == "finished"
    assert stack.versions(job["id"]) == [undisturbed]
    assert frozen.poll() is None


def test_a_job_asked_to_stop_while_its_worker_dies_stops(tmp_path):
    stack = Stack(tmp_path)
    try:
        stack.start()
        job = stack.post(epochs=100_000)
        stack.wait_for_progress(job["id"])
        _, horse = stack.horse(job["id"])
        stack.kill("worker")
        os.kill(horse, signal.SIGKILL)  # it would train on meanwhile
        stack.client.post(f"/api/v1/jobs/{job['id']}/stop").raise_for_status()
        stack.start_worker()

        stopped = stack.wait(job["id"])
        assert stopped["status"] == "stopped"
        assert "was lost" in stopped["story"][-1]["event"]
    finally:
        stack.stop()
