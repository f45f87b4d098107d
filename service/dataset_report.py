"""What is to be known of a data set before it is trained on; and its split, where it has none."""

from collections import Counter
from typing import Any, NamedTuple

import numpy as np

from nncore.arrays import Ints, Pixels
from nncore.training import Examples
from service.dataset_bodies import MOST_TOLD, Part, Upload
from service.problems import Problem

TEST_SHARE = 0.2  # of each class, where the upload has no test part
SPLIT_SEED = 0  # fixed: the same upload is always split in the same way
FEW_TO_TRAIN, FEW_TO_TEST = 20, 5  # with fewer a class is told of
MOST_CLASSES = 1_000
LONGEST_LABEL = 100


class Checked(NamedTuple):
    """A data set that can be trained on, and the report about it."""

    train: Examples
    test: Examples
    labels: tuple[str, ...]
    report: dict[str, Any]


def check(upload: Upload) -> Checked:
    """Return the data set, split and checked. Raises Problem 422 where it cannot be trained on."""
    labels = _labels(upload)
    train = _examples(upload.train, labels)
    if upload.test is None:
        train, test = _split(train, len(labels))
    else:
        test = _examples(upload.test, labels)
    report = _report(train, test, labels)
    report["split"] = f"{TEST_SHARE:.0%} of each class held out" if upload.test is None else "given"
    report["left_out"] = upload.left_out[:MOST_TOLD]
    report["left_out_count"] = len(upload.left_out)
    return Checked(train, test, labels, report)


def _labels(upload: Upload) -> tuple[str, ...]:
    """Return the labels that are trained on, numbers by their size."""
    known = {*upload.train.labels}
    strange = {*(upload.test.labels if upload.test else ())} - known
    if strange:
        shown = ", ".join(sorted(strange)[:10])
        raise _wrong(f"Labels that are tested with but not trained on: {shown[:500]}.")
    if not 2 <= len(known) <= MOST_CLASSES:
        raise _wrong(f"Expected 2 to {MOST_CLASSES:,} labels; there are {len(known):,}.")
    for label in known:
        if not label.isprintable() or not 1 <= len(label) <= LONGEST_LABEL:
            detail = f"Expected labels of 1 to {LONGEST_LABEL} characters; got {label[:100]!r}."
            raise _wrong(detail)
    numbers = all(label.isascii() and label.isdecimal() for label in known)
    return tuple(sorted(known, key=int if numbers else None))


def _examples(part: Part, labels: tuple[str, ...]) -> Examples:
    places = {label: place for place, label in enumerate(labels)}
    return Examples(part.pixels, np.array([places[label] for label in part.labels], np.int64))


def _split(examples: Examples, classes: int) -> tuple[Examples, Examples]:
    """Return a part to train on and one to test with, of each class the same share.

    Pictures that are the same go into the same part.
    """
    distinct = np.array([*{row.tobytes(): i for i, row in enumerate(examples.pixels)}.values()])
    of_class = examples.labels[distinct]
    rng = np.random.default_rng(SPLIT_SEED)
    held = []
    for place in range(classes):
        rows = rng.permutation(distinct[of_class == place])
        held.append(rows[: round(len(rows) * TEST_SHARE)])
    tested = np.sort(np.concatenate(held))
    if not len(tested):
        raise _wrong("There are too few pictures to hold some out: send a test part.")
    known = {row.tobytes() for row in examples.pixels[tested]}
    trained = np.array([row.tobytes() not in known for row in examples.pixels])
    return _rows(examples, trained), _rows(examples, tested)


def _report(train: Examples, test: Examples, labels: tuple[str, ...]) -> dict[str, Any]:
    counts = [np.bincount(part.labels, minlength=len(labels)).tolist() for part in (train, test)]
    classes = [
        {"label": label, "train": trained, "test": tested}
        for label, trained, tested in zip(labels, *counts, strict=True)
    ]
    in_train = _places(train.pixels)
    both = [[in_train[row][0], i] for i, row in enumerate(_bytes(test.pixels)) if row in in_train]
    contradictory = sum(
        len(rows) > 1 and len({*train.labels[rows].tolist()}) > 1 for rows in in_train.values()
    )
    report: dict[str, Any] = {
        "classes": classes,
        "duplicates": {
            "train_and_test": len(both),
            "rows": both[:MOST_TOLD],
            "within_train": len(train.labels) - len(in_train),
            "of_several_labels": contradictory,
        },
    }
    report["warnings"] = _warnings(report)
    return report


def _warnings(report: dict[str, Any]) -> list[str]:
    told, found = [], report["duplicates"]
    if found["train_and_test"]:
        told.append(
            f"{found['train_and_test']:,} test pictures are trained on too: the test accuracy will "
            "be too good."
        )
    if found["of_several_labels"]:
        told.append(f"{found['of_several_labels']:,} pictures have more than one label.")
    for part, few in (("train", FEW_TO_TRAIN), ("test", FEW_TO_TEST)):
        short = [f"{c['label']!r} ({c[part]})" for c in report["classes"] if c[part] < few]
        if short:
            told.append(f"Fewer than {few} pictures to {part} with: {', '.join(short[:20])}.")
    most = Counter({c["label"]: c["train"] for c in report["classes"]}).most_common()
    if most[0][1] > 10 * max(most[-1][1], 1):
        told.append(f"{most[0][0]!r} has more than ten times as many pictures as {most[-1][0]!r}.")
    return told


def _places(pixels: Pixels) -> dict[bytes, list[int]]:
    places: dict[bytes, list[int]] = {}
    for place, row in enumerate(_bytes(pixels)):
        places.setdefault(row, []).append(place)
    return places


def _bytes(pixels: Pixels) -> list[bytes]:
    return [row.tobytes() for row in pixels]


def _rows(examples: Examples, rows: Ints) -> Examples:
    return Examples(examples.pixels[rows], examples.labels[rows])


def _wrong(detail: str) -> Problem:
    return Problem(422, "not-a-data-set", detail)
