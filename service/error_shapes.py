"""Which family of paths has which error: each client gets the shape that it knows."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from nncore.errors import FieldError
from service.media_types import JSON

PROBLEM_JSON = "application/problem+json"
UNPROCESSABLE = 422

MLFLOW_CODES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
}
TORCHSERVE_TYPES = {
    404: "ModelNotFoundException",
    405: "MethodNotAllowedException",
    413: "RequestEntityTooLargeException",
    429: "ServiceUnavailableException",  # as where its own queue is full
    503: "ServiceUnavailableException",
}


class Fault(NamedTuple):
    """What is told of an error, in whatever shape."""

    status: int
    kind: str
    detail: str
    errors: Sequence[FieldError] = ()
    request_id: str | None = None

    @property
    def sentence(self) -> str:
        """What is wrong and where, for shapes that have no place for a pointer."""
        places = [error.pointer for error in self.errors if error.pointer]
        return f"{self.detail} (At {places[0]}.)" if len(places) == 1 else self.detail


class Family(NamedTuple):
    """The errors of a family of paths."""

    name: str
    schema: str  # of its errors, in the OpenAPI document
    encode: Callable[[Fault], dict[str, Any]]
    media_type: str = JSON
    unprocessable: int = 400  # what it calls our 422


class Written(NamedTuple):
    """An error as it is sent."""

    status: int
    body: bytes
    media_type: str


def problem_type(kind: str) -> str:
    """Return the URN of a kind of problem."""
    return f"urn:inkwell:problem:{kind}"


def _problem(fault: Fault) -> dict[str, Any]:
    document: dict[str, Any] = {
        "type": problem_type(fault.kind),
        "title": fault.kind.replace("-", " ").capitalize(),
        "status": fault.status,
        "detail": fault.detail,
        "request_id": fault.request_id,
    }
    if fault.errors:
        document["errors"] = [error._asdict() for error in fault.errors]
    return document


def _error(fault: Fault) -> dict[str, Any]:
    return {"error": fault.sentence}


def _mlflow(fault: Fault) -> dict[str, Any]:
    other = "BAD_REQUEST" if fault.status < 500 else "INTERNAL_ERROR"
    return {"error_code": MLFLOW_CODES.get(fault.status, other), "message": fault.sentence}


def _torchserve(fault: Fault) -> dict[str, Any]:
    other = "BadRequestException" if fault.status < 500 else "InternalServerException"
    kind = TORCHSERVE_TYPES.get(fault.status, other)
    return {"code": fault.status, "type": kind, "message": fault.sentence}


def _every(fault: Fault) -> dict[str, Any]:
    return _error(fault) | _mlflow(fault) | _torchserve(fault) | _problem(fault)


OURS = Family("Inkwell", "Problem", _problem, PROBLEM_JSON, UNPROCESSABLE)
# A request that the server cannot parse has no path to tell the family by: it gets every member.
UNPARSED = Family("Every", "Problem", _every, PROBLEM_JSON)
MLFLOW = Family("MLflow, SageMaker", "MlflowError", _mlflow)
FAMILIES: Mapping[str, Family] = {
    "v1": Family("TensorFlow Serving, KServe V1", "Error", _error),
    "v2": Family("Open Inference Protocol V2", "Error", _error),
    "invocations": MLFLOW,
    "ping": MLFLOW,
    "health": MLFLOW,
    "version": MLFLOW,
    "predictions": Family("TorchServe", "TorchServeError", _torchserve),
}


def family_of(path: str) -> Family:
    """Return the family of `path`, which its first step names."""
    return FAMILIES.get(path[1:].partition("/")[0], OURS)


def write(fault: Fault, family: Family) -> Written:
    """Return `fault` in the shape of `family`."""
    if fault.status == UNPROCESSABLE:
        fault = fault._replace(status=family.unprocessable)
    # ASCII: whatever came, and is told back, can be written.
    body = json.dumps(family.encode(fault)).encode()
    return Written(fault.status, body, family.media_type)
