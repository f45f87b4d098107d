"""Reading a request's body: whole, unpacked, and never more than the limit."""

import zlib
from typing import NamedTuple

from flask import Request
from werkzeug.datastructures import MultiDict

from service.problems import Problem

SMALL = 2**20  # bytes of a body that holds a configuration or the like
GZIP_WINDOW = 31
MAX_MEMBERS = 256  # of a gzip file: each costs a copy of all that follows
ENCODINGS = {"gzip": GZIP_WINDOW, "deflate": zlib.MAX_WBITS}


class Content(NamedTuple):
    """A request's body, unpacked, and the headers that say what it is."""

    body: bytes
    content_type: str = ""
    inference_header_length: str | None = None  # Inference-Header-Content-Length
    query: "MultiDict[str, str]" = MultiDict()
    limit: int = 0  # bytes that whatever is packed in it may have when unpacked

    @property
    def mimetype(self) -> str:
        """The Content-Type without its parameters, in lower case."""
        return self.content_type.partition(";")[0].strip().lower()


def read_content(request: Request) -> Content:
    """Return the body of `request`, unpacked. Raises Problem 400, 413, 415."""
    return Content(
        _unpacked(request),
        request.headers.get("Content-Type", ""),
        request.headers.get("Inference-Header-Content-Length"),
        request.args,
        request.max_content_length or 0,
    )


def read_body(request: Request, *, limit: int | None = None) -> bytes:
    """Return the body of `request`, at most `limit` bytes, by default INKWELL_MAX_BODY_MB.

    Werkzeug's own reading cuts a chunked body off at the limit without a word, and takes a body
    that ended early for a whole one.

    Raises
    ------
    Problem
        413 past the limit; 400 where less came than was announced.
    """
    limit, announced = limit or request.max_content_length or 0, request.content_length
    if announced is None and not request.environ.get("wsgi.input_terminated"):
        return b""
    if announced is not None and announced > limit:
        raise _too_large(limit, f"{announced:,}")
    try:
        content = request.environ["wsgi.input"].read(limit + 1 if announced is None else announced)
    except Exception as error:  # each server has its own for a body that is wrongly cut in chunks
        raise Problem(400, "body-cut-off", f"The body ended early: {error}.") from None
    if len(content) > limit:
        raise _too_large(limit, "more")
    if announced is not None and len(content) < announced:
        detail = f"The body ended early: {announced:,} bytes announced, {len(content):,} came."
        raise Problem(400, "body-cut-off", detail)
    return bytes(content)


def unpack(content: bytes, limit: int, *, encoding: str = "gzip") -> bytes:
    """Return what `content` unpacks to, at most `limit` bytes of it ever in memory.

    A gzip file may have several members, one behind the other. Raises Problem 400, 413.
    """
    unpacked = b""
    members = 0
    while content:
        members += 1
        if members > MAX_MEMBERS:
            detail = f"Expected at most {MAX_MEMBERS} members in a {encoding} body."
            raise Problem(413, "too-many-members", detail)
        unpacker = zlib.decompressobj(ENCODINGS[encoding])
        try:
            unpacked += unpacker.decompress(content, limit + 1 - len(unpacked))
        except zlib.error as error:
            detail = f"The body is no {encoding}: {error}."
            raise Problem(400, f"not-{encoding}", detail) from None
        if len(unpacked) > limit:
            detail = f"Expected at most {limit:,} bytes after unpacking."
            raise Problem(413, "body-too-large", detail)
        if not unpacker.eof:
            raise Problem(400, f"not-{encoding}", f"The {encoding} body is cut off.")
        content = unpacker.unused_data
    return unpacked


def _unpacked(request: Request) -> bytes:
    content = read_body(request)
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return content
    if encoding not in ENCODINGS:
        known = ", ".join((*ENCODINGS, "identity"))
        raise Problem(
            415,
            "unknown-content-encoding",
            f"Content-Encoding {encoding[:80]!r} is not known. Known: {known}.",
            headers={"Accept-Encoding": ", ".join(ENCODINGS)},
        )
    return unpack(content, request.max_content_length or 0, encoding=encoding)


def _too_large(limit: int, came: str) -> Problem:
    detail = f"Expected a body of at most {limit:,} bytes; got {came}."
    return Problem(413, "body-too-large", detail)
