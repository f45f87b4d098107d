"""Jobs over HTTP, with a real queue and a real worker."""

import signal
import subprocess
import sys
import time

import httpx
import pytest
from redis import Redis
from rq import Queue
from rq.job import Job

from tests.stack import ROOT, TRAIN_SECONDS, Stack, wait_for

pytestmark = pytest.mark.integration


def test_a_job_goes_from_queued_to_finished_and_its_version_is_served(stack):
    posted = stack.client.post(
        "/api/v1/jobs",
        json={"model": "digits", "dataset": "digits", "epochs": 5},
        headers={"X-Request-ID": "posted-by-a-test"},
    )
    job = posted.json()
    done = stack.wait(job["id"])

    assert posted.status_code == 202
    assert posted.headers["Location"] == f"/api/v1/jobs/{job['id']}"
    assert job["status"] in ("queued", "started")
    assert done["status"] == "finished", done["error"]
    assert done["config"]["epochs"] == 5
    assert [line["epoch"] for line in done["history"]] == [1, 2, 3, 4, 5]
    assert done["result"]["version"] >= 1
    times = done["times"]
    assert times["created_at"] <= times["started_at"] <= times["ended_at"]
    version = done["result"]["version"]
    manifest = stack.client.get(f"/api/v1/models/digits/versions/{version}").json()
    assert manifest["job_id"] == job["id"]


def test_a_toy_network_of_an_article_is_trained_and_served_like_any_other(stack):
    posted = stack.client.post("/api/v1/jobs", json={"model": "toy", "preset": "two-layer-sse"})
    done = stack.wait(posted.json()["id"])
    address = "/api/v1/models/toy/predict"

    answered = stack.client.post(
        address, json={"instances": [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]}
    )
    wrong = stack.client.post(address, json={"instances": [[0] * 784]})

    assert done["result"]["test_accuracy"] == 1
    assert len(done["history"]) == 1500
    assert [p["label"] for p in answered.json()["predictions"]] == ["0", "1", "1", "0"]
    assert wrong.status_code == 422
    assert "Expected 3 numbers; got 784" in wrong.json()["detail"]


def test_jobs_are_listed_newest_first_in_pages(stack):
    ids = [stack.train(epochs=1, seed=seed)["id"] for seed in range(3)]

    first = stack.client.get("/api/v1/jobs", params={"limit": 2}).json()
    rest = stack.client.get(
        "/api/v1/jobs", params={"limit": 100, "cursor": first["next_cursor"]}
    ).json()

    listed = [job["id"] for job in first["jobs"] + rest["jobs"]]
    assert listed[:3] == ids[::-1]
    assert len(listed) == len(set(listed))
    assert rest["next_cursor"] is None


def test_jobs_are_filtered_by_status_and_model(stack):
    other = stack.train(epochs=1, model="other")["id"]

    by_model = stack.client.get("/api/v1/jobs", params={"model": "other"}).json()["jobs"]
    failed = stack.client.get("/api/v1/jobs", params={"status": "failed", "model": "other"}).json()

    assert [job["id"] for job in by_model] == [other]
    assert failed == {"jobs": [], "next_cursor": None}


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=-1", "status=done"]
)
def test_a_wrong_query_is_told(stack, query):
    response = stack.client.get(f"/api/v1/jobs?{query}")

    assert response.status_code == 422


@pytest.mark.parametrize("job_id", ["nope", "a:b", "%00", "x" * 3000])
def test_a_job_that_is_not_there_is_told(stack, job_id):
    assert stack.client.get(f"/api/v1/jobs/{job_id}").status_code == 404


def test_a_job_that_fails_says_why_and_publishes_nothing(stack):
    before = stack.client.get("/api/v1/models").json()

    job = stack.train(
        dataset="digits",
        optimizer={"type": "sgd", "learning_rate": 1e30},
        loss="mean_squared_error",
    )

    assert job["status"] == "failed"
    assert "Try a smaller learning rate" in job["error"]
    assert job["result"] is None
    assert stack.client.get("/api/v1/models").json() == before


def test_a_data_set_that_cannot_be_had_says_where_it_was_looked_for(tmp_path):
    stack = Stack(tmp_path, INKWELL_MNIST_DIR=str(tmp_path / "nowhere"))
    try:
        job = stack.start().train(dataset="mnist")
    finally:
        stack.stop()

    assert job["status"] == "failed"
    assert f"INKWELL_MNIST_DIR={tmp_path}/nowhere" in job["error"]


@pytest.mark.parametrize("order", ["stop", "resume"])
def test_an_order_that_the_job_cannot_follow_is_told(stack, order):
    done = stack.train(epochs=1)

    refused = stack.client.post(f"/api/v1/jobs/{done['id']}/{order}")
    unknown = stack.client.post(f"/api/v1/jobs/nope/{order}")
    nobody = httpx.post(f"{stack.url}/api/v1/jobs/{done['id']}/{order}", timeout=30)

    assert refused.status_code == 409
    assert "A job that is finished cannot be" in refused.json()["detail"]
    assert (unknown.status_code, nobody.status_code) == (404, 401)


