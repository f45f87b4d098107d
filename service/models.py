"""Looking at models and versions."""

from typing import Any

from flask import Blueprint, Response, current_app

from nncore.aliases import LIVE
from nncore.errors import RegistryError
from nncore.registry import Registry
from service.answers import answer

bp = Blueprint("models", __name__, url_prefix="/api/v1/models")


@bp.get("")
def list_models() -> Response:
    registry = _registry()
    return answer({"models": [_model(registry, name) for name in registry.models()]})


@bp.get("/<model>")
def show_model(model: str) -> Response:
    registry = _registry()
    registry.require(model)
    return answer(_model(registry, model))


@bp.get("/<model>/versions")
def list_versions(model: str) -> Response:
    registry = _registry()
    aliases = registry.aliases(model).all()
    registry.require(model)
    numbers = reversed(registry.versions(model))
    return answer({"versions": [_summary(registry, model, n, aliases) for n in numbers]})


@bp.get("/<model>/versions/<version>")
def show_version(model: str, version: str) -> Response:
    registry = _registry()
    number = registry.resolve(model, version)
    manifest = registry.manifest(model, number).to_dict()
    names = _naming(registry.aliases(model).all(), number)
    verdict = registry.verdict(model, number)
    return answer({"version": number, "aliases": names, "verdict": verdict, **manifest})


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


def _registry() -> Registry:
    registry: Registry = current_app.extensions["registry"]
    return registry
