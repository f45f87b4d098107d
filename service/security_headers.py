"""What every answer tells browsers: take it as what it says it is, and run or frame nothing of it.

The pages say more exactly what they need (`service/pages/views.py`); where an answer has a header
already, that stays.
"""

from flask import Flask, Response, request

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
# Where TLS ends in front of us and the proxy says so: over plain HTTP browsers ignore it, and a
# service that is only tried out on this machine must not bind the name to TLS.
STRICT_TRANSPORT = {"Strict-Transport-Security": "max-age=31536000"}


def security_headers(scheme: str) -> dict[str, str]:
    """Return the headers of an answer to a request that came by `scheme`."""
    return HEADERS | STRICT_TRANSPORT if scheme == "https" else HEADERS


def register(app: Flask) -> None:
    """Send the headers with each answer of `app`."""
    app.after_request(_send)


def _send(response: Response) -> Response:
    for name, value in security_headers(request.scheme).items():
        response.headers.setdefault(name, value)
    return response
