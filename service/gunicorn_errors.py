"""gunicorn's own errors, of requests that it cannot parse: JSON in the place of its HTML."""

import os
import socket
from collections.abc import Mapping
from functools import lru_cache

from gunicorn import util

from service.error_shapes import UNPARSED, Fault, write
from service.request_ids import HEADER
from service.security_headers import HEADERS

MAX_MESSAGE = 300  # characters: it repeats what came
_ID = os.urandom(16).hex()  # stands for a request's id in what is made for many


def write_error(sock: socket.socket, status: int, reason: str, message: str) -> None:
    """Answer as gunicorn's function of this name, whose place this one takes."""
    util.write_nonblock(sock, error_bytes(status, reason, message, {}))


def error_bytes(
    status: int, reason: str, message: str, headers: Mapping[str, str], *, goes_on: bool = False
) -> bytes:
    """Return an answer, head and body, after which the connection goes on or ends.

    Which address was meant is not known, so the document has the members of all families' errors.
    """
    answer = _answer(status, reason, message[:MAX_MESSAGE], tuple(headers.items()), goes_on)
    return answer.replace(_ID.encode(), os.urandom(16).hex().encode())


@lru_cache(maxsize=16)  # a service that refuses half of what comes must not spend its time on that
def _answer(
    status: int, reason: str, message: str, headers: tuple[tuple[str, str], ...], goes_on: bool
) -> bytes:
    kind = reason.lower().replace(" ", "-")
    fault = Fault(status, kind, message or f"{reason}.", request_id=_ID)
    written = write(fault, UNPARSED)
    fields = {
        "Connection": "keep-alive" if goes_on else "close",
        "Content-Type": written.media_type,
        "Content-Length": str(len(written.body)),
        HEADER: _ID,
        **HEADERS,
        **dict(headers),
    }
    lines = (f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in fields.items()))
    return "\r\n".join((*lines, "", "")).encode() + written.body
