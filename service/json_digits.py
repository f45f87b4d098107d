"""The quickest way to the numbers of a JSON body: whole ones from 0 to 255, as pixels mostly are.

NumPy looks at all bytes of a list at once and at each for what stands beside it. Rows of such
numbers are read so, with a comma right behind each and blanks behind that; all else is left to
others.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from nncore.arrays import Bools, Ints, Shape

MOST_ROWS = 4096  # of a piece: each takes a step in Python
PIECE_BYTES = 2**18  # what is made of a piece takes some ten times as much
_ZERO = np.uint8(ord("0"))
_COMMA, _BLANK = (np.uint8((ord(one) - ord("0")) % 256) for one in ", ")  # less a zero


class _Piece(NamedTuple):
    numbers: Ints  # uint8 (n,)
    opened: Ints  # for each row that begins here, how many of the numbers come before it
    closed: Ints  # the same of those that end


def read_digits(text: bytes, start: int, end: int) -> tuple[Ints, Shape]:
    """Return the numbers of the rows from `start` to `end`, uint8, flat, and (rows, columns).

    Raises ValueError where anything else stands there than rows of one length.
    """
    if text[start : start + 1] != b"[" or text[end - 1 : end] != b"]":
        raise ValueError("no row begins, or none ends")
    if text.find(b".", start, end) >= 0:  # where there is one, it is found soon
        raise ValueError("not only whole numbers")
    pieces, read = [], 0
    for begin, stop in _pieces(text, start, end):
        numbers, opened, closed = _read(text, begin, stop)
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


def _pieces(text: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield where pieces begin, with what comes before a number, and where they end, behind one."""
    while start < end:
        cut = text.find(b",", start + PIECE_BYTES, end)
        yield start, end if cut < 0 else cut + 1
        start = end if cut < 0 else cut


def _read(text: bytes, start: int, stop: int) -> _Piece:
    """Read a piece. Raises ValueError."""
    digits = np.frombuffer(text, np.uint8)[start:stop] - _ZERO  # whatever is none is more than 9
    opens, closes = (_places(text, one, start, stop) - start for one in (b"[", b"]"))
    _put_commas_behind_rows(digits, closes)
    digits[opens] = digits[0] = _BLANK
    digit = digits < 10
    ends = digit[:-1] > digit[1:]
    if digit[-1] or not ((digits[1:] == _COMMA) == ends).all():
        raise ValueError("not a comma behind each number, and nowhere else")
    last = np.flatnonzero(ends)
    if np.count_nonzero(digit) + len(last) + np.count_nonzero(digits == _BLANK) != len(digits):
        raise ValueError("not only digits, commas and blanks")
    digits *= digit
    numbers = _numbers(digits, digit).take(last - 1)
    return _Piece(numbers, last.searchsorted(opens), last.searchsorted(closes))


def _places(text: bytes, one: bytes, start: int, stop: int) -> Ints:
    """Return where a character is that is seldom there. Raises ValueError where it is not."""
    places = []
    while (start := text.find(one, start, stop)) >= 0:
        places.append(start)
        start += 1
        if len(places) > MOST_ROWS:
            raise ValueError("rows of few numbers")
    return np.array(places, np.int64)


def _put_commas_behind_rows(digits: Ints, closes: Ints) -> None:
    """Let a row's end be a comma, and the comma behind it a blank."""
    behind = closes[closes + 1 < len(digits)] + 1
    if not (digits[behind] == _COMMA).all():
        raise ValueError("behind a row stands no comma")
    digits[closes], digits[behind] = _COMMA, _BLANK


def _numbers(digits: Ints, digit: Bools) -> Ints:
    """Return the numbers that would end at each place but the first, uint8. Raises ValueError."""
    two = digit[1:] & digit[:-1]
    three = two[1:] & two[:-1]
    four = three[1:] & three[:-1]
    # Of two booleans, one is greater where it is true and the other is not.
    begins_with_zero = ((digits[1:-1] == 0) & two[1:]) > three
    numbers = digits[1:] + digits[:-1] * np.uint8(10)
    hundreds = digits[:-2] * three
    tens = numbers[1:].copy()
    numbers[1:] += hundreds * np.uint8(100)
    if four.any() or begins_with_zero.any() or hundreds.max(initial=0) > 2:
        raise ValueError("not numbers from 0 to 255 as JSON has them")
    if (numbers[1:] < tens).any():
        raise ValueError("a number from 256 to 299")
    return numbers
