"""The store in a bucket of a real S3 server: all goes on, and what is stopped loses nothing."""

import io
import signal
import statistics
import time

import numpy as np
import pytest

from nncore.object_store import open_store
from nncore.registry import Registry
from tests.conftest import publish
from tests.s3_server import blink
from tests.stack import ROOT, TRAIN_SECONDS, Stack, wait_for
from tests.store_trials import (
    MODEL,
    OCTETS,
    promote_under_load,
    publish_at_once,
    publish_in_bucket_and_be_killed,
    wrong_answers,
)

pytestmark = pytest.mark.integration

TAKEN_UP = 90  # seconds, on a busy machine: the service looks every two
TOLD = 90  # seconds: of what answers it looks at the files every five


def new_stack(folder, server, **environ):
    """Return a stack whose store is a bucket of `server`, not started."""
    folder.mkdir()
    settings = {"INKWELL_STORE": server.store_url(folder.name), "INKWELL_CACHE": str(folder / "c")}
    return Stack(folder, **server.environ, **settings, **environ)


@pytest.fixture(scope="module")
def stack(tmp_path_factory, s3_server):
    running = new_stack(tmp_path_factory.mktemp("bucket") / "running", s3_server)
    publish(registry_of(running, running.folder / "mine"))
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture
def back(s3_server):
    """The server, which is there again after the test."""
    yield s3_server
    s3_server.stop()
    s3_server.start()


def answer(stack, reference=""):
    path = f"/api/v1/models/{MODEL}/versions/{reference or 'live'}/predict"
    response = stack.client.post(path, content=bytes(784), headers=OCTETS)
    return response.raise_for_status().headers["X-Model-Version"]


def seconds_of_answers(stack, number):
    """Ask so often, for longer than the service goes without a look; return how long each took."""
    taken = []
    for _ in range(number):
        began = time.monotonic()
        answer(stack)
        taken.append(time.monotonic() - began)
        time.sleep(0.1)
    return taken


def wait_for_version(stack, version):
    wait_for(lambda: answer(stack) == str(version), TAKEN_UP, f"version {version}")


def registry_of(stack, folder):
    return Registry(open_store(stack.environ["INKWELL_STORE"], str(folder)))


def test_all_that_works_with_a_folder_works_with_a_bucket(stack, s3_server, tmp_path):
    before = int(answer(stack))
    trained = stack.train(epochs=2, promote="always")
    assert trained["status"] == "finished", trained
    number = trained["result"]["version"]
    wait_for_version(stack, number)
    assert (answer(stack, str(before)), answer(stack, "previous")) == (str(before), str(before))

    model = f"/api/v1/models/{MODEL}"
    stack.client.post(f"{model}/rollback", json={"reason": "a try"}).raise_for_status()
    wait_for_version(stack, before)
    moves = stack.client.get(f"{model}/history").json()["history"]
    assert [(move["from"], move["to"]) for move in moves[-2:]] == [
        (before, number),
        (number, before),
    ]
    assert answer(stack, f"live@{moves[-2]['at']}") == str(number)
    refused = stack.client.delete(f"{model}/versions/{before}")
    assert refused.status_code == 409, refused.text
    assert stack.client.get(f"{model}/versions/{number}/report").json()["files"]

    one = {"instances": [[0] * 784], "label": "3"}
    stack.client.post("/api/v1/feedback", json=one).raise_for_status()
    rng, rows = np.random.default_rng(0), io.BytesIO()
    pixels, labels = rng.integers(0, 256, (60, 784)).astype(np.uint8), np.arange(60) % 10
    np.savez(rows, x_train=pixels, y_train=labels, x_test=pixels[:20], y_test=labels[:20])
    stack.client.post("/api/v1/datasets/mine", content=rows.getvalue()).raise_for_status()
    data = ["digits", "mine", "feedback"]
    trained = stack.train(epochs=1, dataset=data, start_from="live", promote="never")
    assert trained["result"]["version"] == number + 1, trained
    stack.client.delete("/api/v1/datasets/mine").raise_for_status()
    stack.client.delete(f"{model}/versions/{number + 1}").raise_for_status()

    assert not stack.store.exists()
    assert not [path for path in ROOT.iterdir() if path.name.startswith("s3")]
    assert not s3_server.keys("running/jobs/")
    ready = stack.client.get("/readyz").json()
    assert (ready["ready"], ready["refused"]) == (True, [])


