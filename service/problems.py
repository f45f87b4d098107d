"""Every error has one answer: an RFC 9457 problem document, or its family's own shape."""

import contextlib
import errno
import logging
from collections.abc import Mapping, Sequence

from flask import Flask, Response, g, request
from redis.exceptions import RedisError
from werkzeug.exceptions import HTTPException

from jobs.idempotency import KeyReusedError
from nncore.errors import (
    AliasMovedError,
    ConfigError,
    FieldError,
    NotFoundError,
    NothingBeforeError,
    RegistryError,
    VersionInUseError,
)
from nncore.logs import with_fields
from service.error_shapes import Fault, family_of, write
from service.settings import DRAIN_BYTES

log = logging.getLogger(__name__)

RETRY_SECONDS = "5"

DRAIN_STEP = 2**20


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """An error with its answer.

    Parameters
    ----------
    status : int
        HTTP status.
    kind : str
        What went wrong, in two or three words joined by ``-``; the end of the problem's type.
    detail : str
        What was expected, what came, where.
    pointer : str, optional
        JSON pointer to the field to blame.
    errors : sequence of FieldError, optional
        Where more than one field is to blame.
    headers : mapping, optional
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        pointer: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.errors = [FieldError(pointer, detail)] if pointer is not None else list(errors)
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """Return the problem as an answer, in the shape of the family that was asked."""
        fault = Fault(self.status, self.kind, self.detail, self.errors, g.get("request_id"))
        written = write(fault, family_of(request.path))
        return Response(
            written.body, written.status, headers=self.headers, mimetype=written.media_type
        )


def unavailable(kind: str, detail: str) -> Problem:
    """Return a 503 that tells when to try again."""
    return Problem(503, kind, detail, headers={"Retry-After": RETRY_SECONDS})


def register(app: Flask) -> None:
    """Answer every error of `app` with a problem document."""
    app.register_error_handler(Problem, _answer_problem)
    app.register_error_handler(ConfigError, _answer_config_error)
    app.register_error_handler(RegistryError, _answer_registry_error)
    app.register_error_handler(KeyReusedError, _answer_key_reused)
    app.register_error_handler(RedisError, _answer_redis_error)
    app.register_error_handler(OSError, _answer_os_error)
    app.register_error_handler(HTTPException, _answer_http_exception)
    app.register_error_handler(Exception, _answer_fault)
    app.after_request(_drain_refused)


def _answer_problem(problem: Problem) -> Response:
    return problem.response()


def _answer_config_error(error: ConfigError) -> Response:
    return Problem(422, "invalid-config", str(error), errors=error.errors).response()


def _answer_registry_error(error: RegistryError) -> Response:
    if isinstance(error, NotFoundError):
        return Problem(404, "not-found", str(error)).response()
    if isinstance(error, VersionInUseError):
        return Problem(409, "version-in-use", str(error)).response()
    if isinstance(error, AliasMovedError):
        return Problem(412, "alias-moved", f"{error} Read it again.").response()
    if isinstance(error, NothingBeforeError):
        return Problem(409, "nothing-before", str(error)).response()
    return unavailable("version-refused", str(error)).response()


def _answer_key_reused(error: KeyReusedError) -> Response:
    detail = "This Idempotency-Key came with another body before; a new request wants a new key."
    return Problem(422, "idempotency-key-reused", detail).response()


def _answer_redis_error(error: RedisError) -> Response:
    log.warning("The queue cannot be reached: %s", error)
    detail = "The job queue cannot be reached now; predictions go on. Try again shortly."
    return unavailable("queue-unreachable", detail).response()


def _answer_os_error(error: OSError) -> Response:
    """Answer what the store's disk says."""
    log.error("The store cannot be used", exc_info=error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Problem(
            507, "disk-full", "The store's disk is full. Nothing was changed."
        ).response()
    reason = error.strerror or "it cannot be used"
    return unavailable("store-unusable", f"The store: {reason}. Nothing was changed.").response()


def _answer_http_exception(error: HTTPException) -> Response:
    """Answer what Flask and Werkzeug raise: no such address, wrong method."""
    status = error.code or 500
    headers = {key: value for key, value in error.get_headers() if key in ("Allow", "Retry-After")}
    detail = error.description or error.name
    if status == 404:
        detail = f"There is nothing at {request.path[:200]}."
    if status == 405:
        detail = f"{request.path[:200]} does not take {request.method[:20]}."
    kind = error.name.lower().replace(" ", "-")
    return Problem(status, kind, detail, headers=headers).response()


def _answer_fault(error: Exception) -> Response:
    log.error("Unforeseen fault", exc_info=error, extra=with_fields(request_id=g.get("request_id")))
    detail = "The service met a fault of its own; it is in its log under this request_id."
    return Problem(500, "internal-fault", detail).response()


def _drain_refused(response: Response) -> Response:
    """Read and forget the body of a refused request, within bounds: the client is still sending."""
    if response.status_code >= 400:
        _drain()
    return response


def _drain() -> None:
    stream, left = request.environ["wsgi.input"], DRAIN_BYTES
    if (request.content_length or 0) > left:
        return  # it would not come to an end
    with contextlib.suppress(Exception):  # what is wrong with it was told already
        while left > 0 and stream.read(DRAIN_STEP):
            left -= DRAIN_STEP
