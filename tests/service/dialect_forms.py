"""Every way to write a batch, in every dialect, and how each answer is read."""

import base64
import csv
import gzip
import io
import json
import struct
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

JSON = "application/json"
OCTETS = "application/octet-stream"
NPY = "application/x-npy"
LABELS = "0123456789"
HEADER_LENGTH = "Inference-Header-Content-Length"

V2 = "/v2/models/digits/infer"
TFS = "/v1/models/digits:predict"
CLASSIFY = "/v1/models/digits:classify"
TORCHSERVE = "/predictions/digits"
MLFLOW = "/invocations"
OURS = "/api/v1/predict"


class Form(NamedTuple):
    path: str
    write: Callable[[Any], bytes]  # pixels, as bytes or as 0-1, to a body
    content_type: str | None = JSON
    headers: Callable[[bytes], dict[str, str]] = lambda body: {}
    read: Callable[[Any], Any] | None = None


def as_json(make):
    return lambda pixels: json.dumps(make(pixels)).encode()


def npy(pixels):
    stream = io.BytesIO()
    np.save(stream, pixels, allow_pickle=False)
    return stream.getvalue()


def idx(pixels):
    return struct.pack(">4B3I", 0, 0, 8, 3, len(pixels), 28, 28) + pixels.tobytes()


def table(pixels, header):
    stream = io.StringIO()
    writer = csv.writer(stream)
    if header:
        writer.writerow(header)
    writer.writerows(pixels.tolist())
    return stream.getvalue().encode()


NAMES = [f"pixel{i}" for i in range(784)]
SORTED = sorted(range(784), key=lambda i: NAMES[i])  # pixel0, pixel1, pixel10, …


def tensor(datatype, shape, **rest):
    return {"inputs": [{"name": "images", "datatype": datatype, "shape": list(shape), **rest}]}


def v2_json(datatype, make=lambda p: p.ravel().tolist(), shape=lambda p: p.shape):
    return as_json(lambda p: tensor(datatype, shape(p), data=make(p)))


def v2_binary(datatype, dtype, shape=lambda p: p.shape):
    def write(pixels):
        content = pixels.astype(dtype).tobytes()
        parameters = {"binary_data_size": len(content)}
        request = tensor(datatype, shape(pixels), parameters=parameters)
        request["parameters"] = {"binary_data_output": True}
        return json.dumps(request).encode() + content

    return write


def json_in_front(body):
    return {HEADER_LENGTH: str(body.index(b"true}}") + 6)}


def picture(row):
    return {"b64": base64.b64encode(row.tobytes()).decode()}


def ours(response):
    return [p["probabilities"] for p in response.json["predictions"]]


def v2(response):
    length = response.headers.get(HEADER_LENGTH)
    if length is None:
        (output,) = (o for o in response.json["outputs"] if o["name"] == "probabilities")
        return np.reshape(output["data"], output["shape"])
    first = json.loads(response.data[: int(length)])["outputs"][0]
    size = first["parameters"]["binary_data_size"]
    content = response.data[int(length) : int(length) + size]
    return np.frombuffer(content, "<f4").reshape(first["shape"])


def predictions(response):
    return response.json["predictions"]


def outputs(response):
    return response.json["outputs"]


def results(response):
    return [[score for _, score in row] for row in response.json["results"]]


def classes(response):
    rows = response.json if isinstance(response.json, list) else [response.json]
    return [[row[label] for label in LABELS] for row in rows]


READERS = {
    OURS: ours,
    V2: v2,
    TFS: predictions,
    CLASSIFY: results,
    MLFLOW: predictions,
    TORCHSERVE: classes,
}


def lists(pixels):
    return pixels.tolist()


def pictures(pixels):
    return pixels.reshape(-1, 28, 28).tolist()


def named(pixels):
    return [{"images": row} for row in pixels.tolist()]


def records(pixels):
    return [dict(zip(NAMES, row, strict=True)) for row in pixels.tolist()]


def split(pixels):
    return {"columns": NAMES, "index": list(range(len(pixels))), "data": pixels.tolist()}


def sorted_split(pixels):
    return {"columns": [NAMES[i] for i in SORTED], "data": pixels[:, SORTED].tolist()}


