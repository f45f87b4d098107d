"""Who may: the bearer of the admin token may change things, and who may predict can be limited."""

import hashlib
import hmac
import logging
import os
import secrets
from collections.abc import Callable, Collection
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from flask import current_app, request

from service.problems import Problem, unavailable
from service.settings import Settings

log = logging.getLogger(__name__)

TOKEN_FILE = "admin_token"  # noqa: S105 - a file's name
BLANKS = " \t"
P = ParamSpec("P")
R = TypeVar("R")


def admin_token(settings: Settings) -> str | None:
    """Return the token of the settings, else the one in the store, made at the first start.

    None where the store cannot be written, or is a bucket: predicting goes on, nothing can be
    changed.
    """
    token = (settings.admin_token or "").strip()
    if token or not isinstance(settings.store, Path):
        return token or None
    path = settings.store / TOKEN_FILE
    try:
        if not path.exists() or not path.read_text().strip():
            _make_token(path, settings)
        return path.read_text().strip()
    except OSError as error:
        log.error("No admin token can be kept in %s: %s", path, error)
        return None


def admin_only(view: Callable[P, R]) -> Callable[P, R]:
    """Let a view run for the bearer of the token only: 401 without one, 403 with a wrong one."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        given = bearer_token(request.environ)
        if given is None:
            raise _missing(
                "This changes something: send 'Authorization: Bearer <INKWELL_ADMIN_TOKEN>'."
            )
        expected = current_app.extensions["admin_token"]
        if not expected:
            raise unavailable("no-admin-token", "The store can keep no admin token; see the log.")
        if not is_among(given, [expected]):
            raise Problem(403, "token-wrong", "The bearer token is not the admin token.")
        return view(*args, **kwargs)

    return guarded


def check_predicting(environ: dict[str, Any], tokens: Collection[str]) -> None:
    """Let a request through whose bearer has one of `tokens`, and each where there are none.

    Raises
    ------
    Problem
        401 without a token, 403 with a wrong one.
    """
    if not tokens:
        return
    given = bearer_token(environ)
    if given is None:
        raise _missing(
            "Predicting is not open here: send 'Authorization: Bearer <INKWELL_PREDICT_TOKEN>'."
        )
    if not is_among(given, tokens):
        raise Problem(403, "token-wrong", "The bearer token is not one that may predict.")


def bearer_token(environ: dict[str, Any]) -> bytes | None:
    """Return the token that a request brought, or None where it brought none."""
    scheme, _, given = environ.get("HTTP_AUTHORIZATION", "").strip(BLANKS).partition(" ")
    given = given.strip(BLANKS)
    if scheme.lower() != "bearer" or not given:
        return None
    return bytes(given, "latin-1")  # as which WSGI has the bytes of a header


def is_among(given: bytes, tokens: Collection[str]) -> bool:
    """Tell whether `given` is one of `tokens`.

    All are compared, and by their hashes: how long it takes says nothing of any of them, not even
    how long they are.
    """
    came = hashlib.sha256(given).digest()
    hashes = [hashlib.sha256(token.encode()).digest() for token in tokens]
    return sum(hmac.compare_digest(came, expected) for expected in hashes) > 0


def _missing(detail: str) -> Problem:
    challenge = {"WWW-Authenticate": 'Bearer realm="inkwell"'}
    return Problem(401, "token-missing", detail, headers=challenge)


def _make_token(path: Path, settings: Settings) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.unlink()  # an empty one, which a crash left behind
    token = secrets.token_urlsafe(32)
    staged = path.with_name(f".{TOKEN_FILE}.{secrets.token_hex(4)}")
    try:
        with open(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{token}\n")
            file.flush()
            os.fsync(file.fileno())
        # A link fails where another process was first: all then use that one's token.
        os.link(staged, path)
    except FileExistsError:
        return
    finally:
        staged.unlink(missing_ok=True)
    log.warning(
        "No INKWELL_ADMIN_TOKEN is set. Made one for http://%s:%d, kept in %s: %s",
        # "Every address" is none that a person can open.
        {"0.0.0.0": "127.0.0.1", "::": "localhost"}.get(settings.host, settings.host),  # noqa: S104
        settings.port,
        path,
        token,
    )
