import json

import numpy as np
import pytest

from nncore.errors import ConfigError, ShapeError
from nncore.gradient_check import gradient_errors
from nncore.initializers import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LeCunNormal,
    Normal,
    NormalByUnits,
    Uniform,
    Zeros,
)
from nncore.layers import (
    LAYERS,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Layer,
    MaxPool2D,
    ReLU,
    Reshape,
    Tanh,
)
from nncore.losses import LOSSES, SoftmaxCrossEntropy
from nncore.network import Network
from nncore.specs import from_json, to_json
from tests.nncore.layer_examples import (
    SIZES,
    WINDOWED,
    WINDOWS,
    example,
    first,
    flat,
    inside,
    shape_for,
    windowed,
)

CLASSES = 4
ROWS = 5
# Central differences in float64 with steps of 1e-6 leave about 1e-9; a wrong formula leaves 1e-3.
TOLERANCE = 1e-6


def as_in_training(network, x):
    """Forward as in training, the same at each call."""
    return network.forward_train(x, np.random.default_rng(7))


def setting(layers, shape=(9,), seed=1):
    """Return a float64 network with parameters all over the place, and a batch."""
    rng = np.random.default_rng(seed)
    network = Network(layers, shape, dtype=np.float64)
    network.init(rng)
    network.params += 0.1 * rng.standard_normal(network.params.shape)
    network.state += 0.1 * rng.random(network.state.shape)
    return network, rng.standard_normal((ROWS, *shape)), rng.integers(0, CLASSES, ROWS)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("forward", [Network.forward, as_in_training], ids=["serving", "training"])
def test_gradients_of_every_layer_with_every_loss_match_differences(layer, loss, forward):
    network, x, labels = setting(inside(layer, CLASSES))

    errors = gradient_errors(
        network, LOSSES[loss](), x, labels, np.random.default_rng(2), forward=forward
    )

    assert "input" in errors
    assert max(errors.values()) < TOLERANCE, errors


@pytest.mark.parametrize("layer", LAYERS)
def test_gradients_of_every_layer_at_the_input_match_differences(layer):
    network, x, labels = setting(first(layer, CLASSES), shape_for(layer))

    errors = gradient_errors(
        network, LOSSES["softmax_cross_entropy"](), x, labels, np.random.default_rng(2)
    )

    assert max(errors.values()) < TOLERANCE, errors


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("windows", WINDOWS, ids=str)
@pytest.mark.parametrize("kind", WINDOWED)
def test_gradients_of_any_window_over_pictures_of_any_size_match_differences(kind, windows, size):
    shape = (2, *size)
    network, x, labels = setting(flat([windowed(kind, windows), Tanh()], shape, CLASSES), shape)

    errors = gradient_errors(network, SoftmaxCrossEntropy(), x, labels, np.random.default_rng(2))

    assert "input" in errors
    assert max(errors.values()) < TOLERANCE, errors


@pytest.mark.parametrize("bias", [True, False])
def test_gradients_of_a_smoothed_loss_and_of_layers_without_bias_match_differences(bias):
    network, x, labels = setting([Dense(7, bias=bias), ReLU(), Dense(CLASSES, bias=bias)])

    errors = gradient_errors(
        network, SoftmaxCrossEntropy(label_smoothing=0.2), x, labels, np.random.default_rng(2)
    )

    assert max(errors.values()) < TOLERANCE
    assert ("0.b" in errors) is bias


@pytest.mark.parametrize("name", LAYERS)
def test_a_wrong_gradient_is_found(name):
    class Wrong(type(example(name))):
        def backward(self, params, grads, cache, dy, *, input_grad=True):
            dx = super().backward(params, grads, cache, dy, input_grad=input_grad)
            return None if dx is None else dx * 1.01

    network, x, labels = setting(inside(name, CLASSES, example(name, Wrong)))

    errors = gradient_errors(
        network, LOSSES["softmax_cross_entropy"](), x, labels, np.random.default_rng(2)
    )

    assert max(errors.values()) > 1e-3


