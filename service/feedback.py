"""Feedback: pictures that were answered wrongly, with the label that is right."""

from collections import Counter
from typing import Any

import numpy as np
from flask import Blueprint, Response, request

from nncore.arrays import Pixels
from nncore.datasets import PICTURE
from nncore.feedback import Feedback
from nncore.registry import LIVE
from nncore.specs import describe, unknown
from service.answers import answer
from service.batches import text_options
from service.context import content, registry, settings, store
from service.decoding import decode
from service.problems import Problem
from service.query import page_limit, query_number
from service.shapes import Rows
from service.tokens import admin_only

bp = Blueprint("feedback", __name__, url_prefix="/api/v1/feedback")

KEYS = ("model", "version", "label", "labels")
MOST_DIGITS = 15  # of an example's number


@bp.post("")
@admin_only
def add_feedback() -> Response:
    body = content()
    batch = decode(body, Rows(PICTURE, settings().max_rows))
    options = text_options(body.query) | batch.options
    for key in options:
        if key not in KEYS:
            known = ("instances", "pixel_range", *KEYS)
            raise Problem(422, "unknown-key", unknown("key", key, known), pointer=f"/{key[:80]}")
    model = str(options.get("model", settings().model))
    version = registry().resolve(model, str(options.get("version", LIVE)))
    known_labels = registry().manifest(model, version).labels
    labels = _labels(options, len(batch.pixels), known_labels)
    feedback = Feedback(store(), model)
    feedback.add(_as_bytes(batch.pixels), labels, version=version)
    return answer({"model": model, "added": len(labels), "count": len(feedback.kept())}, 201)


@bp.get("")
def list_feedback() -> Response:
    feedback, model = _asked()
    limit, cursor = page_limit(), query_number("cursor", None, at_most=2**53)
    kept = feedback.kept()
    below = [number for number in reversed(kept) if cursor is None or number < cursor]
    rows = [{"number": number, **kept[number]} for number in below[:limit]]
    following = str(below[limit - 1]) if len(below) > limit else None
    labels = Counter(example["label"] for example in kept.values())
    listed = {"count": len(kept), "labels": labels, "feedback": rows, "next_cursor": following}
    return answer({"model": model, **listed})


@bp.delete("/<number>")
@admin_only
def delete_feedback(number: str) -> Response:
    feedback, _ = _asked()
    if not number.isdecimal() or len(number) > MOST_DIGITS:
        raise Problem(404, "not-found", f"There is no corrected example {number[:80]!r}.")
    feedback.delete(int(number))
    return Response(status=204)


def _asked() -> tuple[Feedback, str]:
    """Return the feedback of the model that the query names, and its name. Raises NotFoundError."""
    model = request.args.get("model", settings().model)
    registry().require(model)
    return Feedback(store(), model), model


def _labels(options: dict[str, Any], rows: int, known: tuple[str, ...]) -> list[str]:
    """Return the right label of each row. Raises Problem 422."""
    labels = options.get("labels", [options["label"]] * rows if "label" in options else None)
    if isinstance(labels, str):
        labels = labels.split(",")
    if not isinstance(labels, list) or len(labels) != rows:
        detail = f"Expected 'label', or a list of {rows} 'labels'; got {describe(labels)}."
        raise Problem(422, "labels", detail, pointer="/labels")
    texts = [str(label) if type(label) is int else label for label in labels]
    for i, label in enumerate(texts):
        if label not in known:
            pointer = f"/labels/{i}" if "labels" in options else "/label"
            raise Problem(422, "unknown-label", unknown("label", label, known), pointer=pointer)
    return texts


def _as_bytes(pixels: Pixels) -> Pixels:
    rows = pixels if pixels.dtype == np.uint8 else np.rint(pixels).astype(np.uint8)
    return np.ascontiguousarray(rows.reshape(-1, PICTURE[0]))
