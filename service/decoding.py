"""From a request's body to pixels: one decoder for each content type."""

import io
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from flask import Request
from PIL import Image, UnidentifiedImageError

from nncore.arrays import Floats, Pixels
from nncore.idx import IdxError, decode_idx
from nncore.specs import describe
from service.bodies import read_body
from service.json_body import read_json
from service.problems import Problem
from service.shapes import Rows

NPY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
RANGES = {"0-255": 255, "0-1": 1}
MAX_PICTURE_PIXELS = 40_000_000
PICTURE_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG"}
PICTURE_MODES = ("1", "L", "P", "RGB", "CMYK", "YCbCr")
GZIP_WINDOW = 31

# Our own, smaller limit is checked before anything is decoded.
Image.MAX_IMAGE_PIXELS = None


class Batch(NamedTuple):
    """Pixels of shape (n, *row shape), uint8 or float32, 0-255; and what else the request said."""

    pixels: Pixels
    pixel_range: str
    options: dict[str, Any]


def decode(request: Request, rows: Rows) -> Batch:
    """Return the batch in the body of `request`.

    Raises
    ------
    Problem
        400 where the body is not what its Content-Type says; 413 where it is too large; 415 for
        an unknown Content-Type or Content-Encoding; 422 where its numbers are not pixels.
    """
    decoder = DECODERS.get(request.mimetype)
    if decoder is None:
        raise Problem(
            415,
            "unknown-content-type",
            f"Content-Type {request.mimetype[:80]!r} is not known. Known: {', '.join(DECODERS)}.",
            headers={"Accept-Post": ", ".join(DECODERS)},
        )
    batch = decoder(_content(request), rows)
    return batch._replace(pixels=batch.pixels.reshape(-1, *rows.shape))


def _content(request: Request) -> bytes:
    content = read_body(request)
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return content
    if encoding != "gzip":
        raise Problem(
            415,
            "unknown-content-encoding",
            f"Content-Encoding {encoding[:80]!r} is not known. Known: gzip, identity.",
            headers={"Accept-Encoding": "gzip"},
        )
    return _gunzip(content, request.max_content_length or 0)


def _gunzip(content: bytes, limit: int) -> bytes:
    """Return what `content` unpacks to, at most `limit` bytes of it ever in memory.

    A gzip file may have several members, one behind the other.
    """
    unpacked = b""
    while content:
        unpacker = zlib.decompressobj(GZIP_WINDOW)
        try:
            unpacked += unpacker.decompress(content, limit + 1 - len(unpacked))
        except zlib.error as error:
            raise Problem(400, "not-gzip", f"The body is no gzip: {error}.") from None
        if len(unpacked) > limit:
            detail = f"Expected at most {limit:,} bytes after unpacking."
            raise Problem(413, "body-too-large", detail)
        if not unpacker.eof:
            raise Problem(400, "not-gzip", "The gzip body is cut off.")
        content = unpacker.unused_data
    return unpacked


def _decode_json(content: bytes, rows: Rows) -> Batch:
    numbers, options = read_json(content, rows)
    given = options.pop("pixel_range", None)
    if given is not None and given not in tuple(RANGES):
        detail = f"Expected one of {', '.join(RANGES)}; got {describe(given)}."
        raise Problem(422, "unknown-pixel-range", detail, pointer="/pixel_range")
    pixels, pixel_range = _to_pixels(numbers, given, "/instances")
    return Batch(pixels, pixel_range, options)


def _decode_octets(content: bytes, rows: Rows) -> Batch:
    if not content:
        raise Problem(422, "empty-batch", "Expected at least one row; the body is empty.")
    count, rest = divmod(len(content), rows.size)
    if rest:
        raise Problem(
            422,
            "row-length",
            f"Expected rows of {rows.size} bytes; got {len(content):,} bytes: "
            f"{count} rows and {rest} bytes over.",
        )
    rows.check_count(count)
    return Batch(np.frombuffer(content, np.uint8), "0-255", {})


def _decode_npy(content: bytes, rows: Rows) -> Batch:
    array = _checked(_read_npy(content), rows)
    if array.dtype == np.uint8:
        return Batch(array, "0-255", {})
    numbers = array.reshape(-1, rows.size).astype(np.float64)
    pixels, pixel_range = _to_pixels(numbers, None, "")
    return Batch(pixels, pixel_range, {})