def arrays_of(layer, shape=(3,)):
    """Return float32 parameters and state of a layer, initialised."""
    shapes = layer.param_shapes(shape) | layer.state_shapes(shape)
    params = {key: np.zeros(shape, np.float32) for key, shape in shapes.items()}
    layer.init(params, np.random.default_rng(0))
    return params


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_the_same_after_a_trip_through_json(name):
    layer = example(name)

    assert from_json(Layer, json.loads(json.dumps(to_json(layer)))) == layer


@pytest.mark.parametrize("name", LAYERS)
def test_forward_leaves_its_input_alone_and_keeps_float32(name):
    layer, shape = example(name), shape_for(name)
    x = np.random.default_rng(0).standard_normal((ROWS, *shape)).astype(np.float32)
    before = x.copy()

    y, _ = layer.forward(arrays_of(layer, shape), x)

    np.testing.assert_array_equal(x, before)
    assert y.dtype == np.float32
    assert y.shape == (ROWS, *layer.output_shape(shape))


@pytest.mark.parametrize("name", LAYERS)
def test_forward_stays_finite_at_ten_thousand(name):
    layer, shape = example(name), shape_for(name)
    x = np.random.default_rng(0).choice([-1e4, 0, 1e4], (ROWS, *shape)).astype(np.float32)

    y, _ = layer.forward(arrays_of(layer, shape), x)

    assert np.isfinite(y).all()


def test_sigmoid_is_the_logistic_function():
    x = np.linspace(-20, 20, 41)

    y, _ = LAYERS["sigmoid"]().forward({}, x)

    np.testing.assert_allclose(y, 1 / (1 + np.exp(-x)), rtol=1e-7, atol=1e-15)


def test_dense_without_input_gradient_returns_none_and_the_same_parameter_gradients():
    layer = Dense(2)
    rng = np.random.default_rng(0)
    params = {"W": rng.standard_normal((3, 2)), "b": rng.standard_normal(2)}
    grads = [{"W": np.empty((3, 2)), "b": np.empty(2)} for _ in range(2)]
    x, dy = rng.standard_normal((ROWS, 3)), rng.standard_normal((ROWS, 2))

    with_dx = layer.backward(params, grads[0], x, dy)
    without = layer.backward(params, grads[1], x, dy, input_grad=False)

    assert with_dx.shape == x.shape
    assert without is None
    np.testing.assert_array_equal(grads[0]["W"], grads[1]["W"])
    np.testing.assert_array_equal(grads[0]["b"], grads[1]["b"])


def test_dense_refuses_rows_that_are_not_flat():
    with pytest.raises(ShapeError, match=r"flat rows; got rows of shape \(28, 28\)"):
        Dense(10).output_shape((28, 28))


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        (Conv2D(3, 5), (784,), r"\(channels, height, width\).*; got \(784,\)"),
        (Conv2D(3, (5, 3)), (1, 4, 9), "kernel of 5 x 3 does not fit into pictures of 4 x 9"),
        (MaxPool2D(3), (1, 2, 2), "kernel of 3 x 3 does not fit"),
        (Reshape((1, 28, 28)), (785,), r"\(785,\) cannot get the shape \(1, 28, 28\)"),
    ],
    ids=str,
)
def test_rows_that_do_not_fit_are_refused_by_their_shapes(layer, shape, words):
    with pytest.raises(ShapeError, match=words):
        layer.output_shape(shape)


