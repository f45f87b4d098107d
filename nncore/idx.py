"""IDX: the format of the MNIST files. Source: LeCun, Cortes & Burges, "THE MNIST DATABASE"."""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from nncore.arrays import Pixels

_UINT8 = 0x08
MAX_DIMENSIONS = 8


class IdxError(ValueError):
    """The bytes are not an IDX file of unsigned bytes."""


def decode_idx(content: bytes) -> Pixels:
    """Return the array in an IDX file of unsigned bytes.

    Parameters
    ----------
    content : bytes
        Magic number (two zero bytes, type 0x08, number of dimensions), each dimension as a
        big-endian uint32, then the bytes in row-major order.

    Returns
    -------
    array : uint8 array
        Read-only view of `content`.

    Raises
    ------
    IdxError
        If the magic number is another, or the length is not what the dimensions say.
    """
    if len(content) < 4 or content[:3] != bytes([0, 0, _UINT8]):
        raise IdxError(f"Expected an IDX file of unsigned bytes; it begins with {content[:4]!r}.")
    if content[3] > MAX_DIMENSIONS:
        raise IdxError(f"Expected at most {MAX_DIMENSIONS} dimensions; got {content[3]}.")
    header = 4 + 4 * content[3]
    if len(content) < header:
        raise IdxError(f"Expected a header of {header} bytes; got {len(content)} bytes.")
    shape = struct.unpack(f">{content[3]}I", content[4:header])
    # Python's integers: the product of four uint32 may be past 64 bits.
    expected = 1
    for length in shape:
        expected *= length
    if len(content) - header != expected:
        raise IdxError(f"Expected {expected} bytes for {shape}; got {len(content) - header}.")
    try:
        return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
    except ValueError as error:  # a dimension of 0 beside huge ones
        raise IdxError(f"The shape {shape} cannot be: {error}.") from None


def read_idx(path: Path) -> Pixels:
    """Return the array in the IDX file at `path`, gzipped or not. Raises IdxError, OSError."""
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise IdxError(f"{path.name}: {error}") from error
    try:
        return decode_idx(content)
    except IdxError as error:
        raise IdxError(f"{path.name}: {error}") from None
