"""Our own dialect, and the addresses at which it is spoken."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from flask import Response, request

from nncore.arrays import Floats
from nncore.registry import LIVE
from nncore.specs import describe, escape, unknown
from service.answers import to_json
from service.batches import Batch, text_options
from service.bodies import Content
from service.context import predictor
from service.decoding import decode_readable
from service.error_shapes import problem_type
from service.predictor import Asked, Dialect, Encoded, Prediction
from service.problems import Problem
from service.shapes import Rows

DEFAULT_OUTPUTS = ("label", "probability", "probabilities")
OUTPUTS = (*DEFAULT_OUTPUTS, "top_k", "input", "saliency")
DEFAULT_TOP_K = 3
MOST_SALIENCIES = 1000  # a row of it is some 10 kB of JSON


def predict_default() -> Asked:
    return Asked(OURS)


def predict(model: str, version: str = LIVE) -> Asked:
    return Asked(OURS, model, version)


def respond(asked: Asked) -> Response:
    """Answer the request with a prediction."""
    encoded = predictor().respond(asked, request.environ)
    return Response(encoded.body, headers=encoded.headers, content_type=encoded.content_type)


def _decode(content: Content, rows: Rows) -> Batch:
    batch = decode_readable(content, rows)
    if not content.query:
        return batch
    return batch._replace(options=text_options(content.query) | batch.options)


def _encode(prediction: Prediction) -> Encoded:
    served, batch = prediction.served, prediction.batch
    outputs, top_k = _wanted(batch.options, len(served.labels))
    head = {
        "model": served.model,
        "version": served.version,
        "labels": served.labels,
        "pixel_range": batch.pixel_range,
    }
    if batch.refused:
        head["refused"] = [
            {"file": file, "type": problem_type(problem.kind), "detail": problem.detail}
            for file, problem in batch.refused
        ]
    rows = _rows(_columns(prediction, outputs, top_k))
    return Encoded(b'%b,"predictions":[%b]}' % (to_json(head)[:-1], rows))


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


def _columns(
    prediction: Prediction, outputs: tuple[str, ...], top_k: int
) -> dict[str, Iterable[bytes]]:
    """Return what each row's object has under each key, as JSON."""
    columns: dict[str, Callable[[], Iterable[bytes]]] = {
        "label": lambda: _labels(prediction),
        "probability": lambda: to_json(prediction.confidences)[1:-1].split(b","),
        "probabilities": lambda: _number_rows(prediction.probabilities),
        "top_k": lambda: map(to_json, _top(prediction, top_k)),
        "input": lambda: map(to_json, prediction.batch.pixels),
        "saliency": lambda: map(to_json, _saliency(prediction)),
    }
    chosen = {output: columns[output]() for output in outputs}
    if prediction.batch.pictures:
        chosen["picture"] = map(to_json, prediction.batch.pictures)
    return chosen


def _rows(columns: dict[str, Iterable[bytes]]) -> bytes:
    """Return one object a row, as JSON."""
    row = b"{%b}" % b",".join(b'"%b":%%b' % key.encode() for key in columns)
    return b",".join([row % values for values in zip(*columns.values(), strict=True)])


def _labels(prediction: Prediction) -> list[bytes]:
    labels = _each_as_json(prediction.served.labels)
    return [labels[winner] for winner in prediction.winners.tolist()]


@lru_cache
def _each_as_json(labels: tuple[str, ...]) -> list[bytes]:
    return [to_json(label) for label in labels]


def _number_rows(matrix: Floats) -> list[bytes]:
    """Return each row of numbers as JSON; the matrix is written at once, then cut."""
    return [b"[%b]" % row for row in to_json(matrix)[2:-2].split(b"],[")]


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
