"""Through the running system and nothing else: MNIST trained, served, replaced, brought back."""

import json
import threading

import httpx
import numpy as np
import pytest

from tests.stack import Stack

pytestmark = [pytest.mark.integration, pytest.mark.mnist]

OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory, mnist_dir):
    running = Stack(tmp_path_factory.mktemp("mnist"), INKWELL_MNIST_DIR=str(mnist_dir))
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="module")
def first(stack):
    """The job that the issue of this system names, finished."""
    return stack.train(dataset="mnist", epochs=10)


def labels(response):
    assert response.status_code == 200, response.text
    return np.array([int(p["label"]) for p in response.json()["predictions"]])


def test_the_default_job_reaches_its_accuracy(first):
    assert first["status"] == "finished", first["error"]
    assert first["result"]["test_accuracy"] >= 0.975
    assert first["result"]["promoted"]
    assert first["progress"]["fraction"] == 1
    assert len(first["history"]) == 10


def test_octets_and_json_get_the_labels_that_the_accuracy_was_measured_with(
    stack, first, mnist_test
):
    pixels, truth = mnist_test

    octets = labels(stack.client.post("/api/v1/predict", content=pixels.tobytes(), headers=OCTETS))
    body = json.dumps({"instances": pixels.tolist()})
    from_json = labels(
        stack.client.post(
            "/api/v1/predict", content=body, headers={"Content-Type": "application/json"}
        )
    )

    np.testing.assert_array_equal(octets, from_json)
    assert (octets == truth).mean() == first["result"]["test_accuracy"]


class Asking(threading.Thread):
    """Asks without pause over kept-alive connections; notes each version and each failure."""

    def __init__(self, url, pixels):
        super().__init__()
        self.url, self.body = url, pixels.tobytes()
        self.versions, self.failures = [], []
        self.stopping = threading.Event()

    def run(self):
        with httpx.Client(base_url=self.url, timeout=60) as client:
            while not self.stopping.is_set():
                try:
                    response = client.post("/api/v1/predict", content=self.body, headers=OCTETS)
                    response.raise_for_status()
                    self.versions.append(response.json()["version"])
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))


def test_a_second_version_takes_over_under_load_without_one_failed_request(
    stack, first, mnist_test
):
    asking = [Asking(stack.url, mnist_test.pixels[:16]) for _ in range(4)]
    for thread in asking:
        thread.start()
    second = stack.train(epochs=10, promote="always")
    after = [_version(stack) for _ in range(50)]
    for thread in asking:
        thread.stopping.set()
    for thread in asking:
        thread.join()

    assert second["result"]["version"] == 2
    assert set(after) == {2}  # many new connections: every process was asked
    for thread in asking:
        assert thread.failures == []
        assert set(thread.versions) == {1, 2}
        assert thread.versions == sorted(thread.versions)  # never back to the old one


def test_the_old_version_is_back_at_the_next_request(stack, first):
    for version in (1, 2, 1):
        response = stack.client.put("/api/v1/models/digits/aliases/live", json={"version": version})
        assert response.status_code == 200, response.text
        assert {_version(stack) for _ in range(20)} == {version}


def _version(stack):
    """Ask over a new connection, so that any process may take it."""
    return httpx.post(
        f"{stack.url}/api/v1/predict", content=bytes(784), headers=OCTETS, timeout=60
    ).json()["version"]
