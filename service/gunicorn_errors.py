"""gunicorn's own errors, of requests that it cannot parse: JSON in the place of its HTML."""

import socket
from collections.abc import Mapping

from gunicorn import util

from service.error_shapes import UNPARSED, Fault, write
from service.request_ids import HEADER, new_id
from service.security_headers import HEADERS

MAX_MESSAGE = 300  # characters: it repeats what came
_ID = new_id()


def write_error(sock: socket.socket, status: int, reason: str, message: str) -> None:
    """Answer as gunicorn's function of this name, whose place this one takes."""
    util.write_nonblock(sock, error_bytes(error_parts(status, reason, message, {})))


def error_bytes(parts: list[bytes]) -> bytes:
    """Return an answer of such parts, with an id of its own."""
    return new_id().encode().join(parts)


def error_parts(
    status: int, reason: str, message: str, headers: Mapping[str, str], *, goes_on: bool = False
) -> list[bytes]:
    """Return an answer, head and body, without the request's id, which is between the parts.

    After it the connection goes on or ends. Which address was meant is not known, so the document
    has the members of all families' errors.
    """
    kind = reason.lower().replace(" ", "-")
    message = message[:MAX_MESSAGE] or f"{reason}."
    written = write(Fault(status, kind, message, request_id=_ID), UNPARSED)
    fields = {
        "Connection": "keep-alive" if goes_on else "close",
        "Content-Type": written.media_type,
        "Content-Length": str(len(written.body)),
        HEADER: _ID,
        **HEADERS,
        **headers,
    }
    lines = (f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in fields.items()))
    return ("\r\n".join((*lines, "", "")).encode() + written.body).split(_ID.encode())
