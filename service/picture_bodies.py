"""Pictures in a request: one alone, many in a form, many in a zip."""

import io
import time
import zipfile
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from nncore.framing import SIDE
from service import picture_files
from service.batches import Batch, Refused, text_options
from service.bodies import Content
from service.pictures import read_picture
from service.problems import Problem
from service.shapes import Rows

FIELDS = ("file", "data")  # the second is TorchServe's
FORM, ZIP = "multipart/form-data", "application/zip"
MEDIA_TYPES = (*picture_files.MEDIA_TYPES, FORM, ZIP)
MOST_FILES = 1000
MOST_PIXELS = 10 * picture_files.MOST_PIXELS  # of all pictures of a request
MOST_SECONDS = 60.0  # of a processor, for all pictures of a request: a thousand may take half of it
ZIP_ENTRY = b"PK\x01\x02"


class File(NamedTuple):
    """A picture file of a request: its name, where it has one, and its bytes."""

    name: str
    content: bytes

    @property
    def named(self) -> dict[str, Any]:
        """What tells of a prediction that it is of this file."""
        return {"file": self.name} if self.name else {}

    def blamed(self, problem: Problem) -> Problem:
        """Return the problem with the name of this file before it."""
        detail = f"{self.name}: {problem.detail}" if self.name else problem.detail
        return Problem(problem.status, problem.kind, detail)


def decode_pictures(content: Content, rows: Rows) -> Batch:
    """Return a row for each picture that can be read in a body of one of `MEDIA_TYPES`.

    Raises
    ------
    Problem
        400 where the body is not what its Content-Type says; 413 where there are too many files,
        bytes or pixels, or where they take too long; where no picture can be read, what is wrong
        with the first.
    """
    if rows.side != SIDE:
        detail = f"Expected rows of {rows.expected}: this version does not take pictures of digits."
        raise Problem(422, "no-pictures", detail)
    files, options = _unpacked(content)
    if not files:
        raise Problem(422, "empty-batch", "Expected at least one picture; there is none.")
    _check_count(len(files))
    rows.check_count(len(files))
    pixels, pictures, refused, left = [], [], [], MOST_PIXELS
    until = time.thread_time() + MOST_SECONDS
    for file in files:
        if time.thread_time() > until:
            detail = f"Expected pictures that are read in {MOST_SECONDS:.0f} s; send fewer at once."
            raise file.blamed(Problem(413, "pictures-too-slow", detail))
        try:
            picture = picture_files.open_picture(file.content)
            left -= picture.width * picture.height
            if left >= 0:
                reading = read_picture(picture)
                pixels.append(reading.pixels)
                pictures.append(file.named | reading.picture)
        except picture_files.TooManyLargePictures:
            raise
        except Problem as problem:
            refused.append(Refused(file.name, file.blamed(problem)))
        if left < 0:
            detail = f"Expected at most {MOST_PIXELS:,} pixels in all pictures together."
            raise file.blamed(Problem(413, "pictures-too-large", detail))
    if not pixels:
        raise refused[0].problem
    return Batch(np.stack(pixels), "0-255", options, tuple(pictures), tuple(refused))


def _unpacked(content: Content) -> tuple[list[File], dict[str, Any]]:
    """Return the files in a body, and the options beside them."""
    if content.mimetype == FORM:
        return _files_of_form(content)
    if content.mimetype == ZIP:
        return _files_of_zip(content), {}
    return [File("", content.body)], {}


def _files_of_form(content: Content) -> tuple[list[File], dict[str, Any]]:
    fields, uploads = parse_form(content, FIELDS)
    found = [upload for field in FIELDS for upload in uploads.getlist(field)]
    files = [File(_shown(upload.filename or ""), upload.stream.read()) for upload in found]
    return files, text_options(fields)


def parse_form(
    content: Content, known: Sequence[str]
) -> tuple["MultiDict[str, str]", "MultiDict[str, FileStorage]"]:
    """Return the texts and the files of a form. Raises Problem: a file in a field not `known`."""
    parser = FormDataParser(stream_factory=_in_memory, max_form_parts=MOST_FILES + 10, silent=False)
    body, (_, parameters) = content.body, parse_options_header(content.content_type)
    try:
        _, fields, uploads = parser.parse(io.BytesIO(body), FORM, len(body), parameters)
    except HTTPException:
        raise _too_many_files() from None
    except ValueError as error:
        raise Problem(400, "not-a-form", f"The body is no whole {FORM}: {error}.") from None
    for name in uploads:
        if name not in known:
            detail = f"Expected files in the field {known[0]!r}; got one in {name[:80]!r}."
            raise Problem(422, "unknown-field", f"{detail} Known: {', '.join(known)}.")
    return fields, uploads


def _in_memory(*_: object, **__: object) -> io.BytesIO:
    return io.BytesIO()


def _files_of_zip(content: Content) -> list[File]:
    """Return the files in a zip, but not those that systems hide there."""
    # Before zipfile makes an object of each.
    _check_count(content.body.count(ZIP_ENTRY))
    files, left = [], content.limit
    try:
        with zipfile.ZipFile(io.BytesIO(content.body)) as archive:
            for entry in archive.infolist():
                if entry.is_dir() or is_hidden(entry.filename):
                    continue
                with archive.open(entry) as stream:
                    unpacked = stream.read(left + 1)
                left -= len(unpacked)
                if left < 0:
                    detail = f"Expected at most {content.limit:,} bytes after unpacking."
                    raise Problem(413, "body-too-large", detail)
                files.append(File(_shown(entry.filename), unpacked))
    except Problem:
        raise
    except Exception as error:  # zipfile hands on what its decompressors say; passwords are errors
        raise Problem(400, "not-a-zip", f"The body is no whole zip: {error}.") from None
    return files


def is_hidden(name: str) -> bool:
    """Tell whether a file in a zip is one that systems hide there."""
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)


def _shown(name: str) -> str:
    return name[:200]


def _check_count(count: int) -> None:
    if count > MOST_FILES:
        raise _too_many_files()


def _too_many_files() -> Problem:
    detail = f"Expected at most {MOST_FILES:,} files a request; got more."
    return Problem(413, "too-many-files", detail)
