"""What a payload names in the store is looked up before it becomes a job."""

import numpy as np
import pytest

from nncore.dataset_store import DatasetStore
from nncore.errors import ConfigError
from nncore.layers import Dense
from nncore.resolve import resolve
from nncore.training import Examples
from tests.conftest import LAYERS, publish

START = {"model": "digits", "dataset": "digits"}


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def errors_of(payload, store):
    with pytest.raises(ConfigError) as caught:
        resolve(payload, store)
    return {error.pointer: error.detail for error in caught.value.errors}


@pytest.mark.parametrize("reference", [1, "1", "live"])
def test_a_version_to_start_from_becomes_a_number_with_its_network(registry, store, reference):
    publish(registry)

    config = resolve(START | {"start_from": reference}, store)

    assert config.start_from == 1
    assert config.network == LAYERS


def test_what_the_payload_says_itself_stands(registry, store):
    publish(registry)
    layers = [{"type": "dense", "units": 32}, {"type": "relu"}, {"type": "dense", "units": 10}]

    loss = {"type": "softmax_cross_entropy", "label_smoothing": 0.1}
    config = resolve(START | {"start_from": 1, "network": layers, "loss": loss}, store)

    assert config.network[0] == Dense(32)
    assert config.loss.label_smoothing == 0.1


def test_a_network_that_is_not_named_gets_as_many_outputs_as_there_are_labels(store):
    examples = Examples(np.zeros((4, 784), np.uint8), np.arange(4))
    DatasetStore(store).save("letters", examples, examples, tuple("abcd"), {})
    letters = START | {"dataset": "letters"}

    assert resolve(letters, store).network[-1] == Dense(4)
    assert resolve(letters | {"preset": "serving"}, store).network[-1] == Dense(4)
    assert resolve(START, store).network[-1] == Dense(10)
    named = letters | {"network": [{"type": "dense", "units": 10}]}
    assert set(errors_of(named, store)) == {"/network"}


def test_another_network_is_refused(registry, store):
    publish(registry)

    errors = errors_of(START | {"start_from": 1, "preset": "lenet"}, store)

    assert set(errors) == {"/start_from"}
    assert "cannot be gone on from: Tensor" in errors["/start_from"]


@pytest.mark.parametrize("reference", [7, -1, "best", "live@2026-01-01T00:00:00Z", "../1"])
def test_a_version_that_is_not_there_is_told_with_every_other_error(registry, store, reference):
    publish(registry)

    errors = errors_of(START | {"start_from": reference, "epochs": 0}, store)

    assert set(errors) == {"/start_from", "/epochs"}


def test_a_data_set_that_is_not_there_is_told_with_the_nearest(store):
    errors = errors_of({"model": "m", "dataset": "mnits", "epochs": 0}, store)

    assert set(errors) == {"/dataset", "/epochs"}
    assert "Did you mean 'mnist'?" in errors["/dataset"]


@pytest.mark.parametrize("reference", [True, 1.5, [1], {}])
def test_what_is_no_version_is_told(registry, store, reference):
    assert set(errors_of(START | {"start_from": reference}, store)) == {"/start_from"}


def test_a_damaged_version_is_refused(registry, store):
    publish(registry)
    weights = store / "models/digits/versions/1/weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")

    assert "/start_from" in errors_of(START | {"start_from": 1}, store)