@pytest.mark.parametrize(
    ("spec", "pointer", "words"),
    [
        ({"type": "dens", "units": 3}, "/type", "Did you mean 'dense'?"),
        ({"type": "dense"}, "/units", "required"),
        ({"type": "dense", "units": "3"}, "/units", "a whole number; got '3'"),
        ({"type": "dense", "units": True}, "/units", "got true"),
        ({"type": "dense", "units": 0}, "/units", "at least 1"),
        ({"type": "dense", "units": 10**9}, "/units", "at most"),
        ({"type": "dense", "unit": 3, "units": 3}, "/unit", "Did you mean 'units'?"),
        ({"type": "dense", "units": 3, "initializer": "he"}, "/initializer/type", "he_normal"),
        (
            {"type": "dense", "units": 3, "initializer": {"type": "normal", "std": -1}},
            "/initializer/std",
            "at least 0",
        ),
        ({"type": "dropout", "rate": 1}, "/rate", "below 1"),
        ({"type": "conv2d", "filters": 3}, "/kernel_size", "required"),
        ({"type": "conv2d", "filters": 0, "kernel_size": 3}, "/filters", "at least 1"),
        ({"type": "conv2d", "filters": 3, "kernel_size": 0}, "/kernel_size", "1 to 1000"),
        ({"type": "conv2d", "filters": 3, "kernel_size": [3]}, "/kernel_size", "a list of 2"),
        ({"type": "conv2d", "filters": 3, "kernel_size": [3, "3"]}, "/kernel_size/1", "whole"),
        ({"type": "conv2d", "filters": 3, "kernel_size": "3"}, "/kernel_size", "whole number"),
        ({"type": "conv2d", "filters": 3, "kernel_size": 3, "stride": 0}, "/stride", "got 0"),
        ({"type": "max_pool2d", "stride": [1, 0]}, "/stride", "a list of 2"),
        ({"type": "max_pool2d", "padding": 2}, "/padding", "at most half"),
        ({"type": "reshape", "shape": []}, "/shape", "1 to 8 whole numbers"),
        ({"type": "reshape", "shape": [1, -1]}, "/shape", "got [1, -1]"),
        ({"units": 3}, "", 'Expected {"type": "<layer>"'),
        (7, "", "got 7"),
        ("gru", "/type", "Unknown layer 'gru'"),
    ],
)
def test_a_wrong_spec_is_refused_with_pointer_and_reason(spec, pointer, words):
    with pytest.raises(ConfigError) as caught:
        from_json(Layer, spec)

    assert caught.value.errors[0].pointer == pointer
    assert words in caught.value.errors[0].detail


@pytest.mark.parametrize(
    ("initializer", "variance"),
    [
        (HeNormal(), 2 / 300),
        (HeUniform(), 2 / 300),
        (GlorotNormal(), 2 / 400),
        (GlorotUniform(), 2 / 400),
        (LeCunNormal(), 1 / 300),
        (Normal(std=0.01), 1e-4),
        (NormalByUnits(), 1 / 100),
        (Zeros(), 0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_initial_weights_have_the_variance_of_their_source(initializer, variance):
    W = np.empty((300, 100))

    initializer.fill(W, np.random.default_rng(0))

    assert W.var() == pytest.approx(variance, rel=0.02)
    assert abs(W.mean()) < 3 * np.sqrt(variance / W.size) + 1e-12


def test_uniform_initial_weights_stay_within_their_bounds():
    W = np.empty((300, 100))

    Uniform(low=-2, high=1).fill(W, np.random.default_rng(0))

    assert -2 <= W.min() < -1.99
    assert 0.99 < W.max() < 1


def test_dropout_keeps_the_mean_and_drops_its_share():
    x = np.ones((200, 300), np.float32)

    y, mask = Dropout(0.25).forward_train({}, x, np.random.default_rng(0))

    assert (y == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert y.mean() == pytest.approx(1, abs=0.01)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, mask)
    np.testing.assert_array_equal(Dropout(0.25).forward({}, x)[0], x)


def test_batch_norm_brings_a_batch_to_mean_zero_and_variance_one():
    layer, rng = BatchNorm(), np.random.default_rng(0)
    params = arrays_of(layer)
    x = rng.normal([3, -1, 0], [1, 5, 0.1], (500, 3)).astype(np.float32)

    y, _ = layer.forward_train(params, x, rng)

    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(axis=0), 1, atol=1e-3)
    np.testing.assert_allclose(params["mean"], 0.1 * x.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(params["variance"], 0.9 + 0.1 * x.var(axis=0, ddof=1), rtol=1e-4)


def test_batch_norm_serves_with_its_running_statistics_one_row_as_many():
    layer, rng = BatchNorm(momentum=1), np.random.default_rng(0)
    params = arrays_of(layer)
    x = rng.normal([3, -1, 0], [1, 5, 0.1], (500, 3)).astype(np.float32)
    layer.forward_train(params, x, rng)
    before = {name: array.copy() for name, array in params.items()}

    y, _ = layer.forward(params, x)

    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(layer.forward(params, x[:1])[0], y[:1], atol=1e-6)
    for name, array in before.items():
        np.testing.assert_array_equal(params[name], array)
