import numpy as np
import pytest
from sklearn import metrics as reference

from nncore.errors import ShapeError
from nncore.metrics import accuracy, confusion_matrix


def test_accuracy_and_confusion_matrix_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    predictions, labels = rng.integers(0, 7, 500), rng.integers(0, 7, 500)

    assert accuracy(predictions, labels) == reference.accuracy_score(labels, predictions)
    np.testing.assert_array_equal(
        confusion_matrix(predictions, labels, 7), reference.confusion_matrix(labels, predictions)
    )


def test_a_class_that_never_comes_has_a_row_of_zeros():
    counts = confusion_matrix(np.array([0, 1]), np.array([0, 0]), 3)

    np.testing.assert_array_equal(counts, [[1, 1, 0], [0, 0, 0], [0, 0, 0]])


def test_labels_of_small_types_do_not_overflow():
    labels = np.full(3, 200, np.uint8)

    assert confusion_matrix(labels, labels, 256)[200, 200] == 3


@pytest.mark.parametrize(("a", "b"), [(2, 3), (0, 0)])
def test_accuracy_refuses_lengths_that_differ_or_are_zero(a, b):
    with pytest.raises(ShapeError):
        accuracy(np.zeros(a, int), np.zeros(b, int))
