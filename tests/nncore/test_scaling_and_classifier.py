import numpy as np
import pytest

from nncore.classifier import Classifier
from nncore.layers import BatchNorm, Conv2D, Dense, Flatten, ReLU, Reshape, Tanh
from nncore.losses import SigmoidCrossEntropy, SoftmaxCrossEntropy
from nncore.network import NUMBERS_AT_ONCE, Network
from nncore.scaling import PixelScaler


def classifier(scaler=None, first=Dense):
    layers = {
        Dense: [Dense(8), ReLU(), Dense(3)],
        "no bias": [Dense(8, bias=False), ReLU(), Dense(3)],
        Tanh: [Tanh(), BatchNorm(), Dense(3)],
    }[first]
    network = Network(layers, (5,))
    network.init(np.random.default_rng(0))
    network.state[...] = np.random.default_rng(1).random(network.state.shape) + 1
    return network, Classifier(network, scaler or PixelScaler(), SoftmaxCrossEntropy())


def pixels(rows=7):
    return np.random.default_rng(1).integers(0, 256, (rows, 5)).astype(np.uint8)


def test_scaling_brings_bytes_to_zero_to_one_in_float32():
    x = PixelScaler()(np.array([0, 255], np.uint8))

    assert x.dtype == np.float32
    np.testing.assert_allclose(x, [0, 1], rtol=1e-6)


@pytest.mark.parametrize("scaler", [PixelScaler(), PixelScaler(scale=0.5, offset=-3.0)])
@pytest.mark.parametrize("first", [Dense, "no bias", Tanh])
def test_folding_the_scaling_into_the_first_layer_changes_nothing(scaler, first):
    network, folded = classifier(scaler, first)

    expected = SoftmaxCrossEntropy().probabilities(network.logits(scaler(pixels())))

    # The products are summed in another order.
    np.testing.assert_allclose(folded.probabilities(pixels()), expected, atol=2e-5)


def test_bytes_and_floats_of_the_same_pixels_get_the_same_bits():
    _, answering = classifier()

    assert (
        answering.probabilities(pixels()).tobytes()
        == answering.probabilities(pixels().astype(np.float32)).tobytes()
    )


def test_the_network_it_was_made_from_is_left_alone_and_later_changes_do_not_reach_it():
    network, answering = classifier()
    before = network.params.copy()
    expected = answering.probabilities(pixels())

    np.testing.assert_array_equal(network.params, before)
    network.params[...] = 0

    np.testing.assert_array_equal(answering.probabilities(pixels()), expected)


def test_a_batch_larger_than_a_chunk_is_answered_whole():
    network, answering = classifier()
    count = 2 * network.rows_at_once + 3
    rows = np.tile(pixels(1), (count, 1))

    p = answering.probabilities(rows)

    assert p.shape == (count, 3)
    np.testing.assert_allclose(p, np.tile(p[:1], (len(p), 1)), atol=1e-6)


def test_a_network_that_keeps_much_of_a_row_is_given_few_rows_at_once():
    narrow = Network([Dense(3)], (784,))
    wide = Network([Reshape((1, 28, 28)), Conv2D(8, 5), Flatten(), Dense(3)], (784,))

    windows, outputs = 25 * 24 * 24, 8 * 24 * 24
    assert narrow.rows_at_once == NUMBERS_AT_ONCE // 784
    assert wide.rows_at_once == NUMBERS_AT_ONCE // (784 + windows + 2 * outputs)


@pytest.mark.parametrize("scaler", [PixelScaler(), PixelScaler(scale=0.5, offset=-3.0)])
@pytest.mark.parametrize("first", [Dense, "no bias", Tanh])
def test_saliency_is_what_a_grey_level_more_does_to_the_logit(scaler, first):
    network, answering = classifier(scaler, first)
    rows, classes = pixels().astype(np.float32), np.arange(7) % 3

    def logits(rows):
        return network.logits(scaler(rows))[np.arange(7), classes]

    step = 0.25
    expected = np.stack(
        [(logits(rows + more) - logits(rows - more)) / (2 * step) for more in np.eye(5) * step], 1
    )

    # float32 differences of logits near 100; a ReLU may bend within the step.
    np.testing.assert_allclose(answering.saliency(rows, classes), expected, atol=2e-2)


def test_saliency_of_one_output_speaks_for_the_second_class_and_against_the_first():
    network = Network([Dense(1)], (5,))
    network.init(np.random.default_rng(0))
    answering = Classifier(network, PixelScaler(scale=1.0), SigmoidCrossEntropy())

    gradient = answering.saliency(pixels(2), np.array([0, 1]))

    weights = network.params[:5]
    np.testing.assert_allclose(gradient, [-weights, weights])
