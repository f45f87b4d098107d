"""The data sets that are known by name: what a configuration must fit before any is loaded."""

from typing import NamedTuple

from nncore.arrays import Shape

DIGIT_LABELS = tuple("0123456789")
PICTURE: Shape = (784,)
FEEDBACK = "feedback"  # the corrected examples of the model that is trained


class DatasetSpec(NamedTuple):
    """Shape of one row, the label of each class, how many rows to train on and to test with."""

    input_shape: Shape
    labels: tuple[str, ...]
    train_rows: int
    test_rows: int


# Those that come with Inkwell; others are uploaded (`nncore.dataset_store`).
DATASETS = {
    "digits": DatasetSpec((784,), DIGIT_LABELS, 1_437, 360),
    "mnist": DatasetSpec((784,), DIGIT_LABELS, 60_000, 10_000),
    "ones": DatasetSpec((784,), DIGIT_LABELS, 2_000, 400),  # with a flag, drawn by program
    "xor": DatasetSpec((3,), ("0", "1"), 4, 4),
}
