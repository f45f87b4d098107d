"""Every request has an id: the client's if it is sane, else ours."""

import random
import re
from typing import Any

from flask import Flask, Response, g, request

HEADER = "X-Request-ID"
_TAKEN = "inkwell.request_id"  # in the environment
_SANE = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def new_id() -> str:
    """Return an id that no other request has."""
    return f"{random.getrandbits(128):032x}"  # not secret, but soon made


def request_id(environ: dict[str, Any]) -> str:
    """Return the id of a request, the same at each call."""
    found: str | None = environ.get(_TAKEN)
    if found is None:
        given: str = environ.get("HTTP_X_REQUEST_ID", "")
        found = environ[_TAKEN] = given if _SANE.fullmatch(given) else new_id()
    return found


def register(app: Flask) -> None:
    """Take or make the id before each request, and send it back with each answer."""
    app.before_request(_take)
    app.after_request(_send)


def _take() -> None:
    g.request_id = request_id(request.environ)


def _send(response: Response) -> Response:
    response.headers[HEADER] = g.request_id
    return response
