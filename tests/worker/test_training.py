import errno
import hashlib
import itertools
import json
import os
import signal
from contextlib import nullcontext

import numpy as np
import pytest

from nncore.config import TrainConfig
from nncore.errors import NonFiniteLossError
from nncore.golden import Golden
from nncore.metrics import accuracy
from nncore.registry import Registry
from nncore.training import Examples
from tests.conftest import classifier_of
from tests.worker.runs import run
from worker import checkpoints, datasets, release
from worker.checkpoints import InterruptedRunError, Interruption
from worker.horse import Horse
from worker.job_folder import JobFolder, SupersededError
from worker.outcomes import may_pass
from worker.settings import Settings
from worker.training import DataChangedError, hold_out


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
    run(store, seed=7, job_id="job-7")

    manifest = Registry(store).manifest("digits", 1)
    weights = (store / "models/digits/versions/1/weights.safetensors").read_bytes()
    assert manifest.seed == manifest.config["seed"] == 7
    assert manifest.job_id == "job-7"
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


def test_progress_is_reported(store):
    seen = []

    run(store, report=lambda progress, history: seen.append((progress, list(history))))

    progress, history = seen[-1]
    assert (progress["epoch"], progress["epochs"], progress["fraction"]) == (3, 3, 1.0)
    assert progress["samples_per_second"] > 0
    assert progress["eta_seconds"] == 0
    assert progress["loss"] == history[-1]["loss"]
    assert [line["epoch"] for line in history] == [1, 2, 3]
    assert set(history[0]) == {
        "epoch",
        "loss",
        "validation_loss",
        "validation_accuracy",
        "seconds",
    }


def test_a_run_that_stops_early_is_through(store):
    seen = []

    run(
        store,
        report=lambda progress, _: seen.append(progress),
        epochs=50,
        optimizer={"type": "sgd", "learning_rate": 1e-30},
        early_stopping={"patience": 1},
    )

    assert seen[-1]["epoch"] < seen[-1]["epochs"] == 50
    assert (seen[-1]["fraction"], seen[-1]["eta_seconds"]) == (1, 0)


def test_without_validation_images_their_figures_are_null(store):
    seen = []

    run(store, report=lambda _, history: seen.append(history), validation_fraction=0)

    assert seen[-1][0]["validation_accuracy"] is None
    json.dumps(seen, allow_nan=False)


def test_a_run_that_starts_from_a_version_begins_with_its_parameters(store):
    run(store, epochs=10)
    still = {"type": "sgd", "learning_rate": 1e-30}
    for _ in range(2):
        run(store, start_from=1, epochs=1, optimizer=still, seed=5, promote="never")

    registry = Registry(store)
    first, second, third = (registry.load("digits", number) for number in (1, 2, 3))
    for name in ("0.weight", "2.weight"):  # the last layer is calibrated anew
        began, ended = (version.network.to_tensors()[name] for version in (first, second))
        np.testing.assert_array_equal(began, ended)
    assert second.manifest.weights_sha256 == third.manifest.weights_sha256
    assert (second.manifest.parent, second.manifest.config["start_from"]) == (1, 1)


def test_a_run_that_starts_from_a_version_and_makes_way_ends_with_the_same_weights(store):
    run(store, epochs=2)
    asked = {"start_from": 1, "epochs": 4, "average": 0.9, "promote": "never"}
    undisturbed = run(store, **asked)["version"]
    with pytest.raises(InterruptedRunError):
        run(store, job_id="j", interruption=after(30), **asked)
    disturbed = run(store, job_id="j", execution_id="e2", **asked)["version"]

    assert digest(store, disturbed) == digest(store, undisturbed) != digest(store, 1)


def after(steps):
    """Tell to make way after so many questions: one a step, one an epoch."""
    asked = itertools.count(1)
    return nullcontext(lambda: next(asked) >= steps)


def digest(store, number):
    return Registry(store).manifest("digits", number).weights_sha256


def checkpoint(store, job_id):
    return store / "jobs" / job_id / "checkpoint.safetensors"


@pytest.mark.parametrize("steps", [1, 20, 21, 22, 30, 61, 66])  # an epoch: 21 steps, its end
def test_an_interrupted_run_goes_on_to_the_weights_of_an_undisturbed_one(store, steps):
    how = {"augment": {"shift": 2}, "average": 0.9, "early_stopping": {"patience": 50}}
    run(store, **how)
    with pytest.raises(InterruptedRunError):
        run(store, job_id="cut", interruption=after(steps), **how)
    run(store, job_id="cut", execution_id="e2", **how)

    registry = Registry(store)
    whole, resumed = (registry.manifest("digits", n) for n in (1, 2))
    assert resumed.weights_sha256 == whole.weights_sha256
    for line, other in zip(resumed.history, whole.history, strict=True):
        assert line | {"seconds": 0} == other | {"seconds": 0}
    assert resumed.metrics["training_seconds"] > 0


