"""The OpenAPI 3.1 document, made from an application's routes."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from importlib.metadata import version as package_version
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from service.error_shapes import UNPROCESSABLE, family_of
from service.openapi.hyperparameters import Schema
from service.openapi.operations import OPERATIONS, Operation
from service.openapi.schemas import PATH_PARAMETERS, SCHEMAS, ref
from service.routes import ASKED

_ARGUMENT = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
_AUTOMATIC = {"HEAD", "OPTIONS"}
BEARER = {"type": "http", "scheme": "bearer"}
DESCRIPTION = (
    "Trains, versions and serves a neural network written from scratch in NumPy. Every answer has "
    "X-Request-ID; answers of predictions have X-Model-Version and Server-Timing. Every address "
    "answers 405 to other methods, and 500 where the service met a fault of its own."
)


def build_document(app: Flask) -> dict[str, Any]:
    """Return the document of every route of `app`. KeyError: one is not described."""
    paths: dict[str, dict[str, Any]] = {}
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        path = _ARGUMENT.sub(r"{\1}", rule.rule)
        for method in sorted((rule.methods or set()) - _AUTOMATIC):
            paths.setdefault(path, {})[method.lower()] = _operation(rule, path, method)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Inkwell",
            "version": package_version("inkwell-serving"),
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"adminToken": BEARER, "predictToken": BEARER},
        },
    }


def _operation(rule: Rule, path: str, method: str) -> dict[str, Any]:
    described = OPERATIONS[rule.endpoint]
    predicting = rule.endpoint in ASKED
    if predicting:
        described = described._replace(errors=(*described.errors, 401, 403))
    operation: dict[str, Any] = {
        "operationId": "_".join(re.findall(r"[A-Za-z0-9]+", f"{method.lower()} {path}")),
        "summary": described.summary,
        "tags": [family_of(path).name],
        "parameters": _parameters(rule, described),
        "responses": _responses(path, described),
    }
    if described.body:
        operation["requestBody"] = {
            "required": described.body_required,
            "content": _content(described.body),
        }
    if described.admin:
        operation["security"] = [{"adminToken": []}]
    if predicting:  # open, where no token is set for it
        operation["security"] = [{}, {"predictToken": []}]
    return operation


def _parameters(rule: Rule, described: Operation) -> list[dict[str, Any]]:
    inside = [
        {"name": name, "in": "path", "required": True, "schema": PATH_PARAMETERS[name]}
        for name in sorted(rule.arguments)
    ]
    beside = [
        {"name": name, "in": place, "schema": schema}
        for place, schemas in (("query", described.query), ("header", described.headers))
        for name, schema in schemas.items()
    ]
    return inside + beside


def _responses(path: str, described: Operation) -> dict[str, Any]:
    family = family_of(path)
    responses = {str(described.status): _response(described.status, described.answer)}
    responses |= {
        str(status): _response(status, content) for status, content in described.others.items()
    }
    error = {family.media_type: ref(family.schema)}
    for status in sorted(set(described.errors)):
        told = family.unprocessable if status == UNPROCESSABLE else status
        responses[str(told)] = _response(told, error)
    return responses


def _response(status: int, content: Mapping[str, Schema]) -> dict[str, Any]:
    return {"description": HTTPStatus(status).phrase, "content": _content(content)}


def _content(media: Mapping[str, Schema]) -> dict[str, Any]:
    return {kind: {"schema": schema} for kind, schema in media.items()}
