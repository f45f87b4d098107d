"""JSON bodies: the numbers of `instances` straight into an array.

The quick way reads with simdjson into one buffer and looks at lengths only. Whatever it cannot
vouch for goes the careful way, which looks at every value and says which one is wrong.
"""

import json
import math
import threading
from typing import Any, NamedTuple

import numpy as np
import orjson

from nncore.arrays import Floats
from nncore.specs import describe
from service.problems import Problem
from service.shapes import Rows

try:
    import simdjson
except ImportError:  # no wheel for this Python: the careful way alone
    simdjson = None  # type: ignore[assignment]

# A parser keeps the memory of its largest document.
REUSED_BELOW_BYTES = 4 * 2**20
INSTANCES = "instances"
MAX_OTHER_COMMAS = 10_000  # that do not stand between the numbers and rows of a batch

_local = threading.local()


class Body(NamedTuple):
    """The numbers of a batch, float64 (n, row size), and the other members of the object."""

    numbers: Floats
    options: dict[str, Any]


def read_json(content: bytes, rows: Rows) -> Body:
    """Return the batch in a JSON body.

    Parameters
    ----------
    content : bytes
        ``{"instances": …}``: rows of ``rows.size`` numbers, or pictures as nested rows, or one of
        either.
    rows : Rows
        The shape that a row must have, and how many there may be.

    Raises
    ------
    Problem
        400 where it is no JSON; 413 for too many rows; 422 with a pointer to the first row or
        value that is wrong.
    """
    commas = content.count(b",")
    if commas > rows.max_rows * rows.size + MAX_OTHER_COMMAS:
        rows.check_count(commas // rows.size)
    return (_read_quickly(content, rows) if simdjson else None) or _read_carefully(content, rows)


def read_object(content: bytes) -> dict[str, Any]:
    """Return a JSON body that must be an object. Raises Problem 400, 422."""
    document = _load(content)
    if not isinstance(document, dict):
        raise Problem(
            422, "not-an-object", f"Expected a JSON object; got {describe(document)}.", pointer=""
        )
    return document


def _read_quickly(content: bytes, rows: Rows) -> Body | None:
    """Return the batch where it is surely right, else None."""
    try:
        document = _parser(content).parse(content)
        if len(set(document)) != len(list(document)):
            return None  # a key that comes twice
        instances = document[INSTANCES]
        options = {key: _plain(document[key]) for key in document if key != INSTANCES}
        shape = _shape(instances)
        if shape is None or not rows.fit(shape):
            return None
        # Flattening forgets where a row ends: as many brackets as the shape has, and no others.
        others = sum(orjson.dumps(value).count(b"[") for value in options.values())
        if content.count(b"[") - others != _brackets(shape):
            return None
        numbers = np.frombuffer(instances.as_buffer(of_type="d"))
    except (ValueError, TypeError, LookupError, RuntimeError, AttributeError):
        return None
    return Body(numbers.reshape(-1, rows.size), options) if rows.holds(numbers.size) else None


def _parser(content: bytes) -> Any:
    if len(content) > REUSED_BELOW_BYTES:
        return simdjson.Parser()
    if not hasattr(_local, "parser"):
        _local.parser = simdjson.Parser()
    return _local.parser


def _plain(value: Any) -> Any:
    if isinstance(value, simdjson.Array):
        return value.as_list()
    return value.as_dict() if isinstance(value, simdjson.Object) else value


def _shape(instances: Any) -> tuple[int, ...] | None:
    """Return the shape of nested simdjson arrays by their lengths; None where they differ."""
    shape = [len(instances)]
    level = [instances]
    while level and len(shape) < 4 and isinstance(level[0][0], simdjson.Array):
        level = [row for array in level for row in array]
        if {type(row) for row in level} != {simdjson.Array}:
            return None
        lengths = {len(row) for row in level}
        if len(lengths) != 1:
            return None
        shape.append(lengths.pop())
    return tuple(shape)


def _brackets(shape: tuple[int, ...]) -> int:
    return sum(math.prod(shape[:depth]) for depth in range(len(shape)))


def _read_carefully(content: bytes, rows: Rows) -> Body:
    document = read_object(content)
    if INSTANCES not in document:
        raise Problem(
            422, "no-instances", 'Expected the key "instances" with a list of rows.', pointer=""
        )
    instances = document.pop(INSTANCES)
    if not isinstance(instances, list):
        detail = f"Expected a list of rows; got {describe(instances)}."
        raise Problem(422, "not-a-list", detail, pointer=f"/{INSTANCES}")
    if not instances:
        detail = "Expected at least one row; the batch is empty."
        raise Problem(422, "empty-batch", detail, pointer=f"/{INSTANCES}")
    bare = not isinstance(instances[0], list) or rows.is_picture(instances)
    if bare:
        return Body(np.array([_row(instances, rows, f"/{INSTANCES}")]), document)
    rows.check_count(len(instances))
    batch = [_row(row, rows, f"/{INSTANCES}/{i}") for i, row in enumerate(instances)]
    return Body(np.array(batch), document)


def _row(value: Any, rows: Rows, pointer: str) -> list[float]:
    """Return one row as numbers, or raise the problem with its pointer."""
    if not isinstance(value, list):
        detail = f"Expected {rows.expected}; got {describe(value)}."
        raise Problem(422, "row-is-no-list", detail, pointer=pointer)
    picture = rows.is_picture(value)
    if picture:
        value = [number for line in value for number in line]
    if len(value) != rows.size:
        detail = f"Expected {rows.expected}; got {len(value)} values."
        raise Problem(422, "row-length", detail, pointer=pointer)
    if not set(map(type, value)) <= {int, float} or not all(map(_finite, value)):
        i = next(i for i, v in enumerate(value) if type(v) not in (int, float) or not _finite(v))
        detail = f"Expected a finite number; got {describe(value[i])}."
        place = f"{i // rows.side}/{i % rows.side}" if picture else str(i)
        raise Problem(422, "not-a-number", detail, pointer=f"{pointer}/{place}")
    return list(map(float, value))


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
