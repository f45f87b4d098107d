"""What is posted to begin something: an object, and perhaps the key that lets it be sent again."""

from typing import Any

from flask import request

from jobs.idempotency import Idempotency
from jobs.records import digest
from service.bodies import SMALL, read_body
from service.json_body import read_object
from service.media_types import JSON
from service.problems import Problem

MAX_KEY = 255


def posted_object() -> dict[str, Any]:
    """Return the request's JSON object. Raises Problem."""
    if request.mimetype != JSON:
        detail = f"Expected application/json; got {request.mimetype[:80]!r}."
        raise Problem(415, "unknown-content-type", detail)
    return read_object(read_body(request.environ, SMALL))


def idempotency(body: dict[str, Any]) -> Idempotency | None:
    """Return the request's ``Idempotency-Key`` with its body's hash. Raises Problem 422."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not key.isascii() or not key.isprintable() or not 1 <= len(key) <= MAX_KEY:
        detail = f"Idempotency-Key: expected 1 to {MAX_KEY} printable ASCII characters."
        raise Problem(422, "not-an-idempotency-key", detail)
    return Idempotency(key, digest(body))
