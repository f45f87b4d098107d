"""What each call sends and how its answer is read: the same for the client and the async client."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from inkwell.bodies import encode
from inkwell.results import Answer, Predictions, Version

T = TypeVar("T")


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request; `read` makes the result of the answer, `safe` tells that it may be sent twice."""

    method: str
    path: str
    read: Callable[[Answer], T]
    options: dict[str, Any] = field(default_factory=dict)
    safe: bool = True


def plain(answer: Answer) -> Answer:
    """Return an answer as it is."""
    return answer


def get(path: str, **query: Any) -> Call[Answer]:
    """Look at something."""
    return Call("GET", f"/api/v1{path}", plain, {"params": query} if query else {})


def predict(images: Any, model: str | None, version: int | str | None) -> Call[Predictions]:
    """Ask what images show; predicting changes nothing."""
    body = {key: value for key, value in encode(images)._asdict().items() if value is not None}
    return Call("POST", predict_path(model, version), Predictions, body)


def predict_path(model: str | None, version: int | str | None) -> str:
    """Return the address at which a version answers, the live one of the default model else."""
    path = "/api/v1"
    if model is not None:
        path += f"/models/{part(model)}"
        if version is not None:
            path += f"/versions/{part(version)}"
    return f"{path}/predict"


def job_config(model: str, config: Answer) -> Answer:
    """Return a job's config; a preset names its data itself."""
    return {"model": model} | ({} if "preset" in config else {"dataset": "digits"}) | config


def train(config: Answer) -> Call[Answer]:
    """Post a job; its key lets it be posted again without a second job coming of it."""
    headers = {"Idempotency-Key": secrets.token_hex(16)}
    return Call("POST", "/api/v1/jobs", plain, {"json": config, "headers": headers})


def order(job_id: str, order: str) -> Call[Answer]:
    """Stop or resume a job."""
    return Call("POST", f"/api/v1/jobs/{part(job_id)}/{part(order)}", plain, safe=False)


def version(model: str, version: int | str) -> Call[Version]:
    """Look at a version."""
    path = f"/api/v1/models/{part(model)}/versions/{part(version)}"
    return Call("GET", path, Version.of)


def promote(
    model: str, version: int, alias: str, reason: str | None, actor: str | None
) -> Call[Answer]:
    """Point an alias at a version. Not sent twice: each move is a line of the history."""
    body = {"version": version} | _given(reason=reason, actor=actor)
    path = f"/api/v1/models/{part(model)}/aliases/{part(alias)}"
    return Call("PUT", path, plain, {"json": body}, safe=False)


def rollback(model: str, alias: str, reason: str | None, actor: str | None) -> Call[Answer]:
    """Point an alias at what it named before. Not sent twice: the second would undo the first."""
    body = {"alias": alias} | _given(reason=reason, actor=actor)
    return Call("POST", f"/api/v1/models/{part(model)}/rollback", plain, {"json": body}, safe=False)


def part(segment: int | str) -> str:
    """Return a name as one part of a path."""
    # A dot segment would be resolved away, and another address called.
    text = quote(str(segment), safe="")
    return text if text.strip(".") else text.replace(".", "%2E")


def _given(**texts: str | None) -> dict[str, str]:
    return {key: text for key, text in texts.items() if text}
