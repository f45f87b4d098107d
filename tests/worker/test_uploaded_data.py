"""Runs on uploaded data sets and on feedback."""

import itertools
from contextlib import nullcontext

import numpy as np
import pytest

from nncore.config import TrainConfig
from nncore.dataset_store import DatasetStore
from nncore.feedback import Feedback
from nncore.registry import Registry
from nncore.training import Examples, ignore
from tests.worker.runs import run
from worker import datasets
from worker.checkpoints import InterruptedRunError
from worker.datasets import DatasetError
from worker.settings import Settings
from worker.verify import verify

LABELS = ("a", "b", "c")
NETWORK = [{"type": "dense", "units": 3}]
MINE = {"dataset": "mine", "network": NETWORK, "model": "letters", "epochs": 40}


def examples(rows, seed, classes=3):
    """Bright stripes, another place for each class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    pixels = rng.integers(0, 100, (rows, 28, 28)).astype(np.uint8)
    for row, label in enumerate(labels):
        pixels[row, :, 8 * label : 8 * label + 6] += 155
    return Examples(pixels.reshape(-1, 784), labels)


@pytest.fixture
def store(tmp_path):
    DatasetStore(tmp_path).save("mine", examples(300, 0), examples(90, 1), LABELS, {})
    return tmp_path


def manifest(store, number, model="letters"):
    return Registry(store).manifest(model, number)


def test_an_uploaded_data_set_is_trained_on_and_named_in_the_manifest(store):
    result = run(store, **MINE)

    made = manifest(store, 1)
    assert result["test_accuracy"] == 1
    assert made.labels == LABELS
    assert made.dataset.sha256 == DatasetStore(store).manifest("mine")["sha256"]
    assert (made.dataset.name, made.dataset.train_rows, made.dataset.test_rows) == ("mine", 300, 90)
    assert np.shape(made.metrics["confusion_matrix"]) == (3, 3)


def test_data_sets_together_train_on_all_and_test_with_the_first(store):
    fewer = Examples(*(array[:60] for array in examples(60, 5, classes=2)))
    DatasetStore(store).save("more", fewer, fewer, ("c", "a"), {})

    loaded = datasets.load_all(config(["mine", "more"]), Settings(store=store), lambda _: 0)

    assert loaded.name == "mine+more"
    assert loaded.labels == LABELS
    assert len(loaded.train.labels) == 360
    assert loaded.train.labels[300:304].tolist() == [2, 0, 2, 0]  # "c" and "a" by mine's places
    np.testing.assert_array_equal(loaded.test.pixels, examples(90, 1).pixels)


def config(names):
    return TrainConfig.from_dict(MINE | {"dataset": names})


def test_feedback_is_trained_on_when_asked_for(store):
    feedback = Feedback(store, "letters")
    feedback.add(examples(30, 2).pixels, [LABELS[n % 3] for n in range(30)])
    run(store, **MINE)
    run(store, **MINE | {"dataset": ["mine", "feedback"]})

    without, with_it = manifest(store, 1), manifest(store, 2)
    assert (without.dataset.feedback, with_it.dataset.feedback) == (0, 30)
    assert with_it.dataset.train_rows == 330
    assert with_it.dataset.name == "mine+feedback"
    assert without.weights_sha256 != with_it.weights_sha256


def test_feedback_that_comes_while_a_job_runs_waits_for_the_next(store):
    feedback, asked = Feedback(store, "letters"), MINE | {"dataset": ["mine", "feedback"]}
    feedback.add(examples(30, 2).pixels, [LABELS[n % 3] for n in range(30)])
    run(store, **asked)
    steps = itertools.count()
    with pytest.raises(InterruptedRunError):
        run(store, job_id="j", interruption=nullcontext(lambda: next(steps) > 20), **asked)
    feedback.add(examples(3, 3).pixels, LABELS)
    run(store, job_id="j", execution_id="e2", **asked)
    run(store, **asked)

    undisturbed, disturbed, later = (manifest(store, number) for number in (1, 2, 3))
    assert undisturbed.weights_sha256 == disturbed.weights_sha256
    assert later.dataset.feedback == 33


def test_a_version_of_feedback_can_be_verified_after_more_has_come(store):
    feedback = Feedback(store, "letters")
    feedback.add(examples(30, 2).pixels, [LABELS[n % 3] for n in range(30)])
    run(store, **MINE | {"dataset": ["mine", "feedback"]})
    run(store, **MINE | {"dataset": ["mine", "feedback"], "start_from": 1, "promote": "never"})
    feedback.add(examples(3, 3).pixels, LABELS)

    for number in (1, 2):
        assert verify(Registry(store).load("letters", number), Settings(store=store), ignore).same


def test_feedback_with_a_label_that_the_data_do_not_know_fails_the_run(store):
    Feedback(store, "letters").add(examples(1, 2).pixels, ["x"])

    with pytest.raises(DatasetError, match="Feedback has the label 'x'; the data know a, b, c"):
        run(store, **MINE | {"dataset": ["mine", "feedback"]})


def test_a_data_set_that_was_deleted_or_damaged_fails_the_run(store):
    packed = store / "datasets/mine/data.npz"
    DatasetStore(store).save("other", examples(30, 9), examples(9, 8), LABELS, {})
    packed.write_bytes((store / "datasets/other/data.npz").read_bytes())
    with pytest.raises(DatasetError, match="is not as it was uploaded"):
        run(store, **MINE)

    DatasetStore(store).delete("mine")
    with pytest.raises(DatasetError, match="There is no data set 'mine'"):
        run(store, **MINE)
