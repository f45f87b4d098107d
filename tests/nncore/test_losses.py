import numpy as np
import pytest

from nncore.errors import ShapeError
from nncore.losses import (
    LOSSES,
    MeanSquaredError,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SumOfSquares,
)


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_matches_differences(name):
    loss = LOSSES[name]()
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((3, 4)), np.array([0, 3, 1])
    _, dlogits = loss(logits, labels)

    step = 1e-6
    for i in np.ndindex(logits.shape):
        shift = np.zeros_like(logits)
        shift[i] = step
        numeric = (loss(logits + shift, labels)[0] - loss(logits - shift, labels)[0]) / (2 * step)
        assert dlogits[i] == pytest.approx(numeric, abs=1e-8)


@pytest.mark.parametrize("name", [n for n in LOSSES if 1 in LOSSES[n]().outputs(2)])
def test_one_output_stands_for_two_classes(name):
    loss = LOSSES[name]()
    logits, labels = np.array([[0.2], [0.9], [-0.3]]), np.array([0, 1, 1])
    value, dlogits = loss(logits, labels)

    p = loss.probabilities(logits)
    lower, _ = loss(logits - 1e-3 * dlogits, labels)

    assert p.shape == (3, 2)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (np.diff(p[[2, 0, 1], 1]) > 0).all()
    assert lower < value


def test_sigmoid_cross_entropy_is_that_of_a_worked_example():
    # sigmoid(log 3) = 3/4, sigmoid(0) = 1/2; the truth is the first.
    logits = np.array([[np.log(3), 0.0]])

    value, dlogits = SigmoidCrossEntropy()(logits, np.array([0]))

    assert value == pytest.approx(-np.log(3 / 4) - np.log(1 / 2))
    np.testing.assert_allclose(dlogits, [[3 / 4 - 1, 1 / 2]])


def test_log_loss_stays_finite_at_ten_thousand():
    logits = np.array([[1e4, -1e4], [-1e4, 1e4], [-1e4, -1e4]], np.float32)

    value, dlogits = SigmoidCrossEntropy()(logits, np.array([1, 1, 0]))
    p = SigmoidCrossEntropy().probabilities(logits)

    assert value == pytest.approx(1e4)
    assert np.isfinite(dlogits).all()
    assert np.isfinite(p).all()


def test_sum_of_squares_is_half_the_sum_over_the_outputs():
    value, dlogits = SumOfSquares()(np.array([[0.5, 0.0], [1.0, 2.0]]), np.array([0, 0]))

    assert value == pytest.approx((0.25 + 4) / 4)
    np.testing.assert_allclose(dlogits, [[-0.25, 0], [0, 1]])


def test_label_smoothing_moves_the_target_to_the_other_classes():
    logits = np.log(np.array([[0.9, 0.05, 0.05]]))

    _, dlogits = SoftmaxCrossEntropy(label_smoothing=0.15)(logits, np.array([0]))

    np.testing.assert_allclose(dlogits, 0, atol=1e-12)  # just the smoothed target


@pytest.mark.parametrize("name", LOSSES)
def test_probabilities_sum_to_one_and_keep_the_order_of_the_outputs(name):
    outputs = np.random.default_rng(0).random((20, 10)).astype(np.float32)

    p = LOSSES[name]().probabilities(outputs)

    assert p.dtype == np.float32
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(p.argmax(axis=1), outputs.argmax(axis=1))


@pytest.mark.parametrize("name", LOSSES)
def test_arguments_are_not_modified(name):
    logits, labels = np.ones((2, 3), np.float32), np.array([0, 1])

    LOSSES[name]()(logits, labels)
    LOSSES[name]().probabilities(logits)

    np.testing.assert_array_equal(logits, np.ones((2, 3)))


def test_softmax_cross_entropy_is_that_of_a_worked_example():
    # softmax(log 1, log 2, log 5) = (1/8, 2/8, 5/8)
    logits = np.log(np.array([[1.0, 2.0, 5.0]]))

    value, dlogits = SoftmaxCrossEntropy()(logits, np.array([1]))

    assert value == pytest.approx(-np.log(2 / 8))
    np.testing.assert_allclose(dlogits, [[1 / 8, 2 / 8 - 1, 5 / 8]])


def test_softmax_cross_entropy_stays_finite_at_ten_thousand():
    logits = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 0]], np.float32)

    value, dlogits = SoftmaxCrossEntropy()(logits, np.array([1, 1]))

    assert value == pytest.approx(1e4)
    assert np.isfinite(dlogits).all()


def test_mean_squared_error_is_that_of_a_worked_example():
    value, dlogits = MeanSquaredError()(np.array([[0.5, 0.0]]), np.array([0]))

    assert value == pytest.approx(0.125)
    np.testing.assert_allclose(dlogits, [[-0.5, 0.0]])


@pytest.mark.parametrize("name", LOSSES)
def test_lengths_that_differ_are_refused(name):
    with pytest.raises(ShapeError, match=r"got \(2, 3\) and \(3,\)"):
        LOSSES[name]()(np.zeros((2, 3)), np.zeros(3, int))
