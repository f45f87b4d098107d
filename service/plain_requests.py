"""Requests of the plainest form, which most predictions have: read, and answered in one piece.

gunicorn's parser and its response take longer than a small network. They have all requests that are
not of this form, to the letter: what the two could read differently is none of it.
"""

import io
import re
import sys
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from gunicorn import SERVER, SERVER_SOFTWARE
from gunicorn.util import http_date

from service.bodies import Environ

MAX_HEAD, MAX_FIELDS = 4000, 64  # bytes, and headers: below gunicorn's limits
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
Address = tuple[str, int]

_HEAD = re.compile(
    r"POST (/[\w.~:@!$&'()*+,;=/-]*)(?:\?([\w.~:@!$&'()*+,;=/?%-]*))? HTTP/1\.1\r\n"
    r"((?:[A-Za-z0-9-]+:[ -~\t]*\r\n)+)\r\n",
    re.ASCII,
)
_DIGITS = re.compile(r"\d{1,18}", re.ASCII)
# By these a request is more than its bytes: it is packed, goes on, or came by another scheme.
_TELL_MORE = frozenset(
    {
        "HTTP_CONTENT_ENCODING",
        "HTTP_EXPECT",
        "HTTP_TRAILER",
        "HTTP_TRANSFER_ENCODING",
        "HTTP_UPGRADE",
        "HTTP_X_FORWARDED_PROTO",
        "HTTP_X_FORWARDED_PROTOCOL",
        "HTTP_X_FORWARDED_SSL",
    }
)
_SAME_FOR_ALL = {
    "REQUEST_METHOD": "POST",
    "SCRIPT_NAME": "",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SERVER_SOFTWARE": SERVER_SOFTWARE,
    "wsgi.errors": sys.stderr,
    "wsgi.input_terminated": True,
    "wsgi.multiprocess": True,
    "wsgi.multithread": True,
    "wsgi.run_once": False,
    "wsgi.url_scheme": "http",
    "wsgi.version": (1, 0),
}


def plain_environ(head: bytes) -> Environ | None:
    """Return what WSGI has of a request's head, None where it is not of the plain form."""
    if len(head) > MAX_HEAD or not head.isascii():
        return None
    found = _HEAD.fullmatch(head.decode())
    if found is None:
        return None
    path, query, lines = found.groups()
    fields = lines.split("\r\n")[:-1]
    if len(fields) > MAX_FIELDS:
        return None
    environ = {**_SAME_FOR_ALL, "PATH_INFO": path, "QUERY_STRING": query or ""}
    for line in fields:
        name, _, value = line.partition(":")
        key = _key(name)
        if key in environ or key in _TELL_MORE:
            return None
        environ[key] = value.strip(" \t")
    if environ.get("HTTP_CONNECTION", "keep-alive").lower() != "keep-alive":
        return None
    if "HTTP_HOST" not in environ or not _DIGITS.fullmatch(environ.get("CONTENT_LENGTH", "")):
        return None
    return environ


def answer(app: App, environ: Environ, body: bytes, client: Address, server: Address) -> bytes:
    """Return what `app` answers, head and body, after which the connection goes on.

    Raises ValueError where a header would end the head.
    """
    environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = client[0], str(client[1])
    environ["SERVER_NAME"], environ["SERVER_PORT"] = server[0], str(server[1])
    environ["wsgi.input"] = io.BytesIO(body)
    told: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        told[:] = [f"HTTP/1.1 {status}", *_own_headers(int(time.time()))]
        told.extend([f"{name}: {value}" for name, value in headers])

    parts = app(environ, start_response)
    try:
        content = b"".join(parts)
    finally:
        if hasattr(parts, "close"):
            parts.close()
    head = "\r\n".join((*told, "", ""))
    if head.count("\n") != len(told) + 1 or head.count("\r") != len(told) + 1:
        raise ValueError("A header of the answer has several lines.")
    return head.encode("latin-1") + content


@lru_cache(256)
def _key(name: str) -> str:
    """Return what WSGI calls a header."""
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


@lru_cache(1)
def _own_headers(_second: int) -> tuple[str, ...]:
    return f"Server: {SERVER}", f"Date: {http_date()}", "Connection: keep-alive"
