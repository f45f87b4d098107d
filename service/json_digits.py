"""The quickest way to the numbers of a JSON body: whole ones, such as pixels mostly are.

NumPy looks at all bytes of a list at once and at each for what may stand in front of it. Rows of
whole numbers below 1,000 are read so, written without blanks or with one behind each comma; all
else is left to others.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from nncore.arrays import Ints, Shape

PIECE_BYTES = 2**17  # what is made of a piece takes some ten times as much
_ZERO, _COMMA, _BLANK, _OPENS, _CLOSES = (np.uint8(ord(character)) for character in "0, []")


class _Piece(NamedTuple):
    numbers: Ints  # uint16 (n,)
    opened: Ints  # for each row that begins here, how many of the numbers come before it
    closed: Ints  # the same of those that end


def read_digits(text: bytes, start: int, end: int) -> tuple[Ints, Shape]:
    """Return the numbers of the rows from `start` to `end`, uint16, flat, and (rows, columns).

    Raises ValueError where anything else stands there than rows of one length.
    """
    if text[start : start + 1] != b"[" or text[end - 1 : end] != b"]":
        raise ValueError("no row begins, or none ends")
    pieces, read = [], 0
    for piece in _pieces(text, start, end):
        numbers, opened, closed = _read(piece)
        pieces.append(_Piece(numbers, opened + read, closed + read))
        read += len(numbers)
    numbers, opened, closed = map(np.concatenate, zip(*pieces, strict=True))
    rows = max(len(closed), 1)
    ends = np.arange(1, rows + 1) * (read // rows)
    if not (np.array_equal(closed, ends) and np.array_equal(opened[1:], ends[:-1])):
        raise ValueError("not all rows are of one length")
    if read != rows * (read // rows) or opened[0]:
        raise ValueError("numbers stand outside of rows")
    return numbers, (rows, read // rows)


def _pieces(text: bytes, start: int, end: int) -> Iterator[Ints]:
    """Yield the text in pieces that begin with what comes before a number, and end behind one."""
    codes = np.frombuffer(text, np.uint8)
    while start < end:
        cut = text.find(b",", start + PIECE_BYTES, end)
        stop = end if cut < 0 else cut + 1
        yield codes[start:stop]
        start = end if cut < 0 else cut


def _read(codes: Ints) -> _Piece:
    """Read a piece. Raises ValueError."""
    digits = codes - _ZERO  # whatever is none is more than 9
    digit = digits < 10
    comma, blank, opens, closes = (codes == one for one in (_COMMA, _BLANK, _OPENS, _CLOSES))
    if sum(map(np.count_nonzero, (digit, comma, blank, opens, closes))) != len(codes):
        raise ValueError("not only digits, commas, blanks and brackets")
    two = digit[1:] & digit[:-1]
    three = two[1:] & two[:-1]
    # Of two booleans, one is greater where it is true and the other is not.
    wrong = blank[1:] > comma[:-1]
    wrong |= comma[1:] > (digit | closes)[:-1]
    wrong |= closes[1:] > digit[:-1]
    wrong |= opens[1:] > (comma | blank)[:-1]
    wrong |= digit[1:] & closes[:-1]
    wrong[1:] |= ((digits[1:-1] == 0) & two[1:]) > three  # a zero in front of a number
    wrong[2:] |= three[1:] & three[:-1]  # four digits
    if wrong.any():
        raise ValueError("not rows of whole numbers below 1,000")
    digits *= digit
    numbers = digits.astype(np.uint16)
    numbers[1:] += digits[:-1] * np.uint8(10)
    numbers[2:] += (digits[:-2] * three) * np.uint16(100)
    last = np.flatnonzero(digit[:-1] > digit[1:])
    opened, closed = (last.searchsorted(np.flatnonzero(one)) for one in (opens, closes))
    return _Piece(numbers.take(last), opened, closed)
