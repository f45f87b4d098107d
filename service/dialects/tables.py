"""Batches as tables: a column a pixel, a row a picture."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nncore.arrays import Floats
from service.batches import Batch
from service.decoding import to_pixels
from service.problems import Problem
from service.shapes import Rows

MAX_HEADER = 2**20  # characters
PIECE = 2**17  # characters, of which NumPy reads some 15 in a microsecond
_NUMBER_AT_THE_END = re.compile(r"[0-9]{1,9}$")


def pixel_order(columns: Sequence[Any]) -> list[int]:
    """Return the places of the columns in the order of the pixels.

    Tables are often sorted by name, where ``pixel10`` comes before ``pixel2``. Where the numbers
    at the names' ends count all columns from 0 or 1, they say which pixel it is; else the columns
    are taken as they come.
    """
    found = [_NUMBER_AT_THE_END.search(str(name)) for name in columns]
    numbers = [int(match[0]) for match in found if match]
    first = min(numbers, default=-1)
    if first not in (0, 1) or sorted(numbers) != list(range(first, first + len(columns))):
        return list(range(len(columns)))
    return sorted(range(len(columns)), key=numbers.__getitem__)


def check_columns(columns: Sequence[Any], rows: Rows, pointer: str) -> None:
    """Raise Problem 422 where a table has not one column a pixel."""
    if len(columns) != rows.size:
        first = ", ".join(str(name)[:20] for name in columns[:3])
        detail = f"Expected {rows.size} columns, one a pixel; got {len(columns)}: {first}, …"
        raise Problem(422, "columns", detail, pointer=pointer)


def read_records(records: Any, rows: Rows, pointer: str) -> Any:
    """Return the values of ``[{column: value}, …]`` in the order of the pixels. Raises Problem."""
    if not isinstance(records, list) or not all(isinstance(row, dict) for row in records):
        return records  # no rows, or bare ones
    rows.check_count(len(records))
    columns = list(records[0]) if records else []
    for i, record in enumerate(records):
        check_columns(list(record), rows, f"{pointer}/{i}")
        if record.keys() != records[0].keys():
            odd = next(name for name in record if name not in records[0])
            detail = f"Expected the columns of the first row; got {odd[:80]!r}."
            raise Problem(422, "columns", detail, pointer=f"{pointer}/{i}")
    ordered = [columns[place] for place in pixel_order(columns)]
    return [[record[name] for name in ordered] for record in records]


def read_csv(content: bytes, rows: Rows) -> Batch:
    """Return the pixels of a CSV file, with a header, as MLflow's, or without, as SageMaker's.

    Raises
    ------
    Problem
        400 where it is no CSV of numbers; 413, 422 where it is no batch.
    """
    try:
        text = content.decode("utf-8-sig").strip("\r\n")
        columns = next(csv.reader([text[:MAX_HEADER].partition("\n")[0]]), [])
        header = _is_header(columns)
        rows.check_count(text.count("\n") + (not header))
        if not text or (header and "\n" not in text):
            raise Problem(422, "empty-batch", "Expected at least one row; the table is empty.")
        check_columns(columns, rows, "")
        numbers = _numbers(text.partition("\n")[2] if header else text)
    except (ValueError, csv.Error) as error:
        raise Problem(400, "not-csv", f"The body is no CSV of numbers: {error}") from None
    if header:
        check_columns(numbers[0], rows, "")
        numbers = numbers[:, pixel_order(columns)]
    pixels, pixel_range = to_pixels(numbers, None, "")
    return Batch(pixels, pixel_range, {})


def _numbers(text: str) -> Floats:
    """Return a table's numbers. Raises ValueError.

    A long table is read in pieces, since NumPy lets no other thread run meanwhile. Where a piece is
    wrong, the whole is read again to say in which row.
    """
    try:
        return np.concatenate([_load(piece) for piece in _cut(text)])
    except ValueError:
        return _load(text)


def _cut(text: str) -> Iterator[str]:
    """Yield some lines at a time."""
    start = 0
    while start < len(text):
        stop = text.find("\n", start + PIECE) + 1 or len(text)
        yield text[start:stop]
        start = stop


def _load(text: str) -> Floats:
    return np.loadtxt(io.StringIO(text), delimiter=",", ndmin=2, comments=None, quotechar='"')


def _is_header(columns: Sequence[str]) -> bool:
    """Tell names from pixels: also columns that are only counted, which are no picture.

    A line with one number in it is a row: it would be lost, were it taken for names.
    """
    counted = [str(i) for i in range(len(columns) + 1)]
    return list(columns) in (counted[:-1], counted[1:]) or not any(map(_is_number, columns))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
