"""The document, and a page of it that needs nothing from another host."""

from typing import Any

from flask import Blueprint, Response, current_app, render_template

from service.answers import answer
from service.openapi.document import build_document

bp = Blueprint("openapi", __name__)

# The page has no script, and its style is its own.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


@bp.get("/openapi.json")
def show_document() -> Response:
    return answer(build_document(current_app))


@bp.get("/docs")
def show_page() -> Response:
    document = build_document(current_app)
    page = render_template("docs.html", document=document, families=_by_family(document))
    return Response(page, headers={"Content-Security-Policy": POLICY})


def _by_family(document: dict[str, Any]) -> dict[str, list[tuple[str, str, dict[str, Any]]]]:
    """Return path, method and operation of each family."""
    families: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            families.setdefault(operation["tags"][0], []).append((path, method, operation))
    return families
