"""Predicting: decode, ask the version, encode."""

import time
from typing import Any

import numpy as np
from flask import Blueprint, Response, current_app, request

from nncore.arrays import Floats
from nncore.errors import NotFoundError
from nncore.registry import LIVE
from nncore.specs import describe, escape, unknown
from service.answers import answer
from service.decoding import Batch, decode
from service.problems import Problem, unavailable
from service.served import NotLiveError, Served, ServedModels
from service.settings import Settings
from service.shapes import Rows

bp = Blueprint("predictions", __name__, url_prefix="/api/v1")

DEFAULT_OUTPUTS = ("label", "probability", "probabilities")
OUTPUTS = (*DEFAULT_OUTPUTS, "top_k", "input")
DEFAULT_TOP_K = 3


@bp.post("/predict")
def predict_default() -> Response:
    settings: Settings = current_app.extensions["settings"]
    try:
        return _predict(settings.model, LIVE)
    except NotFoundError as error:
        raise _not_live(error) from None


@bp.post("/models/<model>/predict")
def predict_live(model: str) -> Response:
    return _predict(model, LIVE)


@bp.post("/models/<model>/versions/<version>/predict")
def predict_version(model: str, version: str) -> Response:
    return _predict(model, version)


def _predict(model: str, reference: str) -> Response:
    settings: Settings = current_app.extensions["settings"]
    models: ServedModels = current_app.extensions["served_models"]
    served = _served(models, model, reference)
    started = time.perf_counter()
    batch = decode(request, Rows(served.classifier.input_shape, settings.max_rows))
    outputs, top_k = _wanted(batch, len(served.labels))
    decoded = time.perf_counter()
    probabilities = served.classifier.probabilities(batch.pixels)
    predicted = time.perf_counter()
    response = answer(
        {
            "model": served.model,
            "version": served.version,
            "labels": served.labels,
            "pixel_range": batch.pixel_range,
            "predictions": _predictions(served, batch, probabilities, outputs, top_k),
        }
    )
    encoded = time.perf_counter()
    response.headers["X-Model-Version"] = str(served.version)
    response.headers["Server-Timing"] = (
        f"decode;dur={(decoded - started) * 1e3:.3f}, "
        f"predict;dur={(predicted - decoded) * 1e3:.3f}, "
        f"encode;dur={(encoded - predicted) * 1e3:.3f}"
    )
    return response


def _served(models: ServedModels, model: str, reference: str) -> Served:
    try:
        return models.get(model, reference)
    except NotLiveError as error:
        raise _not_live(error) from None


def _not_live(error: Exception) -> Problem:
    return unavailable("no-live-version", f"{error} Train one: POST /api/v1/jobs.")


def _wanted(batch: Batch, classes: int) -> tuple[tuple[str, ...], int]:
    """Return which outputs a prediction carries, and k of top_k. Raises Problem 422."""
    options = dict(batch.options)
    outputs, top_k = options.pop("outputs", None), options.pop("top_k", None)
    if options:
        key = next(iter(options))
        known = ("instances", "pixel_range", "outputs", "top_k")
        raise Problem(422, "unknown-key", unknown("key", key, known), pointer=f"/{escape(key)}")
    if outputs is None:
        outputs = [*DEFAULT_OUTPUTS, "top_k"] if top_k is not None else DEFAULT_OUTPUTS
    elif not isinstance(outputs, list) or not 1 <= len(outputs) <= len(OUTPUTS):
        detail = f"Expected a list of 1 to {len(OUTPUTS)} outputs; got {describe(outputs)}."
        raise Problem(422, "unknown-output", detail, pointer="/outputs")
    for i, output in enumerate(outputs):
        if output not in OUTPUTS:
            detail = unknown("output", output, OUTPUTS)
            raise Problem(422, "unknown-output", detail, pointer=f"/outputs/{i}")
    if len(set(outputs)) < len(outputs):
        raise Problem(422, "output-twice", "Each output may be named once.", pointer="/outputs")
    top_k = min(DEFAULT_TOP_K, classes) if top_k is None else top_k
    if type(top_k) is not int or not 1 <= top_k <= classes:
        detail = f"Expected a whole number from 1 to {classes}; got {describe(top_k)}."
        raise Problem(422, "top-k-out-of-range", detail, pointer="/top_k")
    return tuple(outputs), top_k


def _predictions(
    served: Served, batch: Batch, probabilities: Floats, outputs: tuple[str, ...], top_k: int
) -> list[dict[str, Any]]:
    """Return one object a row, with the wanted `outputs`."""
    winners = probabilities.argmax(axis=1)
    columns: dict[str, Any] = {
        "label": [served.labels[winner] for winner in winners.tolist()],
        "probability": probabilities[np.arange(len(winners)), winners],
        "probabilities": probabilities,
    }
    if "top_k" in outputs:
        columns["top_k"] = _top(served.labels, probabilities, top_k)
    if "input" in outputs:
        columns["input"] = batch.pixels
    chosen = [columns[output] for output in outputs]
    return [dict(zip(outputs, values, strict=True)) for values in zip(*chosen, strict=True)]


def _top(labels: tuple[str, ...], probabilities: Floats, top_k: int) -> list[list[dict[str, Any]]]:
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
    return [
        [{"label": labels[c], "probability": row[c]} for c in best]
        for row, best in zip(probabilities, order.tolist(), strict=True)
    ]
