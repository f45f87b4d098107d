"""What is measured of the running stack, over processes that come and go."""

import contextlib
import json
import os
import signal

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from nncore.registry import Registry
from tests.conftest import publish
from tests.stack import Stack, children, wait_for

pytestmark = pytest.mark.integration

ROW = {"content": bytes(784), "headers": {"Content-Type": "application/octet-stream"}}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def metrics(stack):
    """Return every sample's value by its name and labels."""
    text = httpx.get(f"{stack.url}/metrics", timeout=60).raise_for_status().text
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(told, name):
    return sum(value for (found, *_), value in told.items() if found == name)


@pytest.fixture
def service(tmp_path):
    """A service alone, which has a version to answer with; its Redis is away."""
    (tmp_path / "tmp").mkdir()
    running = Stack(tmp_path, TMPDIR=str(tmp_path / "tmp"), INKWELL_WEB_WORKERS="10")
    publish(Registry(running.store))
    try:
        running.start_service()
        yield running
    finally:
        running.stop()


def test_after_a_hundred_killed_processes_the_totals_are_right_and_no_file_is_left(service):
    def predict():
        # A connection of its own: what was open to a killed process is no loss of the service's.
        # One that is given up may be counted all the same.
        answer = httpx.post(f"{service.url}/api/v1/predict", timeout=180, **ROW)
        return answer.status_code == 200

    gunicorn = service.processes["service"].pid
    folders = [service.folder / "tmp", service.store]
    before = [sorted(folder.rglob("*")) for folder in folders]
    seen, answered = set(), 0

    while len(seen) < 100:
        processes = wait_for(lambda: children(gunicorn), what="a process")
        answered += sum(wait_for(predict, what="an answer") for _ in range(5))
        seen.update(processes)
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        wait_for(lambda p=processes: not set(p) & set(children(gunicorn)), what="their end")

    told = wait_for(lambda: metrics(service), what="the metrics")
    assert total(told, "inkwell_requests_total") == answered >= 50
    assert total(told, "inkwell_predictions_total") == answered
    assert total(told, "nv_inference_request_success") == answered
    assert told["inkwell_uncounted_total",] == 0
    assert [sorted(folder.rglob("*")) for folder in folders] == before


def test_a_job_s_states_progress_and_version_are_told(stack):
    stack.train(epochs=1)
    running = stack.post(epochs=100_000, seed=1)
    stack.wait_for_progress(running["id"])
    waiting = stack.post(epochs=1, seed=2)

    told = metrics(stack)

    job = (("job", running["id"]), ("model", "digits"))
    assert told["inkwell_redis_up",] == told["inkwell_workers",] == 1
    assert told["inkwell_queue_jobs", ("priority", "normal")] == 1
    assert told["inkwell_queue_jobs", ("priority", "high")] == 0
    assert 0 < told["inkwell_queue_age_seconds", ("priority", "normal")] < 240
    assert told["inkwell_queue_age_seconds", ("priority", "high")] == 0
    states = {
        labels[0][1]: value for (name, *labels), value in told.items() if name == "inkwell_jobs"
    }
    assert {state: count for state, count in states.items() if count} == {
        "finished": 1,
        "queued": 1,
        "started": 1,
    }
    assert 0 < told["inkwell_training_fraction", *job] < 1
    assert told["inkwell_training_samples_per_second", *job] > 0
    assert told["inkwell_alias_version", ("alias", "live"), ("model", "digits")] == 1
    for job in (waiting, running):
        stack.client.post(f"/api/v1/jobs/{job['id']}/stop")


def test_the_worker_s_lines_about_a_job_tell_which_request_it_came_from(tmp_path):
    stack = Stack(tmp_path, INKWELL_LOG="json")
    try:
        stack.start()
        headers = {"X-Request-ID": "mine", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        payload = {"model": "digits", "dataset": "digits", "epochs": 1}
        job = stack.client.post("/api/v1/jobs", json=payload, headers=headers).json()
        stack.wait(job["id"])
        service, worker = [
            [json.loads(line) for line in stack.log(name).splitlines()]
            for name in ("service", "worker")
        ]
    finally:
        stack.stop()

    ids = {"request_id": "mine", "trace_id": TRACE}
    about_the_job = [line for line in worker if line.get("job_id") == job["id"]]
    assert {line["logger"] for line in about_the_job} >= {"worker.tasks"}
    assert all(ids.items() <= line.items() for line in about_the_job)
    (posted,) = [line for line in service if line.get("request_id") == "mine"]
    assert ids.items() <= posted.items()
    assert (posted["route"], posted["status"]) == ("/api/v1/jobs", 202)
