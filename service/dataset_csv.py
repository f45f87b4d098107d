"""A data set as CSV, as spreadsheets, pandas, NumPy and Kaggle write it."""

import re
from collections.abc import Sequence

import numpy as np

from nncore.arrays import Floats
from nncore.datasets import PICTURE
from service.problems import Problem

ROW = PICTURE[0]
SEPARATORS = ",;\t"
PLACES = [[str(place) for place in range(first, first + ROW)] for first in (0, 1)]  # as names
LABEL_NAMES = ("label", "labels", "class", "target", "digit", "y")
CHUNK = 10_000  # rows that are converted at once
_QUOTES = " \t\"'"


def read_csv(body: bytes) -> tuple[Floats, list[str]]:
    """Return numbers (n, 784) and the label of each row. Raises Problem.

    The label stands first, or last where the first line, if it has names, names it there.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        known = "an .npz, a zip of labelled folders, CSV, or IDX files in a form"
        raise Problem(400, "not-a-data-set", f"Expected {known}.")
    lines = {number: line for number, line in enumerate(text.split("\n"), 1) if line.strip()}
    separator, is_first = _form_of(lines)
    for number, line in lines.items():
        if line.count(separator) != ROW:
            fields = f"{line.count(separator) + 1:,} fields"
            raise _wrong(f"line {number:,} has {fields}, not a label and {ROW} numbers")
    if not lines:
        raise _wrong(f"expected lines of a label and {ROW} numbers; there is none")
    split = str.partition if is_first else str.rpartition
    rows = [split(line, separator)[:: 1 if is_first else -1] for line in lines.values()]
    numbers = _numbers([row for _, _, row in rows], [*lines], separator)
    return numbers, tidy([label.strip(_QUOTES + "\r") for label, _, _ in rows])


def tidy(labels: Sequence[str]) -> list[str]:
    """Return labels of which all are whole numbers, such as 5.0 or 5e0, as 5."""
    if all(label.isdecimal() for label in labels):
        return [*labels]
    numbers = [float(label) if _is_number(label) else 0.5 for label in labels]
    if all(number.is_integer() for number in numbers):
        return [str(int(number)) for number in numbers]
    return [*labels]


def _form_of(lines: dict[int, str]) -> tuple[str, bool]:
    """Return what separates fields, and whether the label is first; take a line of names away."""
    number, line = next(iter(lines.items()), (0, ""))
    separator = max(SEPARATORS, key=line.count)
    fields = [field.strip(_QUOTES + "\r").lower() for field in line.split(separator)]
    numbers = [field for field in fields[1:] if _is_number(field)]
    if (numbers and numbers not in PLACES) or len(fields) == 1:
        return separator, True
    del lines[number]
    return separator, not (fields[-1] in LABEL_NAMES and fields[0] not in LABEL_NAMES)


def _numbers(rows: list[str], places: list[int], separator: str) -> Floats:
    if '"' in rows[0]:
        rows = [row.replace('"', "") for row in rows]
    numbers = np.empty((len(rows), ROW), np.float32)
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        try:
            numbers[start : start + CHUNK] = np.loadtxt(
                part, np.float32, delimiter=separator, ndmin=2, comments=None
            )
        except ValueError:
            raise _wrong(_told(part, places[start:], separator)) from None
    return numbers


def _told(rows: list[str], places: list[int], separator: str) -> str:
    """Say which field is no number."""
    for place, row in zip(places, rows, strict=False):
        for field in row.split(separator):
            if not _is_number(field.strip()):
                return f"line {place:,} has {field.strip()[:80]!r} among its numbers"
    return f"between lines {places[0]:,} and {places[len(rows) - 1]:,} is what is no number"


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text, re.IGNORECASE) is not None


def _wrong(detail: str) -> Problem:
    return Problem(422, "not-a-data-set", f"The CSV: {detail}.")
