import hashlib
import json

import numpy as np
import pytest

from nncore.config import TrainConfig
from nncore.errors import NonFiniteLossError
from nncore.golden import Golden
from nncore.metrics import accuracy
from nncore.registry import Registry
from nncore.training import Examples
from tests.conftest import classifier_of
from worker import datasets
from worker.settings import Settings
from worker.training import hold_out, run_training


def run(store, report=lambda progress, line: None, **changed):
    payload = {"model": "digits", "dataset": "digits", "epochs": 3} | changed
    config = TrainConfig.from_dict(payload)
    return run_training(config, Settings(store=store), job_id="job-1", report=report)


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def test_a_run_publishes_a_version_that_answers_as_was_measured(store):
    result = run(store, epochs=20)

    test = datasets.load("digits", Settings(store=store)).test
    answers = classifier_of(Registry(store), 1).predict(test.pixels)
    assert result["version"] == 1
    assert result["test_accuracy"] == accuracy(answers, test.labels) > 0.9
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_the_manifest_tells_how_the_version_came_to_be(store):
    run(store, seed=7)

    manifest = Registry(store).manifest("digits", 1)
    weights = (store / "models/digits/versions/1/weights.safetensors").read_bytes()
    assert manifest.seed == manifest.config["seed"] == 7
    assert manifest.job_id == "job-1"
    assert manifest.parent is None
    assert manifest.weights_sha256 == hashlib.sha256(weights).hexdigest()
    assert manifest.dataset.train_rows == 1437
    assert len(manifest.dataset.sha256) == 64
    assert [line["epoch"] for line in manifest.history] == [1, 2, 3]
    assert np.sum(manifest.metrics["confusion_matrix"]) == manifest.metrics["test_rows"] == 360
    assert TrainConfig.from_dict(manifest.config).to_dict() == manifest.config


def test_a_version_has_golden_vectors_of_what_was_measured(store):
    run(store)

    golden = Golden.decode((store / "models/digits/versions/1/golden.safetensors").read_bytes())
    test = datasets.load("digits", Settings(store=store)).test
    assert golden.inputs.shape == (32, 784)
    assert {row.tobytes() for row in golden.inputs} <= {row.tobytes() for row in test.pixels}
    golden.check(classifier_of(Registry(store), 1))


def test_same_seed_and_data_give_the_same_weights(store):
    for _ in range(2):
        run(store, seed=3)
    run(store, seed=4)

    hashes = [Registry(store).manifest("digits", n).weights_sha256 for n in (1, 2, 3)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_progress_is_reported_once_an_epoch(store):
    seen = []

    run(store, report=lambda progress, line: seen.append((progress, line)))

    progress, line = seen[-1]
    assert [p["epoch"] for p, _ in seen] == [1, 2, 3]
    assert (progress["epochs"], progress["fraction"], progress["eta_seconds"]) == (3, 1.0, 0.0)
    assert progress["samples_per_second"] > 0
    assert set(line) == {"epoch", "loss", "validation_loss", "validation_accuracy", "seconds"}


def test_without_validation_images_their_figures_are_null(store):
    seen = []

    run(store, report=lambda _, line: seen.append(line), validation_fraction=0)

    assert seen[0]["validation_accuracy"] is None
    json.dumps(seen, allow_nan=False)


def test_a_training_that_diverges_publishes_nothing(store):
    with np.errstate(all="ignore"), pytest.raises(NonFiniteLossError):
        run(store, optimizer={"type": "sgd", "learning_rate": 1e30}, loss="mean_squared_error")

    assert Registry(store).versions("digits") == []


def test_the_held_out_part_is_disjoint_and_has_its_share():
    examples = Examples(np.arange(50)[:, None], np.arange(50))

    train, validation = hold_out(examples, 0.1, np.random.default_rng(0))

    assert len(validation.labels) == 5
    assert sorted([*train.labels, *validation.labels]) == list(range(50))