# Numbers as they come: pixels as bytes, or floats from 0 to 1.
NUMBERS = {
    "ours, rows": Form(OURS, as_json(lambda p: {"instances": lists(p)})),
    "ours, pictures": Form(OURS, as_json(lambda p: {"instances": pictures(p)})),
    "ours, npy": Form(OURS, npy, NPY),
    "TensorFlow Serving, rows": Form(TFS, as_json(lambda p: {"instances": lists(p)})),
    "TensorFlow Serving, as a form": Form(
        TFS, as_json(lambda p: {"instances": lists(p)}), "application/x-www-form-urlencoded"
    ),
    "TensorFlow Serving, no content type": Form(
        TFS, as_json(lambda p: {"signature_name": "serving_default", "instances": lists(p)}), None
    ),
    "TensorFlow Serving, pictures": Form(TFS, as_json(lambda p: {"instances": pictures(p)})),
    "TensorFlow Serving, named rows": Form(TFS, as_json(lambda p: {"instances": named(p)})),
    "TensorFlow Serving, columns": Form(TFS, as_json(lambda p: {"inputs": lists(p)}), read=outputs),
    "TensorFlow Serving, named columns": Form(
        TFS, as_json(lambda p: {"inputs": {"images": lists(p)}}), read=outputs
    ),
    "TensorFlow Serving, classify": Form(CLASSIFY, as_json(lambda p: {"examples": named(p)})),
    "MLflow, instances": Form(MLFLOW, as_json(lambda p: {"instances": lists(p)})),
    "MLflow, inputs": Form(MLFLOW, as_json(lambda p: {"inputs": lists(p), "params": {}})),
    "Vertex AI": Form(MLFLOW, as_json(lambda p: {"instances": lists(p), "parameters": None})),
    "MLflow, named inputs": Form(MLFLOW, as_json(lambda p: {"inputs": {"images": lists(p)}})),
    "MLflow, split": Form(MLFLOW, as_json(lambda p: {"dataframe_split": split(p)})),
    "MLflow, split sorted by name": Form(
        MLFLOW, as_json(lambda p: {"dataframe_split": sorted_split(p)})
    ),
    "MLflow, records": Form(MLFLOW, as_json(lambda p: {"dataframe_records": records(p)})),
    "MLflow, CSV": Form(MLFLOW, lambda p: table(p, NAMES), "text/csv"),
    "MLflow, CSV with counted columns": Form(
        MLFLOW, lambda p: table(p, range(784)), "text/csv; charset=utf-8"
    ),
    "SageMaker, CSV without a header": Form(MLFLOW, lambda p: table(p, None), "text/csv"),
    "SageMaker, npy": Form(MLFLOW, npy, NPY),
    "TorchServe, JSON": Form(TORCHSERVE, as_json(lambda p: {"instances": lists(p)})),
    "TorchServe, npy": Form(TORCHSERVE, npy, NPY),
    "TorchServe, npy, no content type": Form(TORCHSERVE, npy, None),
}

BYTES = {
    "ours, octets": Form(OURS, lambda p: p.tobytes(), OCTETS),
    "ours, IDX": Form(OURS, idx, "application/x-idx"),
    "ours, IDX gzipped": Form(OURS, lambda p: gzip.compress(idx(p)), "application/x-idx"),
    "ours, gzipped": Form(
        OURS, lambda p: gzip.compress(p.tobytes()), OCTETS, lambda _: {"Content-Encoding": "gzip"}
    ),
    "V2, flat": Form(V2, v2_json("UINT8")),
    "V2, flat INT64": Form(V2, v2_json("INT64")),
    "V2, nested": Form(V2, v2_json("UINT8", lists)),
    "V2, pictures": Form(V2, v2_json("UINT8", pictures, lambda p: (len(p), 28, 28))),
    "V2, binary": Form(V2, v2_binary("UINT8", "<u1"), OCTETS, json_in_front),
    "V2, binary pictures": Form(
        V2, v2_binary("UINT8", "<u1", lambda p: (len(p), 28, 28)), OCTETS, json_in_front
    ),
    "V2, binary INT64": Form(V2, v2_binary("INT64", "<i8"), OCTETS, json_in_front),
    "V2, raw": Form(V2, lambda p: p.tobytes(), OCTETS, lambda _: {HEADER_LENGTH: "0"}),
    "V2, deflated": Form(
        V2,
        lambda p: zlib.compress(v2_json("UINT8")(p)),
        JSON,
        lambda _: {"Content-Encoding": "deflate"},
    ),
    "TensorFlow Serving, base64": Form(
        TFS, as_json(lambda p: {"instances": [picture(row) for row in p]})
    ),
    "TensorFlow Serving, named base64": Form(
        TFS, as_json(lambda p: {"instances": [{"images": picture(row)} for row in p]})
    ),
    "TensorFlow Serving, base64 in columns": Form(
        TFS, as_json(lambda p: {"inputs": [picture(row) for row in p]}), read=outputs
    ),
    "SageMaker, octets": Form(MLFLOW, lambda p: p.tobytes(), OCTETS),
    "TorchServe, octets": Form(TORCHSERVE, lambda p: p.tobytes(), OCTETS),
    "TorchServe, no content type": Form(TORCHSERVE, lambda p: p.tobytes(), None),
    "TorchServe, IDX, no content type": Form(TORCHSERVE, idx, None),
}

UNIT = {
    "V2, FP32": Form(V2, v2_json("FP32")),
    "V2, FP64": Form(V2, v2_json("FP64", lists)),
    "V2, binary FP32": Form(V2, v2_binary("FP32", "<f4"), OCTETS, json_in_front),
    "V2, binary FP64": Form(V2, v2_binary("FP64", "<f8"), OCTETS, json_in_front),
}


def ask(client, form, pixels):
    """Return the float32 probabilities that the service answers with."""
    body = form.write(pixels)
    response = client.post(
        form.path, data=body, content_type=form.content_type, headers=form.headers(body)
    )
    assert response.status_code == 200, response.text[:500]
    return np.array((form.read or READERS[form.path])(response), np.float32)
