import numpy as np
import pytest

from nncore import estimate
from nncore.config import TrainConfig
from nncore.datasets import DATASETS
from nncore.layers import Dense
from nncore.network import Network


def config(**changed):
    return TrainConfig.from_dict({"model": "m", "dataset": "digits"} | changed)


def memory(**changed):
    asked = config(**changed)
    return estimate.memory_bytes(asked, DATASETS[asked.dataset])


def test_parameters_are_those_of_the_network():
    network = Network((Dense(10),), (784,))

    asked = config(network=[{"type": "dense", "units": 10}])

    assert estimate.parameters(asked, DATASETS["digits"]) == network.params.size


@pytest.mark.parametrize(
    "more",
    [
        {"batch_size": 1024},
        {"network": [{"type": "dense", "units": 1024}, {"type": "dense", "units": 10}]},
        {"dataset": "mnist"},
        {"average": 0.99},
        {"early_stopping": {"patience": 3}},
    ],
)
def test_what_takes_more_memory_is_told_to(more):
    assert memory(**more) > memory()


def test_an_optimizer_that_keeps_less_takes_less():
    assert memory(optimizer="sgd") < memory(optimizer="adam")


def test_a_run_trains_on_its_rows_in_each_epoch():
    data = DATASETS["digits"]

    assert estimate.rows_in_all(config(epochs=3, validation_fraction=0), data) == 3 * 1437
    assert estimate.rows_in_all(config(epochs=3), data) < 3 * 1437


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"batch_size": None},
        {"preset": "lenet"},
        {"augment": {"rotate": 5}, "average": 0.9, "early_stopping": {"patience": 1}},
        {"optimizer": {"type": "sgd", "learning_rate": 1e30}, "loss": "mean_squared_error"},
    ],
)
def test_any_run_can_be_timed(changed):
    asked = config(**changed)

    seconds = estimate.seconds_per_row(asked, DATASETS[asked.dataset], budget=0.01)

    assert 0 < seconds < 10
    assert np.isfinite(seconds)


def test_runs_have_the_same_speed_whatever_their_seed_and_length_and_no_other():
    key = estimate.speed_key(config())

    assert estimate.speed_key(config(seed=3, epochs=99, model="x", promote="never")) == key
    assert estimate.speed_key(config(batch_size=32)) != key
    assert estimate.speed_key(config(preset="two-layer-sse", dataset="xor")) != key
