"""From a request's body to pixels: one decoder for each content type."""

import io
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from nncore.arrays import Floats, Pixels, Shape
from nncore.idx import IdxError, decode_idx
from nncore.specs import describe
from service.bodies import Content, unpack
from service.json_body import Body, read_rows
from service.problems import Problem
from service.shapes import Rows

NPY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
INSTANCES = "instances"
RANGES = {"0-255": 255, "0-1": 1}
MAX_PICTURE_PIXELS = 40_000_000
PICTURE_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG"}
PICTURE_MODES = ("1", "L", "P", "RGB", "CMYK", "YCbCr")

# Our own, smaller limit is checked before anything is decoded.
Image.MAX_IMAGE_PIXELS = None


class Batch(NamedTuple):
    """Pixels of shape (n, *row shape), uint8 or float32, 0-255; and what else the request said."""

    pixels: Pixels
    pixel_range: str
    options: dict[str, Any]

    def in_shape(self, shape: Shape) -> "Batch":
        """Return the batch with rows of `shape`."""
        return self._replace(pixels=self.pixels.reshape(-1, *shape))


def decode(content: Content, rows: Rows) -> Batch:
    """Return the batch in a request's body.

    Raises
    ------
    Problem
        400 where the body is not what its Content-Type says; 413 where it is too large; 415 for
        an unknown Content-Type; 422 where its numbers are not pixels.
    """
    decoder = DECODERS.get(content.mimetype)
    if decoder is None:
        raise unknown_content_type(content, DECODERS)
    return decoder(content.body, rows).in_shape(rows.shape)


def unknown_content_type(content: Content, known: Iterable[str]) -> Problem:
    """Return the 415 that tells which are `known`."""
    names = ", ".join(known)
    return Problem(
        415,
        "unknown-content-type",
        f"Content-Type {content.mimetype[:80]!r} is not known. Known: {names}.",
        headers={"Accept-Post": names},
    )


def _decode_json(content: bytes, rows: Rows) -> Batch:
    batch = to_batch(read_rows(content, rows, (f"/{INSTANCES}",)))
    del batch.options[INSTANCES]
    return batch


def to_batch(body: Body) -> Batch:
    """Return the pixels of a JSON body; its other members are the options. Raises Problem 422."""
    options = dict(body.others)
    given = options.pop("pixel_range", None)
    if given is not None and given not in tuple(RANGES):
        detail = f"Expected one of {', '.join(RANGES)}; got {describe(given)}."
        raise Problem(422, "unknown-pixel-range", detail, pointer="/pixel_range")
    pixels, pixel_range = to_pixels(body.numbers, given, body.place)
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
    array = _read_npy(content)
    rows.check_shape(array.shape)
    if array.dtype == np.uint8:
        return Batch(array, "0-255", {})
    numbers = array.reshape(-1, rows.size).astype(np.float64)
    pixels, pixel_range = to_pixels(numbers, None, "")
    return Batch(pixels, pixel_range, {})


def _decode_idx(content: bytes, rows: Rows) -> Batch:
    if content[:2] == b"\x1f\x8b":
        content = unpack(content, rows.max_rows * rows.size + 64)
    try:
        array = decode_idx(content)
    except IdxError as error:
        raise Problem(400, "not-idx", f"The body is no IDX file of images: {error}") from None
    rows.check_shape(array.shape)
    return Batch(array, "0-255", {})


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


def to_pixels(numbers: Floats, given: str | None, pointer: str) -> tuple[Floats, str]:
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
