"""A data set as it is uploaded: .npz, IDX, CSV, or pictures in a zip of labelled folders.

What a file is shows in its first bytes. One file is all of the data, or its training part where the
form has another as ``test``.
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nncore.arrays import Pixels
from nncore.idx import IdxError, decode_idx
from service.bodies import Content, unpack
from service.dataset_csv import ROW, read_csv, tidy
from service.decoding import read_npy
from service.picture_bodies import FORM, ZIP_ENTRY, is_hidden, parse_form
from service.picture_folders import TEST, TRAIN, read_apart
from service.problems import Problem

UNPACKED = 4  # times the limit of a body may a data set have when it is unpacked
MOST_PICTURES = 20_000
MOST_TOLD = 50  # of the pictures that show no digit
IDX_FIELDS = {part: (f"{part}_images", f"{part}_labels") for part in (TRAIN, TEST)}
FIELDS = ("file", TRAIN, TEST, *IDX_FIELDS[TRAIN], *IDX_FIELDS[TEST])
# Names of arrays: those of Keras's mnist.npz, ours, and what people call them.
ARRAYS = {
    (TRAIN, "pixels"): ("x_train", "train_pixels", "train_images", "x", "pixels", "images"),
    (TRAIN, "labels"): ("y_train", "train_labels", "y", "labels"),
    (TEST, "pixels"): ("x_test", "test_pixels", "test_images"),
    (TEST, "labels"): ("y_test", "test_labels"),
}
CHUNK = 10_000  # rows that are converted at once


class Part(NamedTuple):
    """Pictures, uint8 (n, 784), and the label of each."""

    pixels: Pixels
    labels: list[str]


class Upload(NamedTuple):
    """A data set as it came; `left_out` says which pictures were not taken, and why."""

    format: str
    train: Part
    test: Part | None
    left_out: list[dict[str, str]]


def read_upload(content: Content) -> Upload:
    """Return the data set in a request's body.

    Raises
    ------
    Problem
        400 where a file is not what it begins like; 413 where it is too large; 422 where it has
        not what a data set has.
    """
    limit = UNPACKED * content.limit
    if content.mimetype != FORM:
        return _read_file(content.body, limit)
    _, uploads = parse_form(content, FIELDS)
    files = {name: upload.stream.read() for name, upload in uploads.items()}
    if any(name in files for name in (*IDX_FIELDS[TRAIN], *IDX_FIELDS[TEST])):
        return _read_idx(files, limit)
    whole = _read_file(_required(files, TRAIN if TRAIN in files else "file"), limit)
    if TEST not in files:
        return whole
    test = _read_file(files[TEST], limit)
    return whole._replace(test=test.train, left_out=whole.left_out + test.left_out)


def _read_file(body: bytes, limit: int) -> Upload:
    if body[:2] == b"\x1f\x8b":
        body = unpack(body, limit)
    if body[:4] in (b"PK\x03\x04", b"PK\x05\x06"):  # the second begins an empty one
        return _read_zip(body, limit)
    if body[:3] == b"\0\0\x08":
        fields = ", ".join(IDX_FIELDS[TRAIN])
        raise _wrong(f"IDX files hold pictures or labels: send both, as {fields} of a form.")
    numbers, labels = read_csv(body)
    return Upload("csv", _part(numbers, np.array(labels), "the CSV"), None, [])


def _read_zip(body: bytes, limit: int) -> Upload:
    if body.count(ZIP_ENTRY) > 3 * MOST_PICTURES:  # with folders, and what systems hide there
        raise Problem(413, "too-many-files", f"Expected at most {MOST_PICTURES:,} pictures.")
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            entries = [
                e for e in archive.infolist() if not e.is_dir() and not is_hidden(e.filename)
            ]
            if sum(entry.file_size for entry in entries) > limit:
                detail = f"Expected at most {limit:,} bytes after unpacking."
                raise Problem(413, "body-too-large", detail)
            if entries and all(entry.filename.endswith(".npy") for entry in entries):
                return _read_arrays({e.filename[:-4]: archive.read(e) for e in entries})
            return _read_folders(body, [e.filename for e in entries])
    except Problem:
        raise
    except Exception as error:  # zipfile hands on what its decompressors say
        raise Problem(400, "not-a-zip", f"The file is no whole zip: {error}.") from None


def _read_arrays(files: Mapping[str, bytes]) -> Upload:
    found = {
        place: next((files[name] for name in names if name in files), None)
        for place, names in ARRAYS.items()
    }
    parts = {}
    for part in (TRAIN, TEST):
        pixels, labels = found[part, "pixels"], found[part, "labels"]
        if (pixels is None) != (labels is None) or (part == TRAIN and pixels is None):
            names = (" or ".join(ARRAYS[part, kind]) for kind in ("pixels", "labels"))
            detail = (
                f"Expected arrays {' and '.join(names)}; there are {', '.join(files) or 'none'}."
            )
            raise _wrong(detail)
        if pixels is not None and labels is not None:
            parts[part] = _part(
                read_npy(pixels, "uifb", f"What has the pictures to {part}"),
                read_npy(labels, "uifbUS", f"What has the labels to {part}"),
                part,
            )
    return Upload("npz", parts[TRAIN], parts.get(TEST), [])


def _read_idx(files: Mapping[str, bytes], limit: int) -> Upload:
    parts = {}
    for part, (images, labels) in IDX_FIELDS.items():
        if part == TEST and images not in files and labels not in files:
            continue
        arrays = []
        for name in (images, labels):
            body = _required(files, name)
            try:
                arrays.append(decode_idx(unpack(body, limit) if body[:2] == b"\x1f\x8b" else body))
            except IdxError as error:
                raise Problem(400, "not-idx", f"{name}: {error}") from None
        parts[part] = _part(arrays[0], arrays[1], part)
    return Upload("idx", parts[TRAIN], parts.get(TEST), [])


def _read_folders(body: bytes, names: Sequence[str]) -> Upload:
    if not names or len(names) > MOST_PICTURES:
        detail = f"Expected 1 to {MOST_PICTURES:,} pictures in the zip; there are {len(names):,}."
        raise Problem(413 if names else 422, "number-of-pictures", detail)
    found = read_apart(body, names)
    if not found.labels[TRAIN]:
        first = found.left_out[0] if found.left_out else None
        why = f" The first: {first['file']}: {first['reason']}" if first else ""
        raise _wrong(f"None of {len(names):,} pictures can be trained on.{why}")
    train, test = (Part(found.pixels[part], found.labels[part]) for part in (TRAIN, TEST))
    return Upload("pictures", train, test if test.labels else None, found.left_out)


def _part(pixels: Any, labels: Any, name: str) -> Part:
    """Return arrays as pictures and their labels. Raises Problem 422."""
    shape = pixels.shape
    if len(shape) < 2 or int(np.prod(shape[1:])) != ROW or not shape[0]:
        raise _wrong(f"{name}: expected pictures (n, {ROW}) or (n, 28, 28); got {shape}.")
    if labels.ndim == 2:
        labels = labels[:, 0] if labels.shape[1] == 1 else _places(labels, name)
    if labels.shape != shape[:1]:
        raise _wrong(f"{name}: expected {shape[0]:,} labels; got {labels.shape}.")
    texts = labels.astype(str) if labels.dtype.kind != "S" else np.char.decode(labels, "latin-1")
    return Part(_to_bytes(pixels.reshape(-1, ROW), name), tidy(texts.tolist()))


def _places(labels: Any, name: str) -> Any:
    """Return the place of the one in each row of zeros. Raises Problem 422."""
    if (
        labels.dtype.kind in "US"
        or not ((labels == 1).sum(1) == 1).all()
        or labels.sum() != len(labels)
    ):
        raise _wrong(f"{name}: expected a label a row, or a one among zeros; got {labels.shape}.")
    return labels.argmax(1)


def _to_bytes(numbers: Any, name: str) -> Pixels:
    """Return 0-255 as bytes; numbers that are at most 1, all of them, are 0-1."""
    low, high = float(numbers.min()), float(numbers.max())
    top = 1 if high <= 1 else 255
    if numbers.dtype == np.uint8 and top > 1:
        return np.asarray(numbers)
    if not (low >= 0 and high <= top):  # so that NaN is refused
        raise _wrong(
            f"{name}: expected numbers from 0 to {top}; they are from {low:g} to {high:g}."
        )
    pixels = np.empty(numbers.shape, np.uint8)
    for start in range(0, len(numbers), CHUNK):
        rows = slice(start, start + CHUNK)
        pixels[rows] = np.rint(numbers[rows].astype(np.float32) * np.float32(255 / top))
    return pixels


def _required(files: Mapping[str, bytes], name: str) -> bytes:
    if name not in files:
        raise _wrong(f"The form has no file {name!r}; it has {', '.join(files) or 'none'}.")
    return files[name]


def _wrong(detail: str) -> Problem:
    return Problem(422, "not-a-data-set", detail)
