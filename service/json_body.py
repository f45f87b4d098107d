"""JSON bodies: the numbers of a batch into an array.

What the quick way (`json_numbers`) cannot vouch for goes the careful way, which looks at every
value and says which one is wrong.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson

from nncore.arrays import Floats, Pixels
from nncore.specs import describe
from service.json_numbers import count, find_numbers
from service.problems import Problem
from service.shapes import Rows

MAX_OTHER_COMMAS = 10_000  # that do not stand between the numbers and rows of a batch


class Body(NamedTuple):
    """The rows of a batch, where they stood, and the rest of the document.

    ``numbers`` is float64 or uint8, (n, row size).
    """

    numbers: Pixels
    place: str
    others: dict[str, Any]


def read_rows(
    content: bytes,
    rows: Rows,
    places: Sequence[str],
    prepare: Callable[[dict[str, Any]], None] = lambda document: None,
) -> Body:
    """Return the batch in a JSON body.

    Parameters
    ----------
    content : bytes
        An object that has, at one of `places`, rows of ``rows.size`` numbers, or pictures as
        nested rows, or one of either.
    rows : Rows
        The shape that a row must have, and how many there may be.
    places : sequence of str
        JSON pointers, the most particular first.
    prepare : callable, optional
        Brings a document that has no such rows into that form, in place.

    Raises
    ------
    Problem
        400 where it is no JSON; 413 for too many rows; 422 with a pointer to the first row or
        value that is wrong.
    """
    check_commas(content, rows)
    found = find_numbers(content, places)
    if found and rows.fit(found.shape) and rows.holds(found.numbers.size):
        return Body(found.numbers.reshape(-1, rows.size), found.place, found.others)
    document = read_object(content)
    prepare(document)
    return _rows_of(document, rows, places)


def check_commas(content: bytes, rows: Rows) -> None:
    """Raise Problem 413 where so much JSON cannot be a batch, before it is parsed."""
    most = rows.max_rows * rows.size + MAX_OTHER_COMMAS
    if len(content) > most and (commas := count(content, b",")) > most:
        rows.check_count(commas // rows.size)


def read_object(content: bytes) -> dict[str, Any]:
    """Return a JSON body that must be an object. Raises Problem 400, 422."""
    document = _load(content)
    if not isinstance(document, dict):
        raise Problem(
            422, "not-an-object", f"Expected a JSON object; got {describe(document)}.", pointer=""
        )
    return document


def _rows_of(document: dict[str, Any], rows: Rows, places: Sequence[str]) -> Body:
    """Return the rows in a parsed document, after looking at every value."""
    for place in places:
        *path, key = place.split("/")[1:]
        parent: Any = document
        for step in path:
            parent = parent.get(step) if isinstance(parent, dict) else None
        if isinstance(parent, dict) and key in parent:
            value, parent[key] = parent[key], None
            return Body(check_rows(value, rows, place), place, document)
    keys = " or ".join(f'"{key}"' for key in dict.fromkeys(p.split("/")[1] for p in places))
    detail = f"Expected the key {keys} with a list of rows."
    raise Problem(422, "no-rows", detail, pointer="")


def check_rows(value: Any, rows: Rows, pointer: str) -> Floats:
    """Return rows, or a bare one, of parsed JSON as float64 (n, row size). Raises Problem."""
    if not isinstance(value, list):
        detail = f"Expected a list of rows; got {describe(value)}."
        raise Problem(422, "not-a-list", detail, pointer=pointer)
    if not value:
        detail = "Expected at least one row; the batch is empty."
        raise Problem(422, "empty-batch", detail, pointer=pointer)
    if not isinstance(value[0], list) or rows.is_picture(value):
        return _row(value, rows, pointer)[np.newaxis]
    rows.check_count(len(value))
    # An array a row: one of all would let no other thread run until it is made.
    return np.stack([_row(row, rows, f"{pointer}/{i}") for i, row in enumerate(value)])


def _row(value: Any, rows: Rows, pointer: str) -> Floats:
    """Return one row as float64, or raise the problem with its pointer."""
    if not isinstance(value, list):
        detail = f"Expected {rows.expected}; got {describe(value)}."
        raise Problem(422, "row-is-no-list", detail, pointer=pointer)
    picture = rows.is_picture(value)
    if picture:
        value = [number for line in value for number in line]
    if len(value) != rows.size:
        detail = f"Expected {rows.expected}; got {len(value)} values."
        raise Problem(422, "row-length", detail, pointer=pointer)
    wrong = first_that_is_no_number(value)
    if wrong is not None:
        place = f"{wrong // rows.side}/{wrong % rows.side}" if picture else str(wrong)
        raise not_a_number(value[wrong], f"{pointer}/{place}")
    return np.array(value, np.float64)


def first_that_is_no_number(values: list[Any]) -> int | None:
    """Return the place of the first value that is no finite number, or None."""
    if set(map(type, values)) <= {int, float} and all(map(_finite, values)):
        return None
    return next(i for i, v in enumerate(values) if type(v) not in (int, float) or not _finite(v))


def not_a_number(value: Any, pointer: str) -> Problem:
    """Return the 422 for a value that is no finite number."""
    detail = f"Expected a finite number; got {describe(value)}."
    return Problem(422, "not-a-number", detail, pointer=pointer)


def _finite(number: int | float) -> bool:
    return abs(number) < 1e300


def _load(content: bytes) -> Any:
    """Return parsed JSON; NaN and Infinity are let through, to be pointed at as numbers."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        pass
    try:
        document = json.loads(content)
        if b"\\u" in content:  # half of a surrogate pair is no character, and cannot be told back
            json.dumps(document, ensure_ascii=False).encode()
        return document
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        detail = f"The body is no JSON: {reason}." if content else "The body is empty."
        raise Problem(400, "not-json", detail) from None
