"""How good predictions are."""

import numpy as np

from nncore.arrays import Ints
from nncore.errors import ShapeError


def accuracy(predictions: Ints, labels: Ints) -> float:
    """Return the share, 0-1, of `predictions` that equal `labels`, both int arrays (n,).

    Raises ShapeError where their lengths differ, or are 0.
    """
    if predictions.shape != labels.shape or not len(labels):
        raise ShapeError(
            f"Expected two arrays of one length, not empty; got shapes {predictions.shape} "
            f"and {labels.shape}."
        )
    return float(np.mean(predictions == labels))


def confusion_matrix(predictions: Ints, labels: Ints, classes: int) -> Ints:
    """Count how often each class was taken for each.

    Parameters
    ----------
    predictions, labels : int array (n,)
        0 <= value < classes.
    classes : int

    Returns
    -------
    counts : int array (classes, classes)
        Row: true class; column: predicted class. Sums to n.

    Raises
    ------
    ShapeError
        If the lengths differ.
    """
    if predictions.shape != labels.shape:
        raise ShapeError(f"Shapes differ: {predictions.shape} and {labels.shape}.")
    pairs = labels.astype(np.int64) * classes + predictions
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
