"""What each call sends and how its answer is read: the same for the client and the async client."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from inkwell.bodies import encode
from inkwell.results import Answer, Predictions, Version
from inkwell.uploads import upload

T = TypeVar("T")


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request; `read` makes the result of the answer, `safe` tells that it may be sent twice.

    The answer is JSON, or a file's bytes where `file` says so.
    """

    method: str
    path: str
    read: Callable[[Any], T]
    options: dict[str, Any] = field(default_factory=dict)
    safe: bool = True
    file: bool = False


def plain(answer: Answer) -> Answer:
    """Return an answer as it is."""
    return answer


def get(path: str, **query: Any) -> Call[Answer]:
    """Look at something."""
    return Call("GET", f"/api/v1{path}", plain, {"params": query} if query else {})


def predict(images: Any, model: str | None, version: int | str | None) -> Call[Predictions]:
    """Ask what images show; predicting changes nothing."""
    return Call("POST", predict_path(model, version), Predictions, given_body(images))


def given_body(images: Any) -> dict[str, Any]:
    """Return images as httpx is told of them."""
    return {key: value for key, value in encode(images)._asdict().items() if value is not None}


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


def sweep_body(base: Answer, grid: Answer | None, random: Answer | None, more: Answer) -> Answer:
    """Return what a sweep is begun with."""
    asked = {"grid": grid} if random is None else {"random": random}
    given = {key: value for key, value in more.items() if value is not None}
    return {"base": job_config("digits", base), **asked, **given}


def sweep(body: Answer) -> Call[Answer]:
    """Begin a sweep; its key lets it be posted again without a second one coming of it."""
    headers = {"Idempotency-Key": secrets.token_hex(16)}
    return Call("POST", "/api/v1/sweeps", plain, {"json": body, "headers": headers})


def stop_sweep(sweep_id: str) -> Call[Answer]:
    """Stop a sweep."""
    return Call("POST", f"/api/v1/sweeps/{part(sweep_id)}/stop", plain, safe=False)


def add_dataset(name: str, data: Any) -> Call[Answer]:
    """Upload a data set; the same once more changes nothing."""
    return Call("POST", f"/api/v1/datasets/{part(name)}", plain, upload(data))


def add_feedback(
    images: Any,
    label: int | str | Sequence[int | str],
    model: str | None,
    version: int | str | None,
) -> Call[Answer]:
    """Keep corrected examples. Not sent twice: each is kept."""
    query = _given(model=model, version=version)
    if isinstance(label, int | str):
        query["label"] = label
    else:
        query["labels"] = ",".join(map(str, label))
    options = {"params": query, **given_body(images)}
    return Call("POST", "/api/v1/feedback", plain, options, safe=False)


def delete_feedback(number: int, model: str | None) -> Call[Answer]:
    """Delete a corrected example."""
    options = {"params": _given(model=model)}
    return Call("DELETE", f"/api/v1/feedback/{number}", plain, options, safe=False)


def put_schedule(name: str, cron: str, job: Answer) -> Call[Answer]:
    """Let a job be posted again and again."""
    path = f"/api/v1/schedules/{part(name)}"
    return Call("PUT", path, plain, {"json": {"cron": cron, "job": job}})


def delete(path: str) -> Call[Answer]:
    """Delete something. Not sent twice: the second time it would not be found."""
    return Call("DELETE", f"/api/v1{path}", plain, safe=False)


def version(model: str, version: int | str) -> Call[Version]:
    """Look at a version."""
    path = f"/api/v1/models/{part(model)}/versions/{part(version)}"
    return Call("GET", path, Version.of)


def export(model: str, version: int | str, format: str) -> Call[bytes]:
    """Fetch a version as a file."""
    path = f"/api/v1/models/{part(model)}/versions/{part(version)}"
    if format == "safetensors":
        return Call("GET", f"{path}/weights", bytes, file=True)
    return Call("GET", f"{path}/export", bytes, {"params": {"format": format}}, file=True)


def promote(
    model: str,
    version: int | None,
    alias: str,
    reason: str | None,
    actor: str | None,
    split: Mapping[int, float] | None,
    shadow: int | None,
) -> Call[Answer]:
    """Point an alias at a version, or at several. Not sent twice: each is a line of the history."""
    shares = {str(number): share for number, share in split.items()} if split else None
    named = {"version": version, "split": shares, "shadow": shadow}
    body = {key: value for key, value in named.items() if value is not None}
    options = {"json": body | _given(reason=reason, actor=actor)}
    return Call("PUT", _alias_path(model, alias), plain, options, safe=False)


def remove_alias(model: str, alias: str, reason: str | None, actor: str | None) -> Call[Answer]:
    """Let an alias name nothing. Not sent twice: the second time it would not be found."""
    options = {"json": _given(reason=reason, actor=actor)}
    return Call("DELETE", _alias_path(model, alias), plain, options, safe=False)


def rollback(model: str, alias: str, reason: str | None, actor: str | None) -> Call[Answer]:
    """Point an alias at what it named before. Not sent twice: the second would undo the first."""
    body = {"alias": alias} | _given(reason=reason, actor=actor)
    return Call("POST", f"/api/v1/models/{part(model)}/rollback", plain, {"json": body}, safe=False)


def part(segment: int | str) -> str:
    """Return a name as one part of a path."""
    # A dot segment would be resolved away, and another address called.
    text = quote(str(segment), safe="")
    return text if text.strip(".") else text.replace(".", "%2E")


def _alias_path(model: str, alias: str) -> str:
    return f"/api/v1/models/{part(model)}/aliases/{part(alias)}"


def _given(**values: int | str | None) -> dict[str, int | str]:
    return {key: value for key, value in values.items() if value}
