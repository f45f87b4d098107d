"""Calibration: probabilities that are right as often as they say, by one temperature.

Dividing a network's outputs by a temperature before they become probabilities changes how sure it
is, never what it answers. Source: Guo, Pleiss, Sun & Weinberger 2017, section 4.2. The division is
done once, in the parameters of the last layer that has any: what is published, served and exported
is calibrated, and nothing has to know of it.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from nncore.arrays import Floats, Ints
from nncore.layers import (
    AveragePool2D,
    Dropout,
    Flatten,
    LeakyReLU,
    Linear,
    MaxPool2D,
    ReLU,
    Reshape,
)
from nncore.losses import Loss, SigmoidCrossEntropy, SoftmaxCrossEntropy
from nncore.network import Network

BINS = 15
WIDEST = math.log(20.0)  # temperatures lie between 1/20 and 20
# Of fewer, a temperature follows single mistakes: fitted on the 144 held-out images of
# scikit-learn's digits it doubled the calibration error on the test images.
LEAST_ROWS = 500
STEPS = 40  # of the golden section: the logarithm is found to 1e-8
GOLDEN_SECTION = (math.sqrt(5) - 1) / 2

# The other losses' probabilities are shares: the same whatever all outputs are divided by.
LOSSES = (SoftmaxCrossEntropy, SigmoidCrossEntropy)
# For these f(x / t) = f(x) / t.
HOMOGENEOUS = (AveragePool2D, Dropout, Flatten, LeakyReLU, Linear, MaxPool2D, ReLU, Reshape)


class Bin(NamedTuple):
    """Answers that were about equally sure: how many, how sure, and how often right; means."""

    rows: int
    confidence: float
    accuracy: float


def bins(probabilities: Floats, labels: Ints) -> list[Bin]:
    """Sort answers into `BINS` of equal width by the probability of the most probable class.

    Parameters
    ----------
    probabilities : float array (n, k)
        Rows sum to 1.
    labels : int array (n,)
        True classes.

    Returns
    -------
    bins : list of Bin
        Those that hold an answer, from unsure to sure. Source: Guo et al. 2017, section 2.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    number = np.ceil(confidence * BINS).astype(int)
    return [
        Bin(
            int((number == i).sum()),
            float(confidence[number == i].mean()),
            float(right[number == i].mean()),
        )
        for i in np.unique(number)
    ]


def expected_calibration_error(probabilities: Floats, labels: Ints) -> float:
    """Return how far sureness and accuracy lie apart, 0-1: mean over `bins`, by their rows.

    Source: Naeini, Cooper & Hauskrecht 2015; Guo et al. 2017, equation 3.
    """
    found = bins(probabilities, labels)
    return sum(b.rows * abs(b.accuracy - b.confidence) for b in found) / len(labels)


def fit_temperature(logits: Floats, labels: Ints, loss: Loss) -> float | None:
    """Return the temperature under which `labels` are most likely.

    Parameters
    ----------
    logits : float array (n, k)
        The network's outputs for images that it was not trained on.
    labels : int array (n,)
        True classes.
    loss : Loss
        Knows how outputs become probabilities.

    Returns
    -------
    temperature : float or None
        None where there is nothing to find: a loss whose probabilities are shares of the outputs,
        fewer than `LEAST_ROWS` rows, or no mistake among them (the likelihood then grows without
        end as it falls).
    """
    if not isinstance(loss, LOSSES) or len(labels) < LEAST_ROWS:
        return None
    if (loss.probabilities(logits).argmax(axis=1) == labels).all():
        return None
    rows, tiny = np.arange(len(labels)), np.finfo(np.float64).tiny
    logits = logits.astype(np.float64)

    def surprise(log_temperature: float) -> float:
        p = loss.probabilities(logits / math.exp(log_temperature))[rows, labels]
        return float(-np.log(np.maximum(p, tiny)).mean())

    return math.exp(_minimum(surprise, -WIDEST, WIDEST))


def _minimum(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function with one minimum has it, by golden section."""
    a, b = high - GOLDEN_SECTION * (high - low), low + GOLDEN_SECTION * (high - low)
    at_a, at_b = function(a), function(b)
    for _ in range(STEPS):
        if at_a < at_b:
            high, b, at_b = b, a, at_a
            a = high - GOLDEN_SECTION * (high - low)
            at_a = function(a)
        else:
            low, a, at_a = a, b, at_b
            b = low + GOLDEN_SECTION * (high - low)
            at_b = function(b)
    return (low + high) / 2


def divide_outputs(network: Network, temperature: float) -> bool:
    """Divide the outputs of `network` by `temperature`, in place; return whether that can be.

    The parameters of the last layer that has any are divided. It cannot be where a layer behind it,
    such as a sigmoid, does not pass a factor on; nothing is changed then.
    """
    for i in reversed(range(len(network.layers))):
        found = [p for name, p, _ in network.named_params() if name.startswith(f"{i}.")]
        for param in found:
            param /= np.float32(temperature)
        if found:
            return True
        if not isinstance(network.layers[i], HOMOGENEOUS):
            return False
    return False
