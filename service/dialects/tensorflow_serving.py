"""TensorFlow Serving's REST API and KServe's V1: prediction by rows or columns, classification."""

import math
from collections.abc import Callable
from typing import Any

from flask import Response

from nncore.registry import LIVE
from nncore.specs import describe
from service.answers import answer, to_json
from service.batches import Batch
from service.bodies import Content
from service.context import predictor, registry
from service.decoding import to_batch
from service.dialects.named_rows import INPUT, check_keys, unwrap
from service.json_body import read_rows
from service.predictor import Asked, Dialect, Encoded, Prediction
from service.problems import Problem
from service.shapes import Rows

SIGNATURE = "serving_default"
OUTPUT = "probabilities"
ROWS, COLUMNS, EXAMPLES = "instances", "inputs", "examples"


def predict(model: str, version: str = LIVE) -> Asked:
    return Asked(PREDICT, model, version)


def classify(model: str, version: str = LIVE) -> Asked:
    return Asked(CLASSIFY, model, version)


def list_models() -> Response:
    return answer({"models": registry().models()})


def status(model: str, version: str = LIVE) -> Response:
    """Answer both TensorFlow Serving's question and KServe's: each finds its members."""
    served = predictor().served(model, version)
    available = {
        "version": str(served.version),
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    return answer({"name": model, "ready": True, "model_version_status": [available]})


def metadata(model: str, version: str = LIVE) -> Response:
    served = predictor().served(model, version)
    pixels = math.prod(served.classifier.input_shape)
    signature = {
        "inputs": {INPUT: _tensor(INPUT, "DT_UINT8", pixels)},
        "outputs": {OUTPUT: _tensor(OUTPUT, "DT_FLOAT", len(served.labels))},
        "method_name": "tensorflow/serving/predict",
    }
    spec = {"name": model, "signature_name": "", "version": str(served.version)}
    signatures = {"signature_def": {"signature_def": {SIGNATURE: signature}}}
    return answer({"model_spec": spec, "metadata": signatures})


def _tensor(name: str, dtype: str, columns: int) -> dict[str, Any]:
    dimensions = [{"size": str(size), "name": ""} for size in (-1, columns)]
    return {
        "dtype": dtype,
        "tensor_shape": {"dim": dimensions, "unknown_rank": False},
        "name": f"{SIGNATURE}_{name}:0",
    }


def _decoder(*keys: str, ignored: tuple[str, ...] = ()) -> Callable[[Content, Rows], Batch]:
    places = [place for key in keys for place in (f"/{key}/{INPUT}", f"/{key}")]

    def decode(content: Content, rows: Rows) -> Batch:
        """Read the body as JSON whatever its Content-Type: curl's -d calls it a form."""

        def prepare(document: dict[str, Any]) -> None:
            for key in keys:
                unwrap(document, key, rows)

        batch = to_batch(read_rows(content.body, rows, places, prepare))
        _check_options(batch.options, keys, ignored)
        return batch

    return decode


def _check_options(
    options: dict[str, Any], keys: tuple[str, ...], ignored: tuple[str, ...]
) -> None:
    check_keys(options, (*keys, *ignored, "signature_name"))
    if all(key in options for key in keys) and len(keys) > 1:
        detail = f"Expected one of {' and '.join(keys)}; got both."
        raise Problem(422, "rows-twice", detail)
    signature = options.get("signature_name")
    if signature not in (None, "", SIGNATURE):
        detail = f"Expected the signature {SIGNATURE!r}; got {describe(signature)}."
        raise Problem(422, "unknown-signature", detail, pointer="/signature_name")


def _encode_prediction(prediction: Prediction) -> Encoded:
    key = "outputs" if COLUMNS in prediction.batch.options else "predictions"
    return Encoded(to_json({key: prediction.probabilities}))


def _encode_classes(prediction: Prediction) -> Encoded:
    labels = prediction.served.labels
    results = [list(zip(labels, row, strict=True)) for row in prediction.probabilities]
    return Encoded(to_json({"results": results}))


PREDICT = Dialect(_decoder(ROWS, COLUMNS), _encode_prediction)
CLASSIFY = Dialect(_decoder(EXAMPLES, ignored=("context",)), _encode_classes)
