"""Watching a job over HTTP."""

import json
import os
import signal
import threading
import time

import httpx
import pytest

from tests.stack import Stack, wait_for

pytestmark = pytest.mark.integration


def events(stack, job_id, last=None):
    """Yield (id, event, data) of a job's stream until it ends."""
    headers = {} if last is None else {"Last-Event-ID": last}
    with httpx.stream(
        "GET", f"{stack.url}/api/v1/jobs/{job_id}/events", headers=headers, timeout=60
    ) as stream:
        assert stream.status_code == 200, stream.read()
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        fields = {}
        for line in stream.iter_lines():
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                yield fields["id"], fields["event"], json.loads(fields["data"])
                fields = {}


def test_a_stream_tells_each_epoch_once_and_the_end(stack):
    job = stack.post(epochs=30)

    *epochs, end = events(stack, job["id"])

    assert [identity for identity, _, _ in epochs] == [str(n) for n in range(1, 31)]
    assert {event for _, event, _ in epochs} == {"epoch"}
    assert [data["epoch"] for _, _, data in epochs] == list(range(1, 31))
    assert (end[0], end[1], end[2]["status"]) == ("30-end", "end", "finished")
    assert end[2]["result"]["version"] >= 1


def test_a_stream_goes_on_where_it_broke_off(stack):
    job = stack.train(epochs=5)

    told = list(events(stack, job["id"], last="3"))

    assert [identity for identity, _, _ in told] == ["4", "5", "5-end"]


def test_who_has_seen_the_end_need_not_come_again(stack):
    job = stack.train(epochs=1)
    address = f"/api/v1/jobs/{job['id']}/events"

    assert stack.client.get(address, headers={"Last-Event-ID": "1-end"}).status_code == 204
    assert stack.client.get(address, headers={"Last-Event-ID": "soon"}).status_code == 422
    assert stack.client.get("/api/v1/jobs/nope/events").status_code == 404


def test_a_stream_outlives_the_process_of_its_job(stack):
    job = stack.post(epochs=80, augment={"shift": 1})
    told = []
    watching = threading.Thread(target=lambda: told.extend(events(stack, job["id"])))
    watching.start()
    stack.wait_for_progress(job["id"])
    os.kill(stack.horse(job["id"])[1], signal.SIGKILL)
    watching.join()

    assert [data["epoch"] for _, event, data in told if event == "epoch"] == list(range(1, 81))
    assert told[-1][2]["status"] == "finished"


def test_an_unchanged_job_is_not_sent_again(stack):
    job = stack.train(epochs=1)
    address = f"/api/v1/jobs/{job['id']}"

    first = stack.client.get(address)
    again = stack.client.get(address, headers={"If-None-Match": first.headers["ETag"]})
    stale = stack.client.get(address, headers={"If-None-Match": '"other"'})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert (stale.status_code, stale.json()) == (200, first.json())


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """A service of one process with two streams and one other thread, and a job that runs on."""
    running = Stack(
        tmp_path_factory.mktemp("narrow"),
        INKWELL_WEB_WORKERS="1",
        INKWELL_WEB_THREADS="1",
        INKWELL_MAX_STREAMS="2",
    )
    try:
        yield running.start()
    finally:
        running.stop()


def test_streams_are_limited_leave_predictions_their_thread_and_end_with_the_process(narrow):
    narrow.train(epochs=1)
    job = narrow.post(epochs=100_000)
    narrow.stand_still(job["id"])
    address = f"{narrow.url}/api/v1/jobs/{job['id']}/events"

    with httpx.stream("GET", address, timeout=60) as one, httpx.stream("GET", address, timeout=60):
        refused = httpx.get(address, timeout=60)
        predicted = narrow.client.post(
            "/api/v1/predict",
            content=bytes(784),
            headers={"Content-Type": "application/octet-stream"},
        )
        asked = time.monotonic()
        narrow.kill("service", signal.SIGTERM)
        seconds = time.monotonic() - asked
        for _ in one.iter_raw():
            pass  # until the end, which is a clean one

    assert refused.status_code == 429
    assert refused.headers["Retry-After"]
    assert "2 streams are open" in refused.json()["detail"]
    assert predicted.status_code == 200
    assert seconds < 25  # gunicorn would wait for 30
    narrow.start_service()
    narrow.client.post(f"/api/v1/jobs/{job['id']}/stop")


def test_a_stream_that_is_closed_makes_room_for_another(narrow):
    narrow.train(epochs=1)
    job = narrow.post(epochs=100_000)
    narrow.stand_still(job["id"])
    address = f"{narrow.url}/api/v1/jobs/{job['id']}/events"

    for _ in range(4):
        with httpx.stream("GET", address, timeout=60) as stream:
            assert stream.status_code in (200, 429)

    def free():
        with httpx.stream("GET", address, timeout=60) as stream:
            return stream.status_code == 200

    assert wait_for(free, what="a free stream")
    narrow.client.post(f"/api/v1/jobs/{job['id']}/stop")