def test_a_job_that_waits_is_canceled_and_can_be_resumed(stack):
    first = stack.post(epochs=100_000)
    stack.wait(first["id"], ["started"])
    waiting = stack.post(epochs=1)

    canceled = stack.client.post(f"/api/v1/jobs/{waiting['id']}/stop").json()
    resumed = stack.client.post(f"/api/v1/jobs/{waiting['id']}/resume").json()
    stack.client.post(f"/api/v1/jobs/{first['id']}/stop")

    assert (canceled["status"], canceled["position"]) == ("canceled", None)
    assert (resumed["status"], resumed["position"]) == ("queued", 1)
    assert stack.wait(waiting["id"])["status"] == "finished"


def test_the_worker_runs_no_other_function_whoever_puts_it_into_redis(stack, tmp_path):
    marker = tmp_path / "marker"
    redis = Redis(port=stack.redis_port)
    queue = Queue("training", connection=redis, serializer="json")
    job = queue.enqueue("os.mkdir", str(marker))
    with_callback = queue.enqueue("worker.tasks.train_model", {"model": "x"})
    redis.hset(with_callback.key, "failure_callback_name", "os.abort")

    def ended():
        return Job.fetch(job.id, connection=redis, serializer="json").is_failed

    wait_for(ended, what="the refusal")
    assert stack.client.get(f"/api/v1/jobs/{job.id}").status_code == 404  # nobody else's business

    assert not marker.exists()
    assert stack.train(epochs=1)["status"] == "finished"
    redis.close()


def quickest(ask):
    """Return an answer and the seconds of the quickest of three: a busy machine has its moments."""
    seconds = []
    for _ in range(3):
        started = time.monotonic()
        answer = ask()
        seconds.append(time.monotonic() - started)
    return answer, min(seconds)


def test_redis_killed_predictions_go_on_jobs_say_503_and_all_is_well_when_it_is_back(stack):
    stack.train(promote="always")
    octets = {"Content-Type": "application/octet-stream"}
    payload = {"model": "digits", "dataset": "digits", "epochs": 2}

    stack.kill("redis")
    refused, waited = quickest(lambda: stack.client.post("/api/v1/jobs", json=payload))
    predicted = stack.client.post("/api/v1/predict", content=bytes(784), headers=octets)
    ready = stack.client.get("/readyz")
    stack.start_redis()
    job = stack.train()

    assert refused.status_code == 503
    assert refused.headers["Retry-After"]
    assert waited < 3  # redis-py by itself would try for 4 s and more
    assert predicted.status_code == 200
    assert ready.status_code == 200
    assert job["status"] == "finished"


def test_a_job_whose_redis_dies_is_finished_all_the_same_and_the_next_is_taken(tmp_path):
    stack = Stack(tmp_path)
    try:
        stack.start()
        posted = stack.client.post(
            "/api/v1/jobs", json={"model": "digits", "dataset": "digits", "epochs": 100}
        ).json()
        address = f"/api/v1/jobs/{posted['id']}"
        wait_for(lambda: stack.client.get(address).json()["progress"], what="progress")
        stack.kill("redis")
        versions = "/api/v1/models/digits/versions"
        wait_for(
            lambda: stack.client.get(versions).json().get("versions"), TRAIN_SECONDS, "the version"
        )
        stack.start_redis()
        done = stack.wait(posted["id"])

        assert (done["status"], done["result"]["version"]) == ("finished", 1)
        assert stack.train(epochs=1)["status"] == "finished"
        assert stack.processes["worker"].poll() is None
    finally:
        stack.stop()


def test_redis_frozen_jobs_say_503_within_a_second(stack):
    stack.processes["redis"].send_signal(signal.SIGSTOP)
    try:
        refused, waited = quickest(lambda: stack.client.get("/api/v1/jobs"))
    finally:
        stack.processes["redis"].send_signal(signal.SIGCONT)

    assert refused.status_code == 503
    assert waited < 3
    assert stack.client.get("/api/v1/jobs").status_code == 200


def test_a_worker_waits_for_redis_and_stops_when_told(tmp_path):
    stack = Stack(tmp_path)
    stack.start_worker()
    try:
        wait_for(lambda: "Trying again" in stack.log("worker"), what="the worker's complaint")
        stack.start_redis()
        wait_for(lambda: "Taking jobs" in stack.log("worker"), what="the worker")
        stack.kill("worker", signal.SIGTERM)
        assert stack.processes["worker"].returncode == 0
    finally:
        stack.stop()


def test_the_health_command_tells_a_living_worker_from_none(stack):
    def health():
        return subprocess.run(
            [sys.executable, "-m", "worker.health"],
            cwd=ROOT,
            env=stack.environ,
            capture_output=True,
            text=True,
        )

    assert health().returncode == 0
    stack.environ["INKWELL_REDIS_URL"] = "redis://127.0.0.1:1/0"
    try:
        told = health()
    finally:
        stack.environ["INKWELL_REDIS_URL"] = f"redis://127.0.0.1:{stack.redis_port}/0"
    assert told.returncode == 1
    assert "No Redis" in told.stderr
