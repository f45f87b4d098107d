import numpy as np
import pytest

from nncore.errors import ConfigError, ShapeError
from nncore.gradient_check import gradient_errors
from nncore.initializers import INITIALIZERS
from nncore.layers import LAYERS, Dense, layer_from_json, layer_to_json
from nncore.losses import LOSSES
from nncore.network import Network

CLASSES = 4
ROWS = 5
# Central differences in float64 with steps of 1e-6 leave about 1e-9; the issue of truncation and
# rounding is well below 1e-6.
TOLERANCE = 1e-6


def example(name):
    """Every layer by its name: with its required hyperparameters, else by default."""
    return Dense(6) if name == "dense" else LAYERS[name]()


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_of_every_layer_with_every_loss_match_differences(layer, loss):
    rng = np.random.default_rng(1)
    network = Network([Dense(7), example(layer), Dense(CLASSES)], (9,), dtype=np.float64)
    network.init(rng)
    network.params += 0.1 * rng.standard_normal(network.params.shape)
    x = rng.standard_normal((ROWS, 9))
    labels = rng.integers(0, CLASSES, ROWS)

    errors = gradient_errors(network, LOSSES[loss](), x, labels, rng)

    assert "input" in errors
    assert max(errors.values()) < TOLERANCE, errors


@pytest.mark.parametrize("name", LAYERS)
def test_a_wrong_gradient_is_found(name):
    class Wrong(type(example(name))):
        def backward(self, params, grads, cache, dy, *, input_grad=True):
            dx = super().backward(params, grads, cache, dy, input_grad=input_grad)
            return None if dx is None else dx * 1.01

    fields = {"units": 6} if name == "dense" else {}
    rng = np.random.default_rng(1)
    network = Network([Dense(7), Wrong(**fields), Dense(CLASSES)], (9,), dtype=np.float64)
    network.init(rng)
    x, labels = rng.standard_normal((ROWS, 9)), rng.integers(0, CLASSES, ROWS)

    errors = gradient_errors(network, LOSSES["softmax_cross_entropy"](), x, labels, rng)

    assert max(errors.values()) > 1e-3


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_the_same_after_a_trip_through_json(name):
    layer = example(name)

    assert layer_from_json(layer_to_json(layer)) == layer


@pytest.mark.parametrize("name", LAYERS)
def test_forward_leaves_its_input_alone_and_keeps_float32(name):
    layer = example(name)
    x = np.random.default_rng(0).standard_normal((ROWS, 3)).astype(np.float32)
    before = x.copy()
    params = {key: np.ones(shape, np.float32) for key, shape in layer.param_shapes((3,)).items()}

    y, _ = layer.forward(params, x)

    np.testing.assert_array_equal(x, before)
    assert y.dtype == np.float32
    assert y.shape == (ROWS, *layer.output_shape((3,)))


@pytest.mark.parametrize("name", LAYERS)
def test_forward_stays_finite_at_ten_thousand(name):
    layer = example(name)
    x = np.array([[-1e4, 0, 1e4]], np.float32)
    params = {key: np.ones(shape, np.float32) for key, shape in layer.param_shapes((3,)).items()}

    y, _ = layer.forward(params, x)

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
    ("spec", "pointer", "words"),
    [
        ({"type": "dens", "units": 3}, "/type", "Did you mean 'dense'?"),
        ({"type": "dense"}, "/units", "required"),
        ({"type": "dense", "units": "3"}, "/units", "a whole number; got '3'"),
        ({"type": "dense", "units": True}, "/units", "got true"),
        ({"type": "dense", "units": 0}, "/units", "at least 1"),
        ({"type": "dense", "units": 10**9}, "/units", "at most"),
        ({"type": "dense", "unit": 3, "units": 3}, "/unit", "Did you mean 'units'?"),
        ({"type": "dense", "units": 3, "initializer": "he"}, "/initializer", "he_normal"),
        ({"units": 3}, "", 'Expected {"type": "<layer>"'),
        (7, "", "got 7"),
        ("gru", "/type", "Unknown layer 'gru'"),
    ],
)
def test_a_wrong_spec_is_refused_with_pointer_and_reason(spec, pointer, words):
    with pytest.raises(ConfigError) as caught:
        layer_from_json(spec)

    assert caught.value.errors[0].pointer == pointer
    assert words in caught.value.errors[0].detail


def test_he_normal_has_the_variance_of_its_source():
    W = np.empty((784, 500))

    INITIALIZERS["he_normal"](W, np.random.default_rng(0))

    assert W.var() == pytest.approx(2 / 784, rel=0.01)
    assert abs(W.mean()) < 1e-3


def test_glorot_uniform_has_the_bound_of_its_source():
    W = np.empty((300, 100))

    INITIALIZERS["glorot_uniform"](W, np.random.default_rng(0))

    bound = np.sqrt(6 / 400)
    assert np.abs(W).max() <= bound
    assert W.var() == pytest.approx(bound**2 / 3, rel=0.02)
