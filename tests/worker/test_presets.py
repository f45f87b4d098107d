"""The articles' networks do what the articles report; docs/articles.md has the full runs."""

import itertools

import numpy as np
import pytest

from nncore.classifier import Classifier
from nncore.config import TrainConfig
from nncore.presets import PRESETS
from nncore.registry import Registry
from worker.datasets import load
from worker.job_folder import JobFolder
from worker.settings import Settings
from worker.training import run_training

OF_MNIST = [name for name in PRESETS if "mnist" in PRESETS[name]["dataset"]]
QUICK = {"epochs": 2, "batch_size": 50, "dataset": "digits"}


def losses_of(name, settings, **changed):
    config = TrainConfig.from_dict({"model": "article", "preset": name} | changed)
    result = run_training(
        config, settings, job_id="article", folder=JobFolder(settings.store, "article", "once")
    )
    history = Registry(settings.store).manifest("article", result["version"]).history
    return [line["loss"] for line in history]


def falls(losses):
    return all(later <= earlier for earlier, later in itertools.pairwise(losses))


def answers(settings):
    version = Registry(settings.store).load("article", 1)
    return Classifier.of(version).probabilities(load("xor", settings).test.pixels)[:, 1]


def test_two_layer_sse_falls_monotonically_and_answers_as_the_article(tmp_path):
    settings = Settings(store=tmp_path)

    losses = losses_of("two-layer-sse", settings)

    assert len(losses) == 1500
    assert falls(losses)
    np.testing.assert_allclose(answers(settings), [0.02, 0.98, 0.98, 0.02], atol=0.02)


def test_two_layer_sse_takes_the_very_steps_of_the_article(tmp_path):
    settings = Settings(store=tmp_path)
    losses_of("two-layer-sse", settings, epochs=5)
    config = TrainConfig.from_dict({"model": "article", "preset": "two-layer-sse"})
    init, *_ = np.random.default_rng(config.seed).spawn(3)
    tensors = config.build_network(init).to_tensors()
    w1, w2 = (tensors[name].T.astype(float) for name in ("0.weight", "2.weight"))
    x = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
    y = np.array([[0], [1], [1], [0]])

    for _ in range(5):  # as the article has it, with its step of 1 on the plain sum
        layer1 = 1 / (1 + np.exp(-x @ w1))
        output = 1 / (1 + np.exp(-layer1 @ w2))
        d2 = 2 * (y - output) * output * (1 - output)
        d1 = d2 @ w2.T * layer1 * (1 - layer1)
        w1, w2 = w1 + x.T @ d1, w2 + layer1.T @ d2

    trained = Registry(tmp_path).load("article", 1).network.to_tensors()
    np.testing.assert_allclose(trained["0.weight"].T, w1, atol=1e-5)
    np.testing.assert_allclose(trained["2.weight"].T, w2, atol=1e-5)


def test_two_layer_log_loss_falls_monotonically(tmp_path):
    settings = Settings(store=tmp_path)

    losses = losses_of("two-layer-log-loss", settings)

    assert len(losses) == 1500
    assert falls(losses)
    assert (answers(settings).round() == [0, 1, 1, 0]).all()


@pytest.mark.parametrize("name", ["becoming-human", "any-depth-log-loss"])
def test_plain_gradient_descent_on_pictures_has_a_falling_history(tmp_path, name):
    losses = losses_of(name, Settings(store=tmp_path), epochs=30, dataset="digits")

    assert len(losses) == 30
    assert falls(losses)


@pytest.mark.parametrize("name", OF_MNIST)
def test_every_network_for_pictures_trains_and_is_published(tmp_path, name):
    losses = losses_of(name, Settings(store=tmp_path), **QUICK)

    assert losses[1] < losses[0]
    assert Registry(tmp_path).versions("article") == [1]


@pytest.mark.mnist
def test_mini_batch_sse_learns_mnist(tmp_path, mnist_dir):
    settings = Settings(store=tmp_path, mnist_dir=mnist_dir)

    losses_of("mini-batch-sse", settings, epochs=3)

    # How far it comes in thirty depends on the seed: docs/articles.md.
    assert Registry(tmp_path).manifest("article", 1).metrics["test_accuracy"] > 0.5
