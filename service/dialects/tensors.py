"""Tensors of the Open Inference Protocol: datatypes, JSON data, and bytes."""

import math
import struct
from collections.abc import Iterable
from typing import Any

import numpy as np

from nncore.arrays import Floats, Pixels, Shape
from nncore.specs import describe
from service.decoding import to_pixels
from service.json_body import first_that_is_no_number, not_a_number
from service.json_numbers import Found
from service.problems import Problem

# Little-endian. Whole numbers are pixels from 0 to 255, floats from 0 to 1.
WHOLE: dict[str, np.dtype[Any]] = {
    **{f"UINT{8 * size}": np.dtype(f"<u{size}") for size in (1, 2, 4, 8)},
    **{f"INT{8 * size}": np.dtype(f"<i{size}") for size in (1, 2, 4, 8)},
}
FLOATS: dict[str, np.dtype[Any]] = {"FP32": np.dtype("<f4"), "FP64": np.dtype("<f8")}
DATATYPES = WHOLE | FLOATS


def from_bytes(content: bytes, datatype: str, shape: Shape) -> Pixels:
    """Return the tensor whose bytes `content` is, of `shape`. Raises Problem 422."""
    dtype = DATATYPES[datatype]
    expected = math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        detail = f"Expected {expected:,} bytes for {datatype} {list(shape)}; got {len(content):,}."
        raise Problem(422, "tensor-size", detail)
    return np.frombuffer(content, dtype).reshape(shape)


def from_found(found: Found, shape: Shape, pointer: str) -> Floats:
    """Return the numbers of JSON data, flat or nested as `shape`, float64. Raises Problem 422."""
    if found.shape not in (shape, (math.prod(shape),)):
        detail = f"Expected values for the shape {list(shape)}; got {list(found.shape)}."
        raise Problem(422, "tensor-size", detail, pointer=pointer)
    return found.numbers.astype(np.float64, copy=False)


def from_lists(value: Any, shape: Shape, pointer: str) -> Floats:
    """Return JSON data, flat or nested as `shape`, as flat float64. Raises Problem 422."""
    if not isinstance(value, list):
        detail = f"Expected a list of numbers; got {describe(value)}."
        raise Problem(422, "not-a-list", detail, pointer=pointer)
    nested = len(shape) > 1 and bool(value) and isinstance(value[0], list)
    expected = shape[0] if nested else math.prod(shape)
    if len(value) != expected:
        detail = f"Expected {expected} values for the shape {list(shape)}; got {len(value)}."
        raise Problem(422, "tensor-size", detail, pointer=pointer)
    if nested:
        parts = [from_lists(part, shape[1:], f"{pointer}/{i}") for i, part in enumerate(value)]
        return np.concatenate(parts)
    wrong = first_that_is_no_number(value)
    if wrong is not None:
        raise not_a_number(value[wrong], f"{pointer}/{wrong}")
    return np.array(value, np.float64)


def as_datatype(numbers: Floats, datatype: str, pointer: str) -> Floats:
    """Return JSON's numbers as what `datatype` can hold, still float64. Raises Problem 422."""
    if datatype == "FP32":
        with np.errstate(over="ignore"):  # infinite is out of range, and told as that
            return numbers.astype(np.float32).astype(np.float64)
    if datatype in WHOLE and (numbers != np.trunc(numbers)).any():
        where = int(np.flatnonzero(numbers != np.trunc(numbers))[0])
        detail = f"Expected whole numbers for {datatype}; got {numbers[where]:g}."
        raise Problem(422, "not-whole", detail, pointer=f"{pointer}/{where}")
    return numbers


def pixels_of(tensor: Pixels, datatype: str, row_size: int, pointer: str) -> tuple[Pixels, str]:
    """Return pixels 0-255, and the range that they were in. Raises Problem 422."""
    tensor = tensor.reshape(-1, row_size)
    if tensor.dtype == np.uint8:
        return tensor, "0-255"
    numbers = tensor.astype(np.float64, copy=False)
    return to_pixels(numbers, "0-1" if datatype in FLOATS else "0-255", pointer)


def strings_to_bytes(strings: Iterable[str]) -> bytes:
    """Return a BYTES tensor: each string behind its length, 4 bytes."""
    parts = [text.encode() for text in strings]
    return b"".join(struct.pack("<I", len(part)) + part for part in parts)
