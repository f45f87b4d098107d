import json

import pytest

from nncore.config import TrainConfig
from nncore.errors import ConfigError
from nncore.layers import Dense, Sigmoid
from nncore.losses import MeanSquaredError
from nncore.optimizers import SGD
from nncore.presets import PRESETS

REQUIRED = {"model": "digits", "dataset": "mnist"}
TEN = {"type": "dense", "units": 10}
HUGE = [{"type": "dense", "units": 90_000}] * 3 + [{"type": "dense", "units": 10}]


def errors_of(payload):
    with pytest.raises(ConfigError) as caught:
        TrainConfig.from_dict(payload)
    return {error.pointer: error.detail for error in caught.value.errors}


def test_only_model_and_dataset_are_required():
    config = TrainConfig.from_dict(REQUIRED)

    assert config.epochs == 10
    assert config.promote == "if_better"
    assert set(errors_of({})) == {"/model", "/dataset"}


def test_a_config_is_the_same_after_a_trip_through_json():
    config = TrainConfig.from_dict(
        REQUIRED
        | {
            "network": [{"type": "dense", "units": 30}, "sigmoid", {"type": "dense", "units": 10}],
            "loss": "mean_squared_error",
            "optimizer": {"type": "sgd", "learning_rate": 3, "momentum": 0.5},
            "schedule": {"type": "constant"},
            "epochs": 2,
            "promote": "never",
        }
    )

    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert config.network == (Dense(30), Sigmoid(), Dense(10))
    assert config.loss == MeanSquaredError()
    assert config.optimizer == SGD(learning_rate=3, momentum=0.5)


@pytest.mark.parametrize(
    ("change", "pointer", "words"),
    [
        ({"epoch": 3}, "/epoch", "Unknown key 'epoch'. Did you mean 'epochs'?"),
        ({"a/b~c": 3}, "/a~1b~0c", "Unknown key"),
        ({"dataset": 5}, "/dataset", "a text; got 5"),
        ({"model": "../../etc"}, "/model", "letters, digits"),
        ({"model": ".hidden"}, "/model", "the first not '.'"),
        ({"model": "x" * 65}, "/model", "1 to 64"),
        ({"epochs": 0}, "/epochs", "at least 1"),
        ({"epochs": 2.5}, "/epochs", "a whole number; got 2.5"),
        ({"epochs": None}, "/epochs", "got null"),
        ({"batch_size": -1}, "/batch_size", "at least 1"),
        ({"seed": -1}, "/seed", "at least 0"),
        ({"validation_fraction": 1}, "/validation_fraction", "below 1"),
        ({"validation_fraction": 0.999999}, "/validation_fraction", "none is left to train on"),
        ({"epochs": 10**400}, "/epochs", "at most 100000; got 1000"),
        ({"seed": 10**400}, "/seed", "below"),
        (
            {"optimizer": {"type": "adam", "learning_rate": 10**400}},
            "/optimizer/learning_rate",
            "above 0",
        ),
        ({"x" * 10**6: 1}, "/" + "x" * 80, "Unknown key"),
        (
            {"batch_size": 100_000, "network": [{"type": "dense", "units": 9000}, "relu", TEN]},
            "/batch_size",
            "numbers between the layers",
        ),
        ({"validation_fraction": float("nan")}, "/validation_fraction", "got nan"),
        ({"promote": "maybe"}, "/promote", "Known: always, if_better, never"),
        ({"network": "dense"}, "/network", "a list; got 'dense'"),
        ({"network": ["relu"] * 201}, "/network", "at most 200; got 201"),
        ({"network": []}, "/network", "Expected 10 outputs"),
        ({"preset": "mini-batch"}, "/preset", "Did you mean 'mini-batch-sse'?"),
        ({"preset": ""}, "/preset", "Unknown preset"),
        ({"preset": 5}, "/preset", "a text; got 5"),
        ({"l2": -1}, "/l2", "at least 0"),
        ({"average": 1}, "/average", "below 1"),
        ({"clip_norm": 0}, "/clip_norm", "above 0"),
        ({"early_stopping": {"patience": 0}}, "/early_stopping/patience", "at least 1"),
        ({"early_stopping": {}, "validation_fraction": 0}, "/early_stopping", "above 0"),
        ({"early_stopping": 3}, "/early_stopping", "an object; got 3"),
        ({"augment": {"shifts": 2}}, "/augment/shifts", "Did you mean 'shift'?"),
        ({"augment": {"rotate": 900}}, "/augment/rotate", "at most 180"),
        ({"dataset": "xor"}, "/network", "Expected 2 outputs for the 2 labels"),
        ({"network": [{"type": "dense", "units": 5}]}, "/network", "Expected 10 outputs"),
        ({"network": [{"type": "relu"}]}, "/network", "Expected 10 outputs"),
        (
            {
                "network": [{"type": "dense", "units": 90_000}] * 3
                + [{"type": "dense", "units": 10}]
            },
            "/network",
            "parameters; got",
        ),
        ({"network": [{"type": "relu"}, 3]}, "/network/1", "got 3"),
        ({"network": [{"type": "dense", "units": -3}]}, "/network/0/units", "at least 1"),
        ({"loss": "entropy"}, "/loss/type", "softmax_cross_entropy"),
        ({"optimizer": {"type": "adam", "lr": 1}}, "/optimizer/lr", "learning_rate"),
        ({"optimizer": {"type": "adam", "beta1": 2}}, "/optimizer/beta1", "below 1"),
        ({"schedule": "cosin"}, "/schedule/type", "Did you mean 'cosine'?"),
    ],
)
def test_what_is_wrong_is_named_by_pointer_and_reason(change, pointer, words):
    errors = errors_of(REQUIRED | change)

    assert words in errors[pointer]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_config_and_the_keys_beside_it_go_first(name):
    payload = PRESETS[name] | {"model": "m", "preset": name}

    config = TrainConfig.from_dict({"model": "m", "preset": name})
    changed = TrainConfig.from_dict({"model": "m", "preset": name, "epochs": 7})

    assert config == TrainConfig.from_dict(payload)
    assert (config.preset, changed.epochs) == (name, 7)
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_null_means_all_rows_at_once():
    assert TrainConfig.from_dict(REQUIRED | {"batch_size": None}).batch_size is None


def test_every_error_is_told_at_once():
    errors = errors_of(
        {
            "model": "a b",
            "dataset": "mnist",
            "epochs": "ten",
            "colour": 1,
            "optimizer": {"type": "adam", "learning_rate": -1},
        }
    )

    assert {"/epochs", "/colour", "/optimizer/learning_rate"} <= set(errors)
    assert set(errors_of(REQUIRED | {"model": "a b", "epochs": 0})) == {"/model", "/epochs"}
    several = {"epochs": 0, "seed": "x", "dataset": "xor", "network": ["rleu"]}
    assert set(errors_of(REQUIRED | several)) == {"/epochs", "/seed", "/network/0/type"}


def test_not_more_than_twenty_unknown_keys_are_told():
    assert len(errors_of(REQUIRED | {f"key{i}": 1 for i in range(100_000)})) == 20


@pytest.mark.parametrize("payload", [None, [], "mnist", 3])
def test_a_payload_that_is_no_object_is_refused(payload):
    assert "Expected an object" in errors_of(payload)[""]
