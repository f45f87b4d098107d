import math

import numpy as np
import pytest

from nncore.calibration import (
    BINS,
    bins,
    divide_outputs,
    expected_calibration_error,
    fit_temperature,
)
from nncore.layers import (
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    LeakyReLU,
    Linear,
    ReLU,
    Reshape,
    Sigmoid,
    Tanh,
)
from nncore.losses import (
    MeanSquaredError,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SumOfSquares,
)
from nncore.network import Network


def test_answers_are_sorted_by_how_sure_they_are():
    p = np.array([[0.9, 0.1], [0.1, 0.9], [0.92, 0.08], [0.5, 0.5], [1.0, 0.0]], np.float32)
    labels = np.array([0, 0, 0, 1, 0])

    found = bins(p, labels)

    assert [b.rows for b in found] == [1, 3, 1]
    assert [b.accuracy for b in found] == [0, 2 / 3, 1]
    assert found[1].confidence == pytest.approx((0.9 + 0.9 + 0.92) / 3)


def test_the_error_is_the_mean_distance_of_sureness_and_accuracy():
    p = np.array([[0.75, 0.25]] * 4 + [[0.25, 0.75]] * 4)

    assert expected_calibration_error(p, np.array([0, 0, 0, 1, 1, 1, 1, 0])) == 0
    assert expected_calibration_error(p, np.array([0] * 4 + [0] * 4)) == pytest.approx(0.25)
    assert expected_calibration_error(np.array([[1.0, 0.0]]), np.array([1])) == 1


def test_the_most_and_the_least_sure_answers_fall_into_a_bin():
    p = np.array([[1.0, 0.0], [0.5, 0.5]])

    assert sum(b.rows for b in bins(p, np.array([0, 0]))) == 2
    assert 1 / BINS < 0.5


def drawn(temperature, rows=20_000, classes=5):
    """Logits, and labels that are as likely as the logits divided by `temperature` say."""
    rng = np.random.default_rng(0)
    logits = 3 * rng.standard_normal((rows, classes)).astype(np.float32)
    p = SoftmaxCrossEntropy().probabilities(logits / temperature)
    labels = (p.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1)
    return logits, np.minimum(labels, classes - 1)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_that_labels_were_drawn_with_is_found(temperature):
    logits, labels = drawn(temperature)

    found = fit_temperature(logits, labels, SoftmaxCrossEntropy())

    assert found == pytest.approx(temperature, rel=0.05)


@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(), SigmoidCrossEntropy()])
def test_no_other_temperature_makes_the_labels_likelier(loss):
    logits, labels = drawn(2.0, rows=500)
    found = fit_temperature(logits, labels, loss)

    def surprise(temperature):
        p = loss.probabilities(logits.astype(float) / temperature)
        return -np.log(p[np.arange(len(labels)), labels]).mean()

    best = min(surprise(t) for t in np.geomspace(0.06, 18, 400))
    assert surprise(found) <= best + 1e-9


def test_calibrated_probabilities_are_right_as_often_as_they_say():
    logits, labels = drawn(2.5)
    softmax = SoftmaxCrossEntropy()

    found = fit_temperature(logits, labels, softmax)

    assert expected_calibration_error(softmax.probabilities(logits), labels) > 0.1
    assert expected_calibration_error(softmax.probabilities(logits / found), labels) < 0.02


@pytest.mark.parametrize("loss", [SumOfSquares(), MeanSquaredError()])
def test_where_probabilities_are_shares_there_is_no_temperature(loss):
    assert fit_temperature(*drawn(2.0, rows=500), loss) is None


def test_without_mistakes_or_with_too_few_rows_there_is_no_temperature():
    logits, labels = drawn(3.0, rows=500)
    softmax = SoftmaxCrossEntropy()

    assert fit_temperature(logits, labels, softmax) is not None
    assert fit_temperature(logits[1:], labels[1:], softmax) is None
    assert fit_temperature(logits[:0], labels[:0], softmax) is None
    assert fit_temperature(logits, logits.argmax(axis=1), softmax) is None


def test_a_temperature_stays_within_its_bounds():
    logits = np.array([[5.0, 0.0]] * 500)

    found = fit_temperature(logits, np.array([1] * 500), SoftmaxCrossEntropy())

    assert found == pytest.approx(20, rel=0.01)
    assert math.isfinite(found)


@pytest.mark.parametrize(
    "layers",
    [
        [Dense(4), Tanh(), Dense(3)],
        [Dense(3, bias=False)],
        [Dense(3), Linear(), Dropout(0.5)],
        [Dense(3), LeakyReLU()],
        [Dense(3), BatchNorm()],
        [Reshape((1, 3, 3)), Conv2D(2, 3), ReLU(), Flatten()],
    ],
)
def test_outputs_are_divided_in_the_last_layer_that_has_parameters(layers):
    network = Network(layers, (9,))
    network.init(np.random.default_rng(0))
    x = np.random.default_rng(1).standard_normal((6, 9)).astype(np.float32)
    before, first = network.logits(x).copy(), network.params.copy()

    assert divide_outputs(network, 2.5)

    np.testing.assert_allclose(network.logits(x), before / 2.5, rtol=1e-5, atol=1e-7)
    assert (network.params != first).sum() <= sum(
        p.size for name, p, _ in network.named_params() if name[0] == str(_last(network))
    )


def _last(network):
    return max(int(name[0]) for name, _, _ in network.named_params())


@pytest.mark.parametrize("layers", [[Dense(3), Sigmoid()], [Dense(3), Tanh(), Linear()], [Tanh()]])
def test_outputs_behind_a_layer_that_passes_no_factor_on_are_left_alone(layers):
    network = Network(layers, (3,))
    network.init(np.random.default_rng(0))
    before = network.params.copy()

    assert not divide_outputs(network, 2.0)

    np.testing.assert_array_equal(network.params, before)
