import json

import numpy as np
import pytest

from nncore.classifier import Classifier
from nncore.registry import Registry
from nncore.training import Examples
from tests.conftest import classifier_of, publish
from tests.worker.runs import run
from worker import datasets
from worker.promotion import judge, judge_and_promote
from worker.settings import Settings

DIGITS = tuple("0123456789")


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def random_images(rows, labels=10):
    rng = np.random.default_rng(0)
    return Examples(
        rng.integers(0, 256, (rows, 784)).astype(np.uint8), rng.integers(0, labels, rows)
    )


def judge_answers(registry, test, predictions, promote="if_better", labels=DIGITS):
    return judge(
        registry, "digits", 1, promote=promote, labels=labels, test=test, predictions=predictions
    )


def rightly_answered(registry, rows):
    """Return images that the live version gets all right."""
    test = random_images(rows)
    return test._replace(labels=classifier_of(registry, 1).predict(test.pixels))


def test_the_first_version_goes_live_and_a_worse_one_does_not(store):
    first = run(store, epochs=20)
    worse = run(store, epochs=1, optimizer={"type": "sgd", "learning_rate": 1e-6})

    registry = Registry(store)
    assert (first["promoted"], first["reason"]) == (True, "No version was live.")
    assert not worse["promoted"]
    assert "A loss of 0.2 points is not ruled out: p = 1, not below 0.05." in worse["reason"]
    assert registry.aliases("digits").all() == {"live": 1}
    assert registry.versions("digits") == [1, 2]
    assert registry.manifest("digits", 2).parent == 1


def test_a_better_version_goes_live(store):
    run(store, epochs=2)

    better = run(store, epochs=30)

    assert better["promoted"]
    assert "A loss of 0.2 points is ruled out" in better["reason"]
    assert Registry(store).aliases("digits").all() == {"live": 2, "previous": 1}


def write_idx(folder, train, test):
    """Write two parts as MNIST's four files."""
    folder.mkdir()
    for (images, labels), part in zip(datasets.MNIST_FILES.values(), (train, test), strict=True):
        for name, array in ((images, part.pixels.reshape(-1, 28, 28)), (labels, part.labels)):
            shape = np.array(array.shape, ">u4").tobytes()
            magic = bytes([0, 0, 8, array.ndim])
            (folder / name).write_bytes(magic + shape + array.astype(np.uint8).tobytes())


def test_a_version_trained_on_shuffled_labels_is_kept_but_never_goes_live(store, tmp_path):
    train, test = datasets.load("digits", Settings(store=store))[1:3]
    shuffled = train._replace(labels=np.random.default_rng(0).permutation(train.labels))
    write_idx(tmp_path / "right", train, test)
    write_idx(tmp_path / "shuffled", shuffled, test)
    run(store, dataset="mnist", mnist_dir=tmp_path / "right")

    result = run(store, dataset="mnist", mnist_dir=tmp_path / "shuffled")

    registry = Registry(store)
    assert (result["version"], result["promoted"]) == (2, False)
    assert registry.versions("digits") == [1, 2]
    assert registry.aliases("digits").all() == {"live": 1}
    assert len(registry.aliases("digits").history()) == 1
    assert registry.verdict("digits", 2)["reason"] == result["reason"]


def test_the_verdict_is_kept_with_its_numbers_and_the_pictures(store):
    run(store, epochs=5)
    result = run(store, epochs=1)

    registry = Registry(store)
    verdict = registry.verdict("digits", 2)
    pictures = json.loads(registry.report_file("digits", 2, "disagreements.json"))["disagreements"]
    assert verdict["promote"] is result["promoted"] is False
    assert (verdict["champion"], verdict["rows"]) == (1, 360)
    assert verdict["challenger_accuracy"] == result["test_accuracy"]
    assert verdict["champion_accuracy"] == registry.manifest("digits", 1).metrics["test_accuracy"]
    assert 360 * verdict["challenger_accuracy"] == pytest.approx(
        360 * verdict["champion_accuracy"] + verdict["gained"] - verdict["lost"]
    )
    assert len(pictures) == min(50, len(pictures)) > 0
    again = classifier_of(registry, 2).predict(np.array([p["pixels"] for p in pictures]))
    assert [p["challenger"] for p in pictures] == [str(label) for label in again]
    assert all(p["champion"] != p["challenger"] for p in pictures)


@pytest.mark.parametrize(("promote", "promoted"), [("always", True), ("never", False)])
def test_the_job_may_say_what_is_promoted(store, promote, promoted):
    result = run(store, promote=promote)

    live = Registry(store).aliases("digits").get("live")
    assert result["promoted"] is promoted
    assert live == (1 if promoted else None)


