"""The quick way to the numbers of a JSON body: simdjson reads them into one buffer, or NumPy does.

It looks at lengths and brackets only, never at a value, and gives up on whatever it cannot vouch
for.
"""

import math
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson

from nncore.arrays import Floats, Pixels, Shape
from service.json_digits import read_digits

try:
    import simdjson
except ImportError:  # no wheel for this Python: the careful way alone
    simdjson = None  # type: ignore[assignment]

# Of longer bodies than the first, whole numbers are read by NumPy in half the time; of longer ones
# than the second, others are read in pieces.
DIGITS_FROM_BYTES = 2**15
WHOLE_BELOW_BYTES = 2**19
PIECE_BYTES = 2**18
MAX_HEAD_BYTES = 2**16  # in front of a list that is read in pieces
MAX_DEPTH = 4

# A parser takes 14 times its document's memory, and lets no other thread run: no two at once.
_reading = threading.Lock()


class _Begin(NamedTuple):
    """Where a list begins: its key, where its first element does, how deep that is nested."""

    key: bytes
    start: int
    depth: int


class Found(NamedTuple):
    """Numbers that stand in a JSON body."""

    numbers: Pixels  # float64 or uint8, flat
    shape: Shape  # as the lists are nested
    place: str  # JSON pointer
    others: dict[str, Any]  # the document with null in their place


def find_numbers(content: bytes, places: Sequence[str]) -> Found | None:
    """Return the numbers at the first of `places` that there is, where they are surely right."""
    if simdjson is None:
        return None
    size = len(content)
    ways = (
        (_find_digits, size > DIGITS_FROM_BYTES),
        (_find_in_pieces, size > WHOLE_BELOW_BYTES),
        (_find, True),
    )
    for way, fits in ways:
        if fits and (found := _try(way, content, places)):
            return found
    return None


def count(content: bytes | memoryview, character: bytes) -> int:
    """Return how often a character is there; NumPy, unlike bytes, lets other threads go on."""
    return int(np.count_nonzero(np.frombuffer(content, np.uint8) == ord(character)))


def _try(way: Callable[..., Found], content: bytes, places: Sequence[str]) -> Found | None:
    try:
        return way(content, places)
    except (ValueError, TypeError, LookupError, RuntimeError, AttributeError, StopIteration):
        return None


def _find(content: bytes, places: Sequence[str]) -> Found:
    with _reading:
        document = _parse(content)
        place = next(place for place in places if _has(document, place))
        others = _without(document, place.split("/")[1:])
        # Flattening forgets where a row ends: as many brackets as the shape has, and no others.
        brackets = count(content, b"[") - orjson.dumps(others).count(b"[")
        numbers, shape = _flatten(document.at_pointer(place), brackets)
        return Found(numbers, shape, place, others)


def _find_digits(content: bytes, places: Sequence[str]) -> Found:
    """Read a list of rows, or one row, of whole numbers."""
    begin = _begin(content, places)
    flat = begin.depth == 0
    if begin.depth > 1:
        raise ValueError("rows of rows")
    end = _end(content, begin)
    numbers, shape = read_digits(content, begin.start - flat, end + flat)
    place, others = _around(content, places, begin, end)
    return Found(numbers, shape[1:] if flat else shape, place, others)


def _find_in_pieces(content: bytes, places: Sequence[str]) -> Found:
    """Read a long list some rows at a time.

    Other threads get their turn in between: parsing 36 MB at once would stop them for half a
    second, a piece for 2 ms.
    """
    begin = _begin(content, places)
    end = _end(content, begin)
    place, others = _around(content, places, begin, end)
    separator = b"]" * begin.depth + b","
    pieces = map(_parse_piece, _cut(content, begin.start, end, separator))
    inside = memoryview(content)[begin.start : end]
    numbers, shape = _gather(pieces, count(inside, b"]"), count(inside, b","))
    return Found(numbers, shape, place, others)


def _begin(content: bytes, places: Sequence[str]) -> _Begin:
    """Return where the list at one of `places` begins. Raises ValueError."""
    keys = b"|".join({place.rpartition("/")[2].encode() for place in places})
    found = re.compile(rb'"(%s)"\s*:\s*\[(?:\s*\[)*' % keys).search(content, 0, MAX_HEAD_BYTES)
    if found is None:
        raise ValueError("no list begins near the beginning")
    start = content.index(b"[", found.start()) + 1
    return _Begin(found[1], start, found[0].count(b"[") - 1)


