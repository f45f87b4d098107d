"""Our own dialect, and the addresses at which it is spoken."""

from collections.abc import Iterable
from typing import Any

from flask import Response, current_app, request

from nncore.arrays import Floats
from nncore.registry import LIVE
from nncore.specs import describe, escape, unknown
from service.answers import to_json
from service.batches import Batch, text_options
from service.bodies import Content, read_content
from service.decoding import decode
from service.predictor import Dialect, Encoded, Prediction, Predictor
from service.problems import Problem
from service.served import Served
from service.shapes import Rows

DEFAULT_OUTPUTS = ("label", "probability", "probabilities")
OUTPUTS = (*DEFAULT_OUTPUTS, "top_k", "input", "saliency")
DEFAULT_TOP_K = 3
MOST_SALIENCIES = 1000  # a row of it is some 10 kB of JSON


def predict_default() -> Response:
    return respond(OURS, predictor().default())


def predict(model: str, version: str = LIVE) -> Response:
    return respond(OURS, predictor().served(model, version))


def respond(dialect: Dialect, served: Served) -> Response:
    """Answer the request in `dialect` with what a version says of its body."""
    encoded = predictor().answer(dialect, served, read_content(request))
    return Response(encoded.body, headers=encoded.headers, content_type=encoded.content_type)


def predictor() -> Predictor:
    """Return the application's predictor."""
    found: Predictor = current_app.extensions["predictor"]
    return found


def _decode(content: Content, rows: Rows) -> Batch:
    batch = decode(content, rows)
    return batch._replace(options=text_options(content.query) | batch.options)


def _encode(prediction: Prediction) -> Encoded:
    served, batch = prediction.served, prediction.batch
    outputs, top_k = _wanted(batch.options, len(served.labels))
    document = {
        "model": served.model,
        "version": served.version,
        "labels": served.labels,
        "pixel_range": batch.pixel_range,
        "predictions": _rows(prediction, outputs, top_k),
    }
    return Encoded(to_json(document))


OURS = Dialect(_decode, _encode)


def _wanted(options: dict[str, Any], classes: int) -> tuple[tuple[str, ...], int]:
    """Return which outputs a prediction carries, and k of top_k. Raises Problem 422."""
    outputs, top_k = options.get("outputs"), options.get("top_k")
    for key in options:
        if key not in ("outputs", "top_k"):
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


def _rows(prediction: Prediction, outputs: tuple[str, ...], top_k: int) -> list[dict[str, Any]]:
    """Return one object a row, with the wanted `outputs`."""
    columns: dict[str, Iterable[Any]] = {
        "label": prediction.labels,
        "probability": prediction.confidences,
        "probabilities": prediction.probabilities,
    }
    if "top_k" in outputs:
        columns["top_k"] = _top(prediction, top_k)
    if "input" in outputs:
        columns["input"] = prediction.batch.pixels
    if "saliency" in outputs:
        columns["saliency"] = _saliency(prediction)
    chosen = [columns[output] for output in outputs]
    rows = [dict(zip(outputs, values, strict=True)) for values in zip(*chosen, strict=True)]
    for row, picture in zip(rows, prediction.batch.pictures, strict=False):
        row["picture"] = picture
    return rows


def _saliency(prediction: Prediction) -> Floats:
    pixels = prediction.batch.pixels
    if len(pixels) > MOST_SALIENCIES:
        detail = f"saliency is for at most {MOST_SALIENCIES:,} rows; got {len(pixels):,}."
        raise Problem(413, "too-many-rows", detail)
    return prediction.served.classifier.saliency(pixels, prediction.winners)


def _top(prediction: Prediction, top_k: int) -> list[list[dict[str, Any]]]:
    labels = prediction.served.labels
    return [
        [{"label": labels[c], "probability": row[c]} for c in best]
        for row, best in zip(prediction.probabilities, prediction.ranking(top_k), strict=True)
    ]
