"""MLflow's scoring server, which SageMaker's and Vertex AI's containers speak too."""

import functools
from importlib.metadata import version as package_version
from typing import Any

from flask import Response

from nncore.specs import describe
from service.answers import answer, to_json
from service.batches import Batch
from service.bodies import Content
from service.context import predictor
from service.decoding import DECODERS, decode, to_batch, unknown_content_type
from service.dialects.named_rows import INPUT, check_keys, unwrap
from service.dialects.tables import check_columns, pixel_order, read_csv, read_records
from service.json_body import read_rows
from service.media_types import JSON
from service.predictor import Asked, Dialect, Encoded, Prediction
from service.problems import Problem
from service.shapes import Rows

SPLIT, RECORDS, INSTANCES, INPUTS = "dataframe_split", "dataframe_records", "instances", "inputs"
FORMS = (SPLIT, RECORDS, INSTANCES, INPUTS)
PLACES = (f"/{INSTANCES}", f"/{INPUTS}/{INPUT}", f"/{INPUTS}", f"/{SPLIT}/data", f"/{RECORDS}")
PARAMS = ("params", "parameters")  # MLflow's, Vertex AI's
SPLIT_KEYS = ("columns", "index", "data")


def invocations() -> Asked:
    return Asked(MLFLOW)


def ping() -> Response:
    """Answer 200 where the default model can; the words are TorchServe's, the others read none."""
    predictor().default()
    return answer({"status": "Healthy"})


def version() -> Response:
    return Response(package_version("inkwell-serving"), mimetype="text/plain")


def _decode(content: Content, rows: Rows) -> Batch:
    decoder = TABLES.get(content.mimetype)
    if decoder is None and content.mimetype not in DECODERS:
        raise unknown_content_type(content, TABLES | DECODERS)
    if decoder is None:
        return decode(content, rows)
    parameters = content.content_type.partition(";")[2].replace('"', "").strip().lower()
    if parameters not in ("", "charset=utf-8"):
        detail = f"Expected charset=utf-8 or none behind the Content-Type; got {parameters[:80]!r}."
        raise Problem(415, "unknown-content-type", detail)
    return decoder(content.body, rows)


def _decode_json(content: bytes, rows: Rows) -> Batch:
    prepare = functools.partial(_prepare, rows=rows)
    batch = to_batch(read_rows(content, rows, PLACES, prepare))
    check_keys(batch.options, (*FORMS, *PARAMS))
    given = [form for form in FORMS if form in batch.options]
    if len(given) > 1:
        detail = f"Expected exactly one of {', '.join(FORMS)}; got {' and '.join(given)}."
        raise Problem(422, "rows-twice", detail)
    for key in PARAMS:
        if batch.options.get(key):
            detail = f"This model takes no {key}; got {describe(batch.options[key])}."
            raise Problem(422, "unknown-params", detail, pointer=f"/{key}")
    if given == [SPLIT]:
        columns = _columns(batch.options[SPLIT], rows)
        return batch._replace(pixels=batch.pixels[:, pixel_order(columns)])
    return batch


def _prepare(document: dict[str, Any], rows: Rows) -> None:
    """Bring the forms that are not bare rows into that form, in place."""
    for form in (INSTANCES, INPUTS):
        unwrap(document, form, rows)
    if RECORDS in document:
        document[RECORDS] = read_records(document[RECORDS], rows, f"/{RECORDS}")
    if SPLIT in document and not isinstance(document[SPLIT], dict):
        detail = f"Expected an object with columns and data; got {describe(document[SPLIT])}."
        raise Problem(422, "not-an-object", detail, pointer=f"/{SPLIT}")


def _columns(split: dict[str, Any], rows: Rows) -> list[Any]:
    check_keys(split, SPLIT_KEYS)
    columns = split.get("columns")
    if not isinstance(columns, list):
        detail = f"Expected a list of names; got {describe(columns)}."
        raise Problem(422, "not-a-list", detail, pointer=f"/{SPLIT}/columns")
    check_columns(columns, rows, f"/{SPLIT}/columns")
    return columns


def _encode(prediction: Prediction) -> Encoded:
    return Encoded(to_json({"predictions": prediction.probabilities}))


TABLES = {JSON: _decode_json, "text/csv": read_csv}
MLFLOW = Dialect(_decode, _encode)