def _end(content: bytes, begin: _Begin) -> int:
    """Return where a list ends, if it is the last of so many brackets. Raises ValueError.

    From there it is found at once. Where it is not the last, what lies in between is no list.
    """
    if begin.depth == 0:
        return content.index(b"]", begin.start)
    return content.rindex(b"]" * (begin.depth + 1)) + begin.depth


def _around(
    content: bytes, places: Sequence[str], begin: _Begin, end: int
) -> tuple[str, dict[str, Any]]:
    """Return which of `places` the list has, and the document without it.

    The body is right where its list is, and so is the document with nothing in the list.
    """
    short = content[: begin.start] + content[end:]
    if short.count(b'"%s"' % begin.key) != 1 or b"\\" in short:
        raise ValueError("the key may stand for another list")
    document = _parse(short)
    named = [place for place in places if place.endswith(f"/{begin.key.decode()}")]
    place = next(place for place in named if _has(document, place))
    return place, _without(document, place.split("/")[1:])


def _gather(
    pieces: Iterator[tuple[Floats, Shape]], brackets: int, commas: int
) -> tuple[Floats, Shape]:
    """Return the numbers of all pieces and their shape, without two copies of them at a time.

    All pieces together have so many closing brackets and commas.
    """
    numbers, (some, *inner) = next(pieces)
    width = math.prod(inner)
    of_a_row = sum(math.prod(inner[:depth]) for depth in range(len(inner)))
    most_rows = brackets // of_a_row if inner else commas + 1
    if most_rows * width > commas + 1:
        raise ValueError("not all rows are as long as the first")
    gathered = np.empty((most_rows, width))
    gathered[:some] = numbers.reshape(some, width)
    rows = some
    for numbers, (some, *others) in pieces:
        if others != inner or rows + some > most_rows:
            raise ValueError("not all rows are of this shape")
        gathered[rows : rows + some] = numbers.reshape(some, width)
        rows += some
    return gathered[:rows].reshape(-1), (rows, *inner)


def _cut(content: bytes, start: int, end: int, separator: bytes) -> Iterator[bytes]:
    """Yield the elements between `start` and `end`, as many at a time as make a piece."""
    while start < end:
        cut = content.find(separator, start + PIECE_BYTES, end)
        stop = end if cut < 0 else cut + len(separator) - 1
        yield b"[%s]" % content[start:stop]
        start = stop + 1


def _parse_piece(piece: bytes) -> tuple[Floats, Shape]:
    return _flatten(_parse(piece), count(piece, b"["))


def _parse(text: bytes) -> Any:
    """Return simdjson's document, by a parser of its own: what one keeps grows with the largest."""
    return simdjson.Parser().parse(text)


def _flatten(array: Any, brackets: int) -> tuple[Floats, Shape]:
    """Return the numbers of nested simdjson arrays, and their shape. Raises where it has none."""
    shape = _shape(array)
    if brackets != sum(math.prod(shape[:depth]) for depth in range(len(shape))):
        raise ValueError("not all lists are of this shape")
    return np.frombuffer(array.as_buffer(of_type="d")), shape


def _plain(value: Any) -> Any:
    if isinstance(value, simdjson.Array):
        return value.as_list()
    return value.as_dict() if isinstance(value, simdjson.Object) else value


def _shape(array: Any) -> Shape:
    """Return the shape of nested simdjson arrays by their lengths. ValueError: they differ."""
    shape = [len(array)]
    level = [array]
    while level and len(shape) < MAX_DEPTH and isinstance(level[0][0], simdjson.Array):
        level = [row for array in level for row in array]
        lengths = {len(row) if isinstance(row, simdjson.Array) else None for row in level}
        if len(lengths) != 1:
            raise ValueError("lists of different lengths")
        shape.append(len(level[0]))
    return tuple(shape)


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
    # Its items() would turn all numbers into Python's first.
    return {key: _part(value[key], path, key) for key in value}


def _part(value: Any, path: list[str], key: str) -> Any:
    return _without(value, path[1:]) if key == path[0] else _plain(value)
