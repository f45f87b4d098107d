"""Every request has an id: the client's if it is sane, else ours."""

import re
import uuid

from flask import Flask, Response, g, request

HEADER = "X-Request-ID"
_SANE = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def register(app: Flask) -> None:
    """Take or make the id before each request, and send it back with each answer."""
    app.before_request(_take)
    app.after_request(_send)


def _take() -> None:
    given = request.headers.get(HEADER, "")
    g.request_id = given if _SANE.fullmatch(given) else uuid.uuid4().hex


def _send(response: Response) -> Response:
    response.headers[HEADER] = g.request_id
    return response