def test_a_version_that_is_damaged_while_it_answers_goes_on_and_is_told_of(stack, tmp_path):
    number = publish(registry_of(stack, tmp_path))
    wait_for_version(stack, number)
    bucket = open_store(stack.environ["INKWELL_STORE"], str(tmp_path))
    key = next(iter(bucket.keys(f"models/{MODEL}/versions")))  # the newest comes first
    whole = bucket.read(key)

    def refusals(wanted):
        ready = stack.client.get("/readyz").json()
        assert (ready["ready"], ready["version"]) == (True, number)
        return [refused["alias"] for refused in ready["refused"]] == wanted

    bucket.write(key, whole[:-20])
    wait_for(lambda: refusals(["live"]), TOLD, "the damage to be told")
    bucket.write(key, whole)
    wait_for(lambda: refusals([]), TOLD, "the end of it to be told")


def test_serving_goes_on_while_the_server_is_away_and_says_what_it_cannot_do(stack, back, tmp_path):
    before, other = answer(stack), publish(registry_of(stack, tmp_path), seed=9, live=False)
    back.stop()

    assert statistics.median(seconds_of_answers(stack, 40)) < 2
    assert answer(stack) == before
    assert stack.client.get("/readyz").status_code == 200
    for path in (f"/api/v1/models/{MODEL}/versions", "/api/v1/datasets"):
        refused = stack.client.get(path)
        assert refused.status_code == 503, refused.text
        assert "cannot be reached" in refused.json()["detail"]
    alias = f"/api/v1/models/{MODEL}/aliases/live"
    assert stack.client.put(alias, json={"version": other}).status_code == 503

    stack.kill("service", signal.SIGTERM)  # what begins now answers with what is in its cache
    stack.start_service()
    assert answer(stack) == before

    back.start()
    stack.client.put(alias, json={"version": other}).raise_for_status()
    wait_for_version(stack, other)


def test_a_frozen_server_holds_up_no_prediction(stack, back):
    answer(stack)
    back.freeze()
    try:
        taken = seconds_of_answers(stack, 40)
    finally:
        back.thaw()

    # Who waits for the server does so for seconds, and then it is time to look again.
    assert statistics.median(taken) < 2


def test_a_server_stopped_in_the_middle_of_a_job_puts_it_off_and_it_ends_when_it_is_back(
    stack, back, tmp_path
):
    versions = registry_of(stack, tmp_path).versions(MODEL)
    job = stack.post(epochs=40, promote="never")
    stack.wait_for_progress(job["id"])
    back.stop()
    shown = wait_for(
        lambda: (found := stack.job(job["id"]))["status"] == "scheduled" and found,
        seconds=TRAIN_SECONDS,
        what="the job to be put off",
    )
    assert "cannot be reached" in str(shown["story"])
    back.start()

    assert stack.wait(job["id"])["status"] == "finished"
    registry = registry_of(stack, tmp_path)
    assert len(stack.versions(job["id"])) == 1
    assert registry.versions(MODEL) == [*versions, max(versions) + 1]


def test_processes_that_publish_at_once_while_the_server_goes_and_comes_show_no_half(
    bucket, s3_server
):
    seen = publish_at_once(bucket, workers=2, each=8, disturb=lambda: blink(s3_server, 4))

    assert len(set(seen.numbers)) == len(seen.numbers) == 16
    assert seen.polls > 0
    assert seen.errors == []


def test_a_process_killed_at_any_step_of_publishing_leaves_all_as_before_or_as_after(bucket):
    registry = Registry(bucket)
    publish(registry)

    counts = publish_in_bucket_and_be_killed(registry, bucket)

    assert counts["as before"] >= 4
    assert publish(registry, seed=5) == registry.versions(MODEL)[-1]


def test_promotions_under_load_fail_no_request(tmp_path, s3_server):
    stack = new_stack(tmp_path / "promoted", s3_server)
    registry = registry_of(stack, tmp_path / "mine")
    versions = [publish(registry, seed=seed, live=False) for seed in range(3)]
    registry.promote(MODEL, versions[0])
    try:
        stack.start_service()
        moves, answers = promote_under_load(stack.url, versions, promotions=6, clients=2, pause=1)
    finally:
        stack.stop()

    assert wrong_answers(moves, answers, late=TAKEN_UP) == []
    assert len({answer.version for answer in answers}) > 1
