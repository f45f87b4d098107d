"""Reading a request's body: whole, unpacked, and never more than the limit."""

import zlib
from typing import Any, NamedTuple

from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Request
from werkzeug.wsgi import get_content_length

from service.problems import Problem

Environ = dict[str, Any]  # of a request, as WSGI has it

SMALL = 2**20  # bytes of a body that holds a configuration or the like
GZIP_WINDOW = 31
MAX_MEMBERS = 256  # of a gzip file: each costs a copy of all that follows
ENCODINGS = {"gzip": GZIP_WINDOW, "deflate": zlib.MAX_WBITS}
NO_QUERY: "MultiDict[str, str]" = MultiDict()


class Content(NamedTuple):
    """A request's body, unpacked, and the headers that say what it is."""

    body: bytes
    content_type: str = ""
    inference_header_length: str | None = None  # Inference-Header-Content-Length
    query: "MultiDict[str, str]" = NO_QUERY
    limit: int = 0  # bytes that whatever is packed in it may have when unpacked

    @property
    def mimetype(self) -> str:
        """The Content-Type without its parameters, in lower case."""
        return mimetype(self.content_type)


def mimetype(content_type: str) -> str:
    """Return a Content-Type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def read_content(environ: Environ, limit: int) -> Content:
    """Return a request's body, unpacked, at most `limit` bytes. Raises Problem 400, 413, 415."""
    return Content(
        _unpacked(environ, limit),
        environ.get("CONTENT_TYPE", ""),
        environ.get("HTTP_INFERENCE_HEADER_CONTENT_LENGTH"),
        Request(environ).args if environ.get("QUERY_STRING") else NO_QUERY,
        limit,
    )


def read_body(environ: Environ, limit: int) -> bytes:
    """Return a request's body, at most `limit` bytes.

    Werkzeug's own reading cuts a chunked body off at the limit without a word, and takes a body
    that ended early for a whole one.

    Raises
    ------
    Problem
        413 past the limit; 400 where less came than was announced.
    """
    announced = get_content_length(environ)
    if announced is None and not environ.get("wsgi.input_terminated"):
        return b""
    if announced is not None and announced > limit:
        raise _too_large(limit, f"{announced:,}")
    try:
        content = environ["wsgi.input"].read(limit + 1 if announced is None else announced)
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


def _unpacked(environ: Environ, limit: int) -> bytes:
    content = read_body(environ, limit)
    encoding = environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
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
    return unpack(content, limit, encoding=encoding)


def _too_large(limit: int, came: str) -> Problem:
    detail = f"Expected a body of at most {limit:,} bytes; got {came}."
    return Problem(413, "body-too-large", detail)
