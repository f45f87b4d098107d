"""Drift of what is asked, as /metrics tells it."""

import dataclasses

import numpy as np
import pytest

from nncore.classifier import Classifier
from nncore.sketch import Sketch
from service import drift as module
from service.app import create_app
from tests.conftest import classifier_of, publish
from tests.service.test_metrics import metrics
from tests.stack import wait_for

OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def sketched(registry, mnist_test):
    """Version 2, which knows what half of MNIST's test images look like. Return the other half."""
    here, there = mnist_test.pixels[::2], mnist_test.pixels[1::2]
    unpublished = Classifier.of(registry.load("digits", publish(registry, live=False)))
    sketch = Sketch.of(here, unpublished.probabilities(here))
    publish(registry, sketch=sketch)
    return there


@pytest.fixture
def client(settings, sketched, monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BETWEEN_ROUNDS", 0.01)
    return create_app(dataclasses.replace(settings, max_rows=10_000, max_body_mb=8)).test_client()


def told(client, rows):
    """Return the drift of each feature, when as many rows lie in the window."""

    def there():
        found = metrics(client)
        seen = [value for (name, *_), value in found.items() if name == "inkwell_drift_rows"]
        return found if seen and seen[0] >= rows else None

    found = wait_for(there, what=f"{rows} rows")
    return {
        dict(labels)["feature"]: value
        for (name, *labels), value in found.items()
        if name == "inkwell_drift"
    }


def ask(client, pixels):
    """Ask in batches, each when the thread that looks on has seen the one before."""
    drift = client.application.extensions["predictor"].drift
    for i in range(0, len(pixels), 250):
        before, body = drift.lines(), pixels[i : i + 250].tobytes()
        assert client.post("/api/v1/predict", data=body, headers=OCTETS).status_code == 200
        wait_for(lambda before=before: drift.lines() != before)


@pytest.mark.mnist
def test_test_images_are_quiet_and_inverted_ones_alarm_until_the_window_has_passed(
    client, sketched
):
    ask(client, sketched[:1000])
    quiet = told(client, 1000)
    ask(client, 255 - sketched[:1000])
    inverted = told(client, 2000)
    ask(client, sketched[1000:3500])
    after = told(client, 2000)

    assert set(quiet) == {"ink", "pixels", "confidence", "labels"}
    assert max(quiet.values()) < 0.1
    assert min(inverted["ink"], inverted["pixels"]) > 0.25
    assert max(after.values()) < 0.1


@pytest.mark.mnist
def test_shifted_images_alarm(client, sketched):
    shifted = np.roll(sketched[:1000].reshape(-1, 28, 28), 4, axis=2)

    ask(client, shifted)

    drift = told(client, 1000)
    assert drift["pixels"] > 0.25
    assert drift["ink"] < 0.1


@pytest.mark.mnist
def test_few_rows_tell_no_drift(client, sketched):
    ask(client, 255 - sketched[: module.FEWEST_ROWS - 250])

    assert told(client, module.FEWEST_ROWS - 250) == {}


def test_a_version_without_a_sketch_tells_no_drift(settings, live, pixels):
    client = create_app(settings).test_client()

    client.post("/api/v1/predict", data=pixels.tobytes(), headers=OCTETS)

    assert not [name for name, *_ in metrics(client) if name.startswith("inkwell_drift")]


def test_a_damaged_sketch_is_told_in_the_log_and_harms_nothing(
    registry, settings, pixels, caplog, monkeypatch
):
    monkeypatch.setattr(module, "SECONDS_BETWEEN_ROUNDS", 0.01)
    first = classifier_of(registry, publish(registry, live=False))
    publish(registry, sketch=Sketch.of(pixels, first.probabilities(pixels)))
    file = settings.store / "models/digits/versions/2/sketch.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\xff")

    answer = (
        create_app(settings)
        .test_client()
        .post("/api/v1/predict", data=pixels.tobytes(), headers=OCTETS)
    )

    assert answer.status_code == 200
    wait_for(lambda: "No sketch of version 2 of 'digits'" in caplog.text)


def test_the_window_slides_in_blocks():
    blocks = []
    for _ in range(100):
        blocks = module.slid(blocks, {"ink": np.array([100.0, 0.0])}, 100)

    rows = sum(block["rows"] for block in blocks)
    assert module.WINDOW_ROWS <= rows < module.WINDOW_ROWS * (1 + 2 / module.BLOCKS)
    assert sum(block["tally"]["ink"][0] for block in blocks) == rows
