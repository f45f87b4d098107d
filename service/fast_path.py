"""Predictions are answered in front of Flask, whose own layers would cost more than the network.

Flask's view and this end in the same function, `Predictor.respond`. What this cannot answer goes on
to Flask: every other address, and every error, which Flask's handlers tell.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from flask import Flask, request
from werkzeug.exceptions import HTTPException

from service import request_ids
from service.bodies import Environ
from service.observing import observation
from service.predictor import Asked, Predictor
from service.routes import ASKED
from service.security_headers import security_headers

FAULT = "inkwell.fault"  # in the environment: what went wrong in front of Flask
KNOWN_PATHS = 256


class FastPath:
    """A WSGI application in front of that of `app`, which has all its routes."""

    def __init__(self, app: Flask, predictor: Predictor) -> None:
        self._flask = app.wsgi_app
        self._predictor = predictor
        self._url_map = app.url_map.bind("")
        self._asked = lru_cache(KNOWN_PATHS)(self._match)

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        found = self._asked(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if found is None:
            return self._flask(environ, start_response)
        asked, observation(environ).route = found
        try:
            encoded = self._predictor.respond(asked, environ)
        except Exception as error:
            environ[FAULT] = error
            return self._flask(environ, start_response)
        headers = [
            *encoded.headers.items(),
            *security_headers(environ["wsgi.url_scheme"]).items(),
            ("Content-Type", encoded.content_type),
            ("Content-Length", str(len(encoded.body))),
            (request_ids.HEADER, request_ids.request_id(environ)),
        ]
        start_response("200 OK", headers)
        return [encoded.body]

    def answers_soon(self, environ: Environ) -> bool:
        """Tell whether this answers a request, and as soon as a network does some rows at once."""
        found = self._asked(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        return found is not None and self._predictor.answers_soon(found[0], environ)

    def _match(self, method: str, path: str) -> tuple[Asked, str] | None:
        """Return which prediction Flask's table of addresses has there, and the route.

        None where it has none.
        """
        try:
            rule, values = self._url_map.match(path, method, return_rule=True)
        except HTTPException:
            return None
        asked = ASKED.get(rule.endpoint)
        # Flask answers OPTIONS at every address. WSGI has the bytes of a path as Latin-1; no name
        # that there is needs more than ASCII.
        if asked is None or method == "OPTIONS" or not path.isascii():
            return None
        return asked(**values), rule.rule


def register(app: Flask) -> None:
    """Let `app` tell what went wrong in front of it, as if its own view had met it."""
    app.before_request(_raise_fault)


def _raise_fault() -> None:
    fault = request.environ.get(FAULT)
    if fault is not None:
        raise fault