def _decode_idx(content: bytes, rows: Rows) -> Batch:
    if content[:2] == b"\x1f\x8b":
        content = _gunzip(content, rows.max_rows * rows.size + 64)
    try:
        array = decode_idx(content)
    except IdxError as error:
        raise Problem(400, "not-idx", f"The body is no IDX file of images: {error}") from None
    return Batch(_checked(array, rows), "0-255", {})


def _decode_picture(content: bytes, rows: Rows) -> Batch:
    try:
        with Image.open(io.BytesIO(content), formats=tuple(PICTURE_FORMATS.values())) as picture:
            _check_picture(picture, rows)
            pixels = np.asarray(picture.convert("L"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise Problem(400, "not-a-picture", f"The body is no whole picture: {error}.") from None
    return Batch(pixels, "0-255", {})


DECODERS: dict[str, Callable[[bytes, Rows], Batch]] = {
    "application/json": _decode_json,
    "application/octet-stream": _decode_octets,
    "application/x-npy": _decode_npy,
    "application/x-idx": _decode_idx,
    **dict.fromkeys(PICTURE_FORMATS, _decode_picture),
}


def _to_pixels(numbers: Floats, given: str | None, pointer: str) -> tuple[Floats, str]:
    """Return float32 pixels, 0-255, of float64 `numbers`, and the range that they were in.

    Where the range is not given: 0-1 if the largest number is at most 1, for a 0-255 picture
    with no pixel above 1 has nothing on it.
    """
    pixel_range = given or ("0-1" if numbers.max() <= 1 else "0-255")
    top = RANGES[pixel_range]
    # Written so that NaN counts as out of range.
    if not (numbers.min() >= 0 and numbers.max() <= top):
        row, column = np.argwhere(~((numbers >= 0) & (numbers <= top)))[0]
        raise Problem(
            422,
            "out-of-range",
            f"Expected numbers from 0 to {top}; got {numbers[row, column]:g} in row {row}, "
            f"at position {column}.",
            pointer=f"{pointer}/{row}",
        )
    scaled = numbers if top == 255 else numbers * 255
    return scaled.astype(np.float32), pixel_range


def _checked(array: Pixels, rows: Rows) -> Pixels:
    if array.ndim > 1:
        rows.check_count(len(array))
    if 0 in array.shape:
        raise Problem(422, "empty-batch", f"Expected at least one row; got shape {array.shape}.")
    if not rows.fit(array.shape):
        raise Problem(
            422, "row-length", f"Expected rows of {rows.expected}; got shape {array.shape}."
        )
    return array


def _read_npy(content: bytes) -> Pixels:
    """Return the array of an .npy file as a view of `content`; no objects, no allocation."""
    stream = io.BytesIO(content)
    try:
        shape, fortran, dtype = NPY_HEADERS[np.lib.format.read_magic(stream)](stream)
        if dtype.kind not in "uif":
            raise ValueError(f"it holds {dtype}, not numbers")
        if any(type(length) is not int or length < 0 for length in shape):
            raise ValueError(f"its shape is {shape}")
        array = np.frombuffer(content, dtype, offset=stream.tell())
        return array.reshape(shape, order="F" if fortran else "C")
    except Exception as error:  # NumPy hands on whatever Python's parser says of the header
        raise Problem(400, "not-npy", f"The body is no .npy array: {error}.") from None


def _check_picture(picture: Image.Image, rows: Rows) -> None:
    size = width, height = picture.size
    if width * height > MAX_PICTURE_PIXELS:
        detail = f"Expected at most {MAX_PICTURE_PIXELS:,} pixels; got {width} x {height}."
        raise Problem(413, "picture-too-large", detail)
    if size != (rows.side, rows.side):
        detail = (
            f"Expected a picture of {rows.side} x {rows.side} pixels, light ink on dark paper "
            f"as in MNIST; got {width} x {height}."
        )
        raise Problem(422, "picture-size", detail)
    if picture.mode not in PICTURE_MODES or "transparency" in picture.info:
        detail = f"Expected grey or colour of 8 bits without transparency; got {picture.mode}."
        raise Problem(422, "picture-mode", detail)