@pytest.mark.parametrize(("promote", "promoted"), [("always", True), ("never", False)])
def test_a_version_that_the_job_promotes_or_not_is_compared_all_the_same(
    registry, promote, promoted
):
    publish(registry)
    test = random_images(50)

    verdict = judge_answers(registry, test, test.labels, promote=promote)

    assert verdict.promote is promoted
    assert verdict.reason == f'The job says "{promote}".'
    assert verdict.comparison.numbers()["challenger_accuracy"] == 1


def test_of_two_that_are_judged_at_once_the_second_is_judged_by_what_the_first_made_live(
    registry, monkeypatch
):
    publish(registry)
    test = rightly_answered(registry, 4_000)
    for seed in (1, 2):
        publish(registry, seed=seed, live=False)
    load = registry.load

    def another_is_promoted_meanwhile(model, version):
        monkeypatch.setattr(registry, "load", load)
        champion = registry.load(model, version)
        registry.promote("digits", 2)
        return champion

    monkeypatch.setattr(registry, "load", another_is_promoted_meanwhile)
    version = load("digits", 3)
    test = test._replace(labels=Classifier.of(version).predict(test.pixels))
    verdict = judge_and_promote(registry, version, promote="if_better", test=test)

    assert (verdict.promote, verdict.champion) == (True, 2)
    assert registry.verdict("digits", 3)["champion"] == 2
    moves = [(move["from"], move["to"]) for move in registry.aliases("digits").history()]
    assert moves == [(None, 1), (1, 2), (2, 3)]


def test_a_live_version_that_is_damaged_gives_way(registry, tmp_path):
    publish(registry)
    (tmp_path / "store/models/digits/versions/1/manifest.json").write_text("{")
    test = random_images(1)

    verdict = judge_answers(registry, test, test.labels)

    assert verdict.promote
    assert "cannot be loaded" in verdict.reason


@pytest.mark.parametrize(
    ("pixels", "labels", "words"),
    [
        (3, DIGITS, r"takes rows of shape (784,) and knows 10 labels, here they are of shape (3,)"),
        (784, ("no", "yes"), "of shape (784,) with 2."),
        (784, tuple("abcdefghij"), "with 10."),
    ],
)
def test_a_live_version_that_cannot_be_compared_is_not_replaced(registry, pixels, labels, words):
    publish(registry)
    test = Examples(np.zeros((1, pixels), np.uint8), np.zeros(1, int))

    verdict = judge_answers(registry, test, test.labels, labels=labels)

    assert not verdict.promote
    assert "cannot be compared" in verdict.reason
    assert words in verdict.reason


@pytest.mark.parametrize(("rows", "promoted"), [(400, False), (4_000, True)])
def test_a_version_that_answers_alike_goes_live_where_there_are_images_enough_to_tell(
    registry, rows, promoted
):
    publish(registry)
    test = rightly_answered(registry, rows)

    assert judge_answers(registry, test, test.labels).promote is promoted


@pytest.mark.parametrize(("wrong", "promoted"), [(1, True), (9, False)])
def test_a_version_that_loses_a_few_images_goes_live_as_long_as_the_loss_stays_below_the_margin(
    registry, wrong, promoted
):
    publish(registry)
    test = rightly_answered(registry, 4_000)
    predictions = np.concatenate([(test.labels[:wrong] + 1) % 10, test.labels[wrong:]])

    verdict = judge_answers(registry, test, predictions)

    assert verdict.promote is promoted
    assert f"0 gained, {wrong} lost" in verdict.reason


def test_a_version_that_gains_much_but_falls_in_one_class_does_not_go_live(registry):
    publish(registry)
    test = rightly_answered(registry, 4_000)
    # The champion now gets a tenth wrong, and never the rarest class.
    answered = np.bincount(test.labels, minlength=10)
    rarest = int(np.argmin(np.where(answered > 50, answered, 4_000)))
    wrong = np.flatnonzero(test.labels != rarest)[:400]
    test.labels[wrong] = [
        (c + 1) % 10 if (c + 1) % 10 != rarest else (c + 2) % 10 for c in test.labels[wrong]
    ]
    predictions = test.labels.copy()
    fallen = np.flatnonzero(test.labels == rarest)[: answered[rarest] // 10]
    predictions[fallen] = (rarest + 1) % 10

    verdict = judge_answers(registry, test, predictions)

    assert not verdict.promote
    assert verdict.comparison.p_value < 0.001
    assert "A class falls by more than 2 points" in verdict.reason
    assert f"'{rarest}' from 100.00% to 9" in verdict.reason
