"""Losses: each returns its value and its gradient, and says how outputs become probabilities."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nncore.arrays import Floats, Ints
from nncore.errors import ShapeError
from nncore.layers.activations import sigmoid, softplus
from nncore.specs import Named, require_number


@dataclass(frozen=True)
class Loss(Named):
    """What all losses have in common.

    Labels are classes; the target of a row is 1 for its class and 0 for the others ("one-hot").
    Losses that look at each output by itself also take two classes as one output, whose target
    is the label.
    """

    kind = "loss"

    def __call__(self, logits: Floats, labels: Ints) -> tuple[float, Floats]:
        """Return the mean loss of a batch and its gradient with respect to `logits`.

        Parameters
        ----------
        logits : float array (n, k)
            The network's outputs. Not modified.
        labels : int array (n,)
            True classes, 0 <= label < k.

        Returns
        -------
        loss : float
            Mean over the batch.
        dlogits : float array (n, k)
            d loss / d logits. Fresh array of the dtype of `logits`.

        Raises
        ------
        ShapeError
            If the lengths differ.
        """
        raise NotImplementedError

    def probabilities(self, logits: Floats) -> Floats:
        """Return a probability a class, shape (n, classes); rows sum to 1. Not in place."""
        raise NotImplementedError

    def outputs(self, classes: int) -> tuple[int, ...]:
        """Return how many outputs a network for so many classes may have."""
        return (classes, 1) if classes == 2 else (classes,)


@dataclass(frozen=True)
class SoftmaxCrossEntropy(Loss):
    """Mean cross-entropy of softmax(logits), in nats. Fused, so that it stays finite.

    Source: Goodfellow et al. 2016, section 6.2.2.3. With `label_smoothing` s the target is
    1 - s + s / k for the true class and s / k for the others: Szegedy et al. 2016, section 7.
    """

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        require_number("label_smoothing", self.label_smoothing, at_least=0, below=1)

    def __call__(self, logits: Floats, labels: Ints) -> tuple[float, Floats]:
        rows, smoothing = _rows(logits, labels), self.label_smoothing
        n, k = logits.shape
        z = logits - logits.max(axis=1, keepdims=True)
        p = np.exp(z)
        total = p.sum(axis=1)
        target = z[rows, labels]
        p /= (n * total)[:, None]
        if smoothing:
            target = (1 - smoothing) * target + smoothing * z.mean(axis=1)
            p -= smoothing / (n * k)
        p[rows, labels] -= (1 - smoothing) / n
        loss = float(np.log(total).sum() - target.sum()) / n
        return loss, p

    def probabilities(self, logits: Floats) -> Floats:
        # Subtracting the row maximum keeps exp() finite.
        p: Floats = logits - np.maximum.reduce(logits, axis=1, keepdims=True)
        np.exp(p, out=p)
        p /= np.add.reduce(p, axis=1, keepdims=True)
        return p

    def outputs(self, classes: int) -> tuple[int, ...]:
        return (classes,)


@dataclass(frozen=True)
class SigmoidCrossEntropy(Loss):
    """Log loss of sigmoid(logits), each output by itself: summed over outputs, mean over rows.

    -(t log p + (1 - t) log(1 - p)), in nats; its gradient is (p - t) / n. Fused, so that it stays
    finite. Source: Bishop 2006, equations 4.90 and 4.91.
    """

    def __call__(self, logits: Floats, labels: Ints) -> tuple[float, Floats]:
        targets = _targets(logits, labels)
        loss = float((softplus(logits) - targets * logits).sum() / len(labels))
        return loss, (sigmoid(logits) - targets) / len(labels)

    def probabilities(self, logits: Floats) -> Floats:
        """Return sigmoid(logits) divided by their sum; of one output p: (1 - p, p)."""
        if logits.shape[1] == 1:
            return np.hstack([sigmoid(-logits), sigmoid(logits)])
        # By logarithms: where all outputs are far below 0, all sigmoids are 0.
        return SoftmaxCrossEntropy().probabilities(-softplus(-logits))


@dataclass(frozen=True)
class SumOfSquares(Loss):
    """Half the sum over the outputs of (output - target)^2, mean over the rows.

    The gradient is (output - target) / n. Source: Nielsen 2015, equation 6.
    """

    def __call__(self, logits: Floats, labels: Ints) -> tuple[float, Floats]:
        error = logits - _targets(logits, labels)
        loss = float(np.square(error).sum() / (2 * len(labels)))
        error /= len(labels)
        return loss, error

    def probabilities(self, logits: Floats) -> Floats:
        """Return the outputs' shares; of one output y: (1 - y, y), y brought into 0 to 1.

        The outputs estimate the targets, so they are probabilities but for noise.
        """
        if logits.shape[1] == 1:
            p = np.clip(logits, 0, 1)
            return np.hstack([1 - p, p])
        p = np.maximum(logits, np.finfo(logits.dtype).eps)
        p /= p.sum(axis=1, keepdims=True)
        return p


@dataclass(frozen=True)
class MeanSquaredError(SumOfSquares):
    """Mean of (output - target)^2 over rows and outputs."""

    def __call__(self, logits: Floats, labels: Ints) -> tuple[float, Floats]:
        loss, error = super().__call__(logits, labels)
        k = logits.shape[1]
        error *= 2 / k
        return loss * 2 / k, error


def _rows(logits: Floats, labels: Ints) -> Any:
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ShapeError(
            f"Expected logits (n, k) and labels (n,); got {logits.shape} and {labels.shape}."
        )
    return np.arange(len(labels))


def _targets(logits: Floats, labels: Ints) -> Floats:
    rows = _rows(logits, labels)
    if logits.shape[1] == 1:
        return labels[:, None].astype(logits.dtype)
    targets = np.zeros_like(logits)
    targets[rows, labels] = 1
    return targets


LOSSES: dict[str, type[Loss]] = {
    "mean_squared_error": MeanSquaredError,
    "sigmoid_cross_entropy": SigmoidCrossEntropy,
    "softmax_cross_entropy": SoftmaxCrossEntropy,
    "sum_of_squares": SumOfSquares,
}
Loss.names = LOSSES
