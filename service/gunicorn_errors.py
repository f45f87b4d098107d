"""gunicorn's own errors, of requests that it cannot parse: JSON in the place of its HTML."""

import socket
import uuid

from gunicorn import util

from service.error_shapes import UNPARSED, Fault, write
from service.request_ids import HEADER

MAX_MESSAGE = 300  # characters: it repeats what came


def write_error(sock: socket.socket, status: int, reason: str, message: str) -> None:
    """Answer as gunicorn's function of this name, whose place this one takes.

    Which address was meant is not known, so the document has the members of all families' errors.
    """
    kind = reason.lower().replace(" ", "-")
    fault = Fault(status, kind, message[:MAX_MESSAGE] or f"{reason}.", request_id=uuid.uuid4().hex)
    written = write(fault, UNPARSED)
    head = (
        f"HTTP/1.1 {status} {reason}\r\n"
        "Connection: close\r\n"
        f"Content-Type: {written.media_type}\r\n"
        f"Content-Length: {len(written.body)}\r\n"
        f"{HEADER}: {fault.request_id}\r\n\r\n"
    )
    util.write_nonblock(sock, head.encode() + written.body)
