"""Reading a request's body: whole, and never more than the limit."""

from flask import Request

from service.problems import Problem

SMALL = 2**20  # bytes of a body that holds a configuration or the like


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


def _too_large(limit: int, came: str) -> Problem:
    detail = f"Expected a body of at most {limit:,} bytes; got {came}."
    return Problem(413, "body-too-large", detail)
