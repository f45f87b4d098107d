"""Jobs that take too much, and jobs that fail for what may pass, through the whole stack."""

import numpy as np
import pytest

from tests.stack import Stack

pytestmark = pytest.mark.integration

NOWHERE = "http://127.0.0.1:9"  # nobody listens there


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """A stack that can fetch nothing."""
    offline = dict.fromkeys(("http_proxy", "https_proxy", "no_proxy"), NOWHERE)
    running = Stack(tmp_path_factory.mktemp("stack"), INKWELL_MNIST_DIR="", **offline)
    try:
        yield running.start()
    finally:
        running.stop()


def test_a_run_over_its_time_limit_fails_keeps_its_checkpoint_and_can_be_resumed(stack):
    for limit in (5, 20, 80):  # the first is enough where nothing else runs
        job = stack.post(epochs=100_000, time_limit_seconds=limit, seed=limit)
        failed = stack.wait(job["id"])
        assert job["options"]["time_limit_seconds"] == limit
        assert failed["status"] == "failed"
        assert failed["error"].startswith(f"The run took longer than its limit of {limit} s.")
        if (stack.store / "jobs" / job["id"] / "checkpoint.safetensors").exists():
            break
    else:
        raise AssertionError("there is no checkpoint")

    stack.client.post(f"/api/v1/jobs/{job['id']}/resume").raise_for_status()
    again = stack.wait(job["id"])
    assert again["status"] == "failed"
    assert again["progress"]["fraction"] > failed["progress"]["fraction"]


def test_a_run_over_its_memory_limit_fails_and_the_worker_goes_on(stack):
    units = [{"type": "dense", "units": 20_000}, {"type": "relu"}, {"type": "dense", "units": 10}]
    failed = stack.train(network=units, memory_limit_mb=60)

    assert failed["status"] == "failed"
    assert failed["error"].startswith("The run needed more memory than it may have")
    assert stack.train(epochs=1, memory_limit_mb=500)["status"] == "finished"


def test_a_job_whose_download_failed_is_tried_again_by_itself(stack):
    job = stack.post(dataset="mnist", epochs=1)
    waiting = stack.wait(job["id"], ("scheduled", "failed"))
    assert waiting["status"] == "scheduled"
    assert "OpenML could not be reached" in waiting["story"][-1]["event"]
    assert waiting["story"][-1]["event"].endswith("Tried again in 5 s.")

    rows = np.arange(60_100)
    pixels = np.repeat(rows % 10 * 20, 784).astype(np.uint8).reshape(-1, 784)
    written = stack.store / "written"
    written.mkdir()
    np.savez_compressed(written / "data.npz", pixels=pixels, labels=rows % 10)
    written.rename(stack.store / "datasets" / "mnist")  # at once: the next try may come meanwhile

    done = stack.wait(job["id"])
    assert done["status"] == "finished", done["error"]
    assert len(stack.versions(job["id"])) == 1


def test_a_job_that_waits_to_be_tried_again_can_be_canceled(stack):
    (stack.store / "datasets" / "mnist").rename(stack.store / "away")
    job = stack.post(dataset="mnist", epochs=1, seed=1)
    stack.wait(job["id"], ("scheduled",))

    stack.client.post(f"/api/v1/jobs/{job['id']}/stop").raise_for_status()

    assert stack.job(job["id"])["status"] == "canceled"
    assert stack.train(epochs=1)["status"] == "finished"
