"""Looking at models and versions."""

from typing import Any

from flask import Blueprint, Response

from nncore.aliases import LIVE
from nncore.errors import RegistryError
from nncore.network import plan
from service.answers import answer
from service.context import predictor, registry
from service.query import page_limit, query_number
from service.tokens import admin_only

bp = Blueprint("models", __name__, url_prefix="/api/v1/models")


@bp.get("")
def list_models() -> Response:
    return answer({"models": [_model(name) for name in registry().models()]})


@bp.get("/<model>")
def show_model(model: str) -> Response:
    registry().require(model)
    return answer(_model(model))


@bp.get("/<model>/versions")
def list_versions(model: str) -> Response:
    aliases = registry().aliases(model).all()
    registry().require(model)
    limit, below = page_limit(), query_number("cursor", None, at_most=10**12)
    page = registry().newest(model, limit + 1, below)
    cursor = str(page[limit - 1]) if len(page) > limit else None
    rows = [_summary(model, number, aliases) for number in page[:limit]]
    return answer({"versions": rows, "next_cursor": cursor})


@bp.get("/<model>/shadows")
def show_shadows(model: str) -> Response:
    registry().require(model)
    found = predictor().shadows.results(model)
    for line in found:
        line["agreement"] = line["agreed"] / line["rows"] if line["rows"] else None
    return answer({"shadows": found})


@bp.delete("/<model>/versions/<version>")
@admin_only
def delete_version(model: str, version: str) -> Response:
    registry().delete(model, registry().resolve(model, version))
    return Response(status=204)


@bp.get("/<model>/versions/<version>")
def show_version(model: str, version: str) -> Response:
    number = registry().resolve(model, version)
    manifest = registry().manifest(model, number).to_dict()
    names = _naming(registry().aliases(model).all(), number)
    verdict = registry().verdict(model, number)
    return answer({"version": number, "aliases": names, "verdict": verdict, **manifest})


def _model(name: str) -> dict[str, Any]:
    aliases, latest = registry().aliases(name).all(), registry().newest(name, 1)
    return {
        "name": name,
        "live": aliases.get(LIVE),
        "aliases": aliases,
        "latest": latest[0] if latest else None,
        "versions": len(registry().versions(name)),
    }


def _summary(model: str, number: int, aliases: dict[str, int]) -> dict[str, Any]:
    row = {"version": number, "aliases": _naming(aliases, number)}
    try:
        manifest = registry().manifest(model, number)
    except RegistryError as error:
        return row | {"error": str(error)}
    return row | {
        "created_at": manifest.created_at,
        "dataset": manifest.dataset.name,
        "test_accuracy": manifest.metrics.get("test_accuracy"),
        "parameters": plan(manifest.layers, manifest.input_shape).size,
        "parent": manifest.parent,
        "job_id": manifest.job_id,
        "weights_sha256": manifest.weights_sha256,
    }


def _naming(aliases: dict[str, int], number: int) -> list[str]:
    return [name for name, version in aliases.items() if version == number]
