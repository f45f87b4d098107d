"""The data sets that are known by name: what a configuration must fit before any is loaded."""

from typing import NamedTuple

from nncore.arrays import Shape

DIGIT_LABELS = tuple("0123456789")


class DatasetSpec(NamedTuple):
    """Shape of one row, and the label of each class."""

    input_shape: Shape
    labels: tuple[str, ...]


DATASETS = {
    "digits": DatasetSpec((784,), DIGIT_LABELS),
    "mnist": DatasetSpec((784,), DIGIT_LABELS),
    "xor": DatasetSpec((3,), ("0", "1")),
}
