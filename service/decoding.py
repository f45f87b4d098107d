"""From a request's body to pixels: one decoder for each content type."""

import io
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from nncore.arrays import Pixels
from nncore.idx import IdxError, decode_idx
from nncore.specs import describe
from service.batches import Batch
from service.bodies import Content, unpack
from service.json_body import Body, read_rows
from service.media_types import JSON, OCTETS
from service.picture_bodies import MEDIA_TYPES, decode_pictures
from service.problems import Problem
from service.shapes import Rows

NPY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
INSTANCES = "instances"
RANGES = {"0-255": 255, "0-1": 1}


def decode(content: Content, rows: Rows) -> Batch:
    """Return the whole batch in a request's body. Raises Problem, also for one file of many."""
    batch = decode_readable(content, rows)
    for refused in batch.refused:
        raise refused.problem
    return batch


def decode_readable(content: Content, rows: Rows) -> Batch:
    """Return the batch in a request's body; of several files those that can be read.

    Raises
    ------
    Problem
        400 where the body is not what its Content-Type says; 413 where it is too large; 415 for
        an unknown Content-Type; 422 where its numbers are not pixels.
    """
    decoder = DECODERS.get(content.mimetype)
    if decoder is None:
        raise unknown_content_type(content, DECODERS)
    return decoder(content, rows).in_shape(rows.shape)


def unknown_content_type(content: Content, known: Iterable[str]) -> Problem:
    """Return the 415 that tells which are `known`."""
    names = ", ".join(known)
    return Problem(
        415,
        "unknown-content-type",
        f"Content-Type {content.mimetype[:80]!r} is not known. Known: {names}.",
        headers={"Accept-Post": names},
    )


def _decode_json(content: Content, rows: Rows) -> Batch:
    batch = to_batch(read_rows(content.body, rows, (f"/{INSTANCES}",)))
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


def _decode_octets(content: Content, rows: Rows) -> Batch:
    body = content.body
    if not body:
        raise Problem(422, "empty-batch", "Expected at least one row; the body is empty.")
    count, rest = divmod(len(body), rows.size)
    if rest:
        raise Problem(
            422,
            "row-length",
            f"Expected rows of {rows.size} bytes; got {len(body):,} bytes: "
            f"{count} rows and {rest} bytes over.",
        )
    rows.check_count(count)
    return Batch(np.frombuffer(body, np.uint8), "0-255", {})


def _decode_npy(content: Content, rows: Rows) -> Batch:
    array = read_npy(content.body)
    rows.check_shape(array.shape)
    if array.dtype == np.uint8:
        return Batch(array, "0-255", {})
    numbers = array.reshape(-1, rows.size).astype(np.float64)
    pixels, pixel_range = to_pixels(numbers, None, "")
    return Batch(pixels, pixel_range, {})


def _decode_idx(content: Content, rows: Rows) -> Batch:
    body = content.body
    if body[:2] == b"\x1f\x8b":
        body = unpack(body, rows.max_rows * rows.size + 64)
    try:
        array = decode_idx(body)
    except IdxError as error:
        raise Problem(400, "not-idx", f"The body is no IDX file of images: {error}") from None
    rows.check_shape(array.shape)
    return Batch(array, "0-255", {})


DECODERS: dict[str, Callable[[Content, Rows], Batch]] = {
    JSON: _decode_json,
    OCTETS: _decode_octets,
    "application/x-npy": _decode_npy,
    "application/x-idx": _decode_idx,
    **dict.fromkeys(MEDIA_TYPES, decode_pictures),
}


def to_pixels(numbers: Pixels, given: str | None, pointer: str) -> tuple[Pixels, str]:
    """Return pixels, 0-255, of `numbers`, and the range that those were in.

    They are float64 or uint8, and the pixels float32 or uint8. Where the range is not given: 0-1 if
    the largest number is at most 1, for a 0-255 picture with no pixel above 1 has nothing on it.
    """
    largest = np.maximum.reduce(numbers, axis=None)
    pixel_range = given or ("0-1" if largest <= 1 else "0-255")
    top = RANGES[pixel_range]
    # Written so that NaN counts as out of range.
    if not (np.minimum.reduce(numbers, axis=None) >= 0 and largest <= top):
        row, column = np.argwhere(~((numbers >= 0) & (numbers <= top)))[0]
        raise Problem(
            422,
            "out-of-range",
            f"Expected numbers from 0 to {top}; got {numbers[row, column]:g} in row {row}, "
            f"at position {column}.",
            pointer=f"{pointer}/{row}",
        )
    scaled = numbers if top == 255 else numbers * 255
    return scaled if scaled.dtype == np.uint8 else scaled.astype(np.float32), pixel_range


def read_npy(content: bytes, kinds: str = "uif", name: str = "The body") -> Any:
    """Return the array of an .npy file as a view of `content`; no objects, no allocation.

    `kinds` are those of NumPy's that it may hold, by default numbers; `name` is what `content` is
    called. Raises Problem 400.
    """
    stream = io.BytesIO(content)
    try:
        shape, fortran, dtype = NPY_HEADERS[np.lib.format.read_magic(stream)](stream)
        if dtype.kind not in kinds:
            raise ValueError(f"it holds {dtype}")
        if any(type(length) is not int or length < 0 for length in shape):
            raise ValueError(f"its shape is {shape}")
        array = np.frombuffer(content, dtype, offset=stream.tell())
        return array.reshape(shape, order="F" if fortran else "C")
    except Exception as error:  # NumPy hands on whatever Python's parser says of the header
        raise Problem(400, "not-npy", f"{name} is no .npy array: {error}.") from None