def test_a_run_that_is_cut_again_and_again_has_the_same_weights(store):
    run(store)
    for part in range(6):
        with pytest.raises(InterruptedRunError):
            run(store, job_id="cut", execution_id=f"e{part}", interruption=after(10))
    run(store, job_id="cut", execution_id="last")

    assert digest(store, 1) == digest(store, 2)


def test_a_checkpoint_that_the_disk_has_lost_costs_time_only(store):
    run(store)
    with pytest.raises(InterruptedRunError):
        run(store, job_id="cut", interruption=after(30))
    checkpoint(store, "cut").write_bytes(b"lost")
    run(store, job_id="cut", execution_id="e2")

    assert digest(store, 1) == digest(store, 2)


def test_a_run_does_not_go_on_with_other_data(store, monkeypatch):
    with pytest.raises(InterruptedRunError):
        run(store, job_id="cut", interruption=after(30))
    digits = datasets.load("digits", Settings(store=store))
    other = digits._replace(train=digits.train._replace(labels=digits.train.labels[::-1]))
    monkeypatch.setitem(datasets.LOADERS, "digits", lambda settings: other)

    with pytest.raises(DataChangedError, match="Post the job anew"):
        run(store, job_id="cut", execution_id="e2")


def test_a_checkpoint_is_kept_within_long_epochs_and_after_short_ones(store, monkeypatch):
    written = []
    monkeypatch.setattr(JobFolder, "save", lambda folder, content: written.append(content))

    for within, after_epochs, expected in ((0.0, 1e9, 3 * 21), (1e9, 0.0, 3), (1e9, 1e9, 0)):
        written.clear()
        monkeypatch.setattr(checkpoints, "SECONDS_BETWEEN_SAVES", within)
        monkeypatch.setattr(checkpoints, "SECONDS_BETWEEN_EPOCHS_SAVES", after_epochs)
        run(store)
        assert len(written) == expected


def test_a_run_ends_well_where_no_checkpoint_can_be_written(store, monkeypatch):
    def full(folder, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(JobFolder, "save", full)
    monkeypatch.setattr(checkpoints, "SECONDS_BETWEEN_SAVES", 0)

    assert run(store)["version"] == 1


def test_a_job_that_has_published_does_not_publish_again(store):
    first = run(store, job_id="once")
    again = run(store, job_id="once", execution_id="e2")

    assert again["version"] == first["version"] == 1
    assert again["test_accuracy"] == first["test_accuracy"]
    assert Registry(store).versions("digits") == [1]
    assert len(Registry(store).aliases("digits").history()) == 1


def test_a_run_told_to_make_way_while_its_report_is_drawn_ends_and_has_its_one_version(
    store, monkeypatch
):
    def draws(registry, version, test):
        os.kill(os.getpid(), signal.SIGTERM)
        return "nobody drew it"

    with monkeypatch.context() as patch:
        patch.setattr(release, "write_report", draws)
        horse = Horse(lambda: run(store, job_id="told", interruption=Interruption()))
        while not horse.wait(1):
            pass
        assert horse.bury() == (None, "Killed by SIGTERM")
    told = run(store, job_id="told", execution_id="e2")

    assert (told["version"], told["promoted"], told["report_error"]) == (1, True, None)
    assert Registry(store).versions("digits") == [1]


def test_an_execution_that_is_no_longer_the_jobs_publishes_nothing(store):
    def superseded(progress, history):
        JobFolder(store, "moved", "newer").take()

    with pytest.raises(SupersededError):
        run(store, job_id="moved", execution_id="older", report=superseded)

    assert Registry(store).versions("digits") == []


def test_a_store_that_is_away_is_not_taken_for_a_job_that_is_done(store):
    folder = JobFolder(store, "left", "e1")
    folder.take()
    store.rename(store.with_name("elsewhere"))
    store.mkdir()

    for use in (folder.check_store, lambda: folder.save(b"weights")):
        with pytest.raises(OSError, match="is away") as raised:
            use()
        assert may_pass(raised.value)
    assert list(store.iterdir()) == []


def test_an_execution_that_is_no_longer_the_jobs_writes_no_checkpoint(store):
    older, newer = JobFolder(store, "moved", "older"), JobFolder(store, "moved", "newer")
    assert (older.take(), newer.take()) == (False, True)
    newer.save(b"newer")

    with pytest.raises(SupersededError, match="Another execution"):
        older.save(b"older")
    assert newer.load() == b"newer"

    newer.remove()
    with pytest.raises(SupersededError, match="done"):
        older.save(b"older")
    assert not (store / "jobs" / "moved").exists()


def test_a_training_that_diverges_publishes_nothing(store):
    with np.errstate(all="ignore"), pytest.raises(NonFiniteLossError):
        run(store, optimizer={"type": "sgd", "learning_rate": 1e30}, loss="mean_squared_error")

    assert Registry(store).versions("digits") == []


def test_the_held_out_part_is_disjoint_and_has_its_share():
    examples = Examples(np.arange(50)[:, None], np.arange(50))

    train, validation = hold_out(examples, 0.1, np.random.default_rng(0))

    assert len(validation.labels) == 5
    assert sorted([*train.labels, *validation.labels]) == list(range(50))
