"""The quick way to the numbers of a JSON body: simdjson reads them into one buffer.

It looks at lengths and brackets only, never at a value, and gives up on whatever it cannot vouch
for.
"""

import math
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson

from nncore.arrays import Floats, Shape

try:
    import simdjson
except ImportError:  # no wheel for this Python: the careful way alone
    simdjson = None  # type: ignore[assignment]

# A parser keeps the memory of its largest document.
REUSED_BELOW_BYTES = 4 * 2**20

_local = threading.local()


class Found(NamedTuple):
    """Numbers that stand in a JSON body."""

    numbers: Floats  # float64, flat
    shape: Shape  # as the lists are nested
    place: str  # JSON pointer
    others: dict[str, Any]  # the document with null in their place


def find_numbers(content: bytes, places: Sequence[str]) -> Found | None:
    """Return the numbers at the first of `places` that there is, where they are surely right."""
    if simdjson is None:
        return None
    try:
        document = _parser(content).parse(content)
        place = next(place for place in places if _has(document, place))
        array = document.at_pointer(place)
        shape = _shape(array)
        if shape is None:
            return None
        others = _without(document, place.split("/")[1:])
        # Flattening forgets where a row ends: as many brackets as the shape has, and no others.
        if content.count(b"[") - orjson.dumps(others).count(b"[") != _brackets(shape):
            return None
        numbers = np.frombuffer(array.as_buffer(of_type="d"))
    except (ValueError, TypeError, LookupError, RuntimeError, AttributeError, StopIteration):
        return None
    return Found(numbers, shape, place, others)


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


def _shape(numbers: Any) -> Shape | None:
    """Return the shape of nested simdjson arrays by their lengths; None where they differ."""
    shape = [len(numbers)]
    level = [numbers]
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


def _has(document: Any, place: str) -> bool:
    try:
        return isinstance(document.at_pointer(place), simdjson.Array)
    except (ValueError, LookupError, TypeError):
        return False


def _without(value: Any, path: list[str]) -> Any:
    """Return a simdjson value as Python's, with None where `path` leads. Raises ValueError."""
    if not path:
        return None
    if isinstance(value, simdjson.Array):
        return [_part(v, path, str(i)) for i, v in enumerate(value)]
    if len(set(value)) != len(list(value)):
        raise ValueError("a key comes twice")
    return {key: _part(v, path, key) for key, v in value.items()}


def _part(value: Any, path: list[str], key: str) -> Any:
    return _without(value, path[1:]) if key == path[0] else _plain(value)
