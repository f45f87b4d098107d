"""Losses: each returns its value and its gradient, and says how outputs become probabilities."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nncore.arrays import Floats, Ints
from nncore.errors import ShapeError


@dataclass(frozen=True)
class Loss:
    """What all losses have in common."""

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
        """Return a probability a class, shape (n, k); rows sum to 1. Not in place."""
        raise NotImplementedError


@dataclass(frozen=True)
class SoftmaxCrossEntropy(Loss):
    """Mean cross-entropy of softmax(logits), in nats. Fused, so that it stays finite.

    Source: Goodfellow et al. 2016, section 6.2.2.3.
    """

    def __call__(self, logits: Floats, labels: Ints) -> tuple[float, Floats]:
        rows = _rows(logits, labels)
        z = logits - logits.max(axis=1, keepdims=True)
        p = np.exp(z)
        total = p.sum(axis=1, keepdims=True)
        loss = float((np.log(total[:, 0]) - z[rows, labels]).mean())
        p /= total
        p[rows, labels] -= 1
        p /= len(labels)
        return loss, p

    def probabilities(self, logits: Floats) -> Floats:
        # Subtracting the row maximum keeps exp() finite.
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        return p


@dataclass(frozen=True)
class MeanSquaredError(Loss):
    """Mean of (output - target)^2 over the batch and the k outputs; targets are one-hot rows."""

    def __call__(self, logits: Floats, labels: Ints) -> tuple[float, Floats]:
        rows = _rows(logits, labels)
        error = logits.copy()
        error[rows, labels] -= 1
        loss = float(np.square(error).mean())
        error *= 2 / error.size
        return loss, error

    def probabilities(self, logits: Floats) -> Floats:
        """Return the outputs' shares: clipped below at a hair above 0, divided by their sum.

        The outputs estimate the one-hot targets, so they are probabilities but for noise.
        """
        p = np.maximum(logits, np.finfo(logits.dtype).eps)
        p /= p.sum(axis=1, keepdims=True)
        return p


def _rows(logits: Floats, labels: Ints) -> Any:
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ShapeError(
            f"Expected logits (n, k) and labels (n,); got {logits.shape} and {labels.shape}."
        )
    return np.arange(len(labels))


LOSSES: dict[str, type[Loss]] = {
    "softmax_cross_entropy": SoftmaxCrossEntropy,
    "mean_squared_error": MeanSquaredError,
}
