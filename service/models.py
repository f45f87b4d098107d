"""Looking at models and versions; moving aliases."""

from typing import Any

from flask import Blueprint, Response, current_app, request

from nncore.errors import CorruptVersionError, RegistryError
from nncore.registry import LIVE, Registry
from nncore.specs import describe, escape, unknown
from service.admin import admin_only
from service.answers import answer
from service.bodies import SMALL, read_body
from service.json_body import read_object
from service.problems import Problem

bp = Blueprint("models", __name__, url_prefix="/api/v1/models")

ALIAS_KEYS = ("version", "reason")
MAX_REASON = 2_000


@bp.get("")
def list_models() -> Response:
    registry = _registry()
    return answer({"models": [_model(registry, name) for name in registry.models()]})


@bp.get("/<model>")
def show_model(model: str) -> Response:
    registry = _registry()
    _versions(registry, model)
    return answer(_model(registry, model))


@bp.get("/<model>/versions")
def list_versions(model: str) -> Response:
    registry = _registry()
    aliases = registry.aliases(model).all()
    numbers = reversed(_versions(registry, model))
    return answer({"versions": [_summary(registry, model, n, aliases) for n in numbers]})


@bp.get("/<model>/versions/<version>")
def show_version(model: str, version: str) -> Response:
    registry = _registry()
    number = registry.resolve(model, version)
    manifest = registry.manifest(model, number).to_dict()
    names = _naming(registry.aliases(model).all(), number)
    verdict = registry.verdict(model, number)
    return answer({"version": number, "aliases": names, "verdict": verdict, **manifest})


@bp.get("/<model>/history")
def show_history(model: str) -> Response:
    registry = _registry()
    _versions(registry, model)
    return answer({"history": registry.aliases(model).history()})


@bp.put("/<model>/aliases/<alias>")
@admin_only
def promote(model: str, alias: str) -> Response:
    version, reason = _wanted_alias(read_object(read_body(request, limit=SMALL)))
    try:
        before = _registry().promote(model, version, alias=alias, reason=reason, actor="api")
    except CorruptVersionError as error:
        raise Problem(409, "version-damaged", f"Version {version}: {error}") from None
    return answer({"model": model, "alias": alias, "version": version, "previous": before})


def _wanted_alias(body: dict[str, Any]) -> tuple[int, str]:
    for key in body:
        if key not in ALIAS_KEYS:
            raise Problem(
                422, "unknown-key", unknown("key", key, ALIAS_KEYS), pointer=f"/{escape(key)}"
            )
    version, reason = body.get("version"), body.get("reason", "")
    if type(version) is not int or not 1 <= version < 10**12:
        detail = f"Expected the number of a version; got {describe(version)}."
        raise Problem(422, "not-a-version", detail, pointer="/version")
    if not isinstance(reason, str) or len(reason) > MAX_REASON:
        detail = f"Expected a text of at most {MAX_REASON} characters; got {describe(reason)}."
        raise Problem(422, "not-a-reason", detail, pointer="/reason")
    return version, reason


def _model(registry: Registry, name: str) -> dict[str, Any]:
    aliases, versions = registry.aliases(name).all(), registry.versions(name)
    return {
        "name": name,
        "live": aliases.get(LIVE),
        "aliases": aliases,
        "latest": versions[-1],
        "versions": len(versions),
    }


def _summary(
    registry: Registry, model: str, number: int, aliases: dict[str, int]
) -> dict[str, Any]:
    row = {"version": number, "aliases": _naming(aliases, number)}
    try:
        manifest = registry.manifest(model, number)
    except RegistryError as error:
        return row | {"error": str(error)}
    return row | {
        "created_at": manifest.created_at,
        "dataset": manifest.dataset.name,
        "test_accuracy": manifest.metrics.get("test_accuracy"),
        "parent": manifest.parent,
        "job_id": manifest.job_id,
        "weights_sha256": manifest.weights_sha256,
    }


def _naming(aliases: dict[str, int], number: int) -> list[str]:
    return [name for name, version in aliases.items() if version == number]


def _versions(registry: Registry, model: str) -> list[int]:
    """Return the numbers of the model's versions. Raises NotFoundError for an unknown model."""
    versions = registry.versions(model)
    if not versions:
        registry.resolve(model, LIVE)
    return versions


def _registry() -> Registry:
    registry: Registry = current_app.extensions["registry"]
    return registry
