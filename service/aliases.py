"""Aliases of a model: where they stand, moving them, rolling back, their history."""

from collections.abc import Callable, Collection
from typing import Any

from flask import Blueprint, Response, request

from nncore.aliases import LIVE, Move
from nncore.errors import CorruptVersionError
from nncore.names import check_alias_name
from nncore.specs import describe, escape, unknown
from nncore.targets import Target, is_version, read_split
from service.answers import answer
from service.bodies import SMALL, read_body
from service.context import registry
from service.json_body import read_object
from service.problems import Problem
from service.tokens import admin_only

bp = Blueprint("aliases", __name__, url_prefix="/api/v1/models")

DEFAULT_ACTOR = "api"
MAX_TEXTS = {"reason": 2_000, "actor": 200}


@bp.get("/<model>/aliases")
def list_aliases(model: str) -> Response:
    registry().require(model)
    aliases = registry().aliases(model)
    return answer({"aliases": [_shown(model, aliases.last(name)) for name in aliases.all()]})


@bp.get("/<model>/aliases/<alias>")
def show_alias(model: str, alias: str) -> Response:
    check_alias_name(alias, "/alias")
    registry().resolve(model, alias)
    return _answer(model, registry().aliases(model).last(alias))


@bp.put("/<model>/aliases/<alias>")
@admin_only
def promote(model: str, alias: str) -> Response:
    body = _body(("version", "split", "shadow", "reason", "actor"))
    target = _target(body)
    return _moved(
        model, lambda texts: registry().promote(model, target, alias=alias, **texts), body
    )


@bp.delete("/<model>/aliases/<alias>")
@admin_only
def remove_alias(model: str, alias: str) -> Response:
    check_alias_name(alias, "/alias")
    texts = _texts(_body(("reason", "actor"), empty=True))
    registry().remove_alias(model, alias, accept=_accept, **texts)
    return Response(status=204)


@bp.post("/<model>/rollback")
@admin_only
def rollback(model: str) -> Response:
    body = _body(("alias", "reason", "actor"), empty=True)
    alias = body.get("alias", LIVE)
    return _moved(model, lambda texts: registry().rollback(model, alias=alias, **texts), body)


@bp.get("/<model>/history")
def show_history(model: str) -> Response:
    registry().require(model)
    return answer({"history": registry().aliases(model).history()})


def _target(body: dict[str, Any]) -> Target:
    """Return what the body lets an alias name: `version` or `split`, and perhaps a `shadow`."""
    version, split, shadow = body.get("version"), body.get("split"), body.get("shadow")
    if split is not None and version is not None:
        detail = "Expected version or split; got both."
        raise Problem(422, "not-a-version", detail, pointer="/version")
    if shadow is not None:
        _check_version(shadow, "/shadow")
    if split is not None:
        return Target.of_split(read_split(split), shadow)
    return Target(_check_version(version, "/version"), shadow=shadow)


def _check_version(value: object, pointer: str) -> int:
    if is_version(value):
        return value
    detail = f"Expected the number of a version; got {describe(value)}."
    raise Problem(422, "not-a-version", detail, pointer=pointer)


def _body(known: Collection[str], *, empty: bool = False) -> dict[str, Any]:
    """Return the body's object, its keys and texts checked; where it may be `empty`, none is {}."""
    content = read_body(request.environ, SMALL)
    body = {} if empty and not content else read_object(content)
    for key in body:
        if key not in known:
            detail = unknown("key", key, known)
            raise Problem(422, "unknown-key", detail, pointer=f"/{escape(key)}")
    for key, longest in MAX_TEXTS.items():
        text = body.get(key, "")
        if not isinstance(text, str) or len(text) > longest:
            detail = f"Expected a text of at most {longest:,} characters; got {describe(text)}."
            raise Problem(422, f"not-a-{key}", detail, pointer=f"/{key}")
    return body


def _moved(model: str, move: Callable[[dict[str, Any]], Move], body: dict[str, Any]) -> Response:
    """Move an alias under the request's conditions and tell where it stands."""
    try:
        return _answer(model, move(_texts(body) | {"accept": _accept}))
    except CorruptVersionError as error:
        raise Problem(409, "version-damaged", f"The version is damaged: {error}") from None


def _texts(body: dict[str, Any]) -> dict[str, Any]:
    return {"reason": body.get("reason", ""), "actor": body.get("actor", DEFAULT_ACTOR)}


def _accept(tag: str | None) -> bool:
    """Tell whether the request's If-Match and If-None-Match let an alias of this tag be moved."""
    wanted, unwanted = request.if_match, request.if_none_match
    if wanted and not (tag and tag in wanted):
        return False
    return not (unwanted and tag and tag in unwanted)


def _answer(model: str, move: Move) -> Response:
    return answer(_shown(model, move), headers={"ETag": f'"{move.tag}"'})


def _shown(model: str, move: Move) -> dict[str, Any]:
    assert move.target  # noqa: S101 - only aliases that name something are shown
    return {
        "model": model,
        "alias": move.alias,
        "version": move.to,
        "split": {str(number): share for number, share in move.target.split} or None,
        "shadow": move.target.shadow,
        "previous": move.before,
        "at": move.at or None,
        "reason": move.reason,
        "actor": move.actor,
    }
