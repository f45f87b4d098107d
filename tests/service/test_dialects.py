"""Every dialect: the same answer, its own shapes, its own errors."""

import base64
import gzip
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nncore.registry import Registry
from service import json_numbers
from service.app import create_app
from service.dialects.tables import PIECE
from service.routes import ROUTES
from service.settings import Settings
from tests.conftest import classifier_of, publish
from tests.service import dialect_forms
from tests.service.dialect_forms import (
    BYTES,
    HEADER_LENGTH,
    JSON,
    MLFLOW,
    NUMBERS,
    OCTETS,
    OURS,
    TFS,
    TORCHSERVE,
    UNIT,
    V2,
    ask,
    tensor,
)

TOKEN = "secret"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
ROW = [0] * 784


@pytest.fixture(scope="module", params=["on", "off"])
def served(request, tmp_path_factory):
    """A client and the classifier that should answer; one version for all tests of the module.

    Every test here goes both ways: in front of Flask, and through it.
    """
    store = tmp_path_factory.mktemp("dialects")
    registry = Registry(store)
    publish(registry)
    publish(registry, seed=2, live=False)
    registry.promote("digits", 2, alias="canary", reason="test")
    limits = {"max_body_mb": 2, "max_rows": 500}
    app = create_app(Settings(store, admin_token=TOKEN, fast_path=request.param, **limits))
    return app.test_client(), classifier_of(registry, 1)


@pytest.fixture
def client(served):
    return served[0]


@pytest.fixture(params=["quickly", "carefully"])
def _way(request, monkeypatch):
    """Both ways of reading JSON: with simdjson, and without."""
    if request.param == "carefully":
        monkeypatch.setattr(json_numbers, "simdjson", None)


@st.composite
def images(draw):
    """A few rows of bytes: noise of some density, with a row that is all but black at times."""
    rows, seed = draw(st.integers(1, 3)), draw(st.integers(0, 2**32))
    density, faint = draw(st.floats(0.05, 1)), draw(st.booleans())
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (rows, 784)) * (rng.random((rows, 784)) < density)
    if faint:
        pixels[0] = rng.integers(0, 2, 784)
    pixels[-1, 0] = 255  # a batch without a pixel above 1 would be of the range 0-1
    return pixels.astype(np.uint8)


@settings(max_examples=15)
@given(pixels=images())
def test_the_same_images_get_the_same_bits_through_every_dialect_and_content_type(served, pixels):
    client, classifier = served
    expected = classifier.probabilities(pixels).tobytes()
    unit = pixels / 255

    for forms, numbers in (
        (NUMBERS, pixels),
        (NUMBERS, unit),
        (NUMBERS, unit.astype(np.float32)),
        (BYTES, pixels),
        (UNIT, unit),
    ):
        for name, form in forms.items():
            assert ask(client, form, numbers).tobytes() == expected, f"{name} of {numbers.dtype}"


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32), rows=st.integers(1, 3))
def test_floats_that_are_no_bytes_get_the_same_bits_through_every_dialect(served, seed, rows):
    client, classifier = served
    unit = np.random.default_rng(seed).random((rows, 784), np.float32)
    expected = classifier.probabilities((unit.astype(np.float64) * 255).astype(np.float32))

    for name, form in {**NUMBERS, **UNIT}.items():
        assert ask(client, form, unit).tobytes() == expected.tobytes(), name


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("form", [*NUMBERS, *BYTES])
def test_every_form_is_read_quickly_and_carefully_alike(served, pixels, form):
    client, classifier = served

    answered = ask(client, {**NUMBERS, **BYTES}[form], pixels)

    assert answered.tobytes() == classifier.probabilities(pixels).tobytes()


def png(row):
    stream = io.BytesIO()
    Image.fromarray(row.reshape(28, 28)).save(stream, "PNG")
    return stream.getvalue()


def test_a_picture_gets_the_same_bits_through_every_dialect(client, pixels):
    body = png(pixels[0])
    text = base64.b64encode(body).decode()
    told = client.post(OURS, data=body, content_type="image/png")
    expected = np.array(dialect_forms.ours(told), np.float32)

    answers = [
        client.post(MLFLOW, data=body, content_type="image/png"),
        client.post(MLFLOW, json={"instances": [{"b64": text}]}),
        client.post(TFS, json={"instances": [{"b64": text}]}),
        client.post(TFS, json={"instances": [{"images": {"b64": text}}]}),
        client.post(TFS, json={"instances": {"b64": text}}),
        client.post(MLFLOW, json={"inputs": {"images": {"b64": text}}}),
    ]
    by_label = [
        client.post(TORCHSERVE, data=body, content_type="image/png"),
        client.post(TORCHSERVE, data=body),
        client.put(TORCHSERVE, data=body, content_type=OCTETS),
        client.post(TORCHSERVE, data=body, content_type="application/x-www-form-urlencoded"),
    ]

    for answer in answers:
        assert np.array(answer.json["predictions"], np.float32).tobytes() == expected.tobytes()
    for answer in by_label:
        assert list(answer.json.values()) == sorted(answer.json.values(), reverse=True)
        assert np.array(dialect_forms.classes(answer), np.float32).tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    "body",
    [
        png(np.arange(784, dtype=np.uint8)),
        dialect_forms.npy(np.zeros((1, 784), np.uint8)),
        b'{"instances": [' + str(ROW).encode() + b"]}",
        gzip.compress(dialect_forms.idx(np.zeros((1, 784), np.uint8)), mtime=0),
    ],
)
def test_torchserve_finds_out_what_a_body_is_however_long_it_is(client, body):
    told = client.post(TORCHSERVE, data=body)
    padding = b" " if body.startswith(b"{") else b"\0"

    padded = client.post(TORCHSERVE, data=body + padding * (-len(body) % 784))

    assert told.status_code == 200
    assert padded.status_code == 400 or padded.json == told.json


def test_torchserve_takes_a_picture_in_a_form(client, pixels):
    body = png(pixels[0])

    answer = client.post(TORCHSERVE, data={"data": (io.BytesIO(body), "7.png")})

    assert answer.json == client.post(TORCHSERVE, data=body).json


@pytest.mark.parametrize(
    ("path", "version"),
    [
        (V2, "1"),
        ("/v2/models/digits/versions/2/infer", "2"),
        ("/v2/models/digits/versions/canary/infer", "2"),
        (TFS, "1"),
        ("/v1/models/digits/versions/2:predict", "2"),
        ("/v1/models/digits/labels/canary:predict", "2"),
        ("/v1/models/digits/versions/2:classify", "2"),
        (TORCHSERVE, "1"),
        ("/predictions/digits/2", "2"),
        (MLFLOW, "1"),
    ],
)
def test_a_version_or_alias_in_the_address_answers(client, path, version):
    key = "examples" if path.endswith("classify") else "instances"
    body = tensor("UINT8", [1, 784], data=ROW) if path.startswith("/v2") else {key: [ROW]}

    response = client.post(path, json=body)

    assert (response.status_code, response.headers["X-Model-Version"]) == (200, version)


def in_shape(path, response):
    """Tell whether an error has its family's shape, and none of another's; return its sentence."""
    body = response.json
    if path.startswith(("/v1", "/v2")):
        assert set(body) == {"error"}
        return body["error"]
    if path.startswith("/predictions"):
        assert set(body) == {"code", "type", "message"}
        assert body["code"] == response.status_code
        return body["message"]
    if path.startswith(("/invocations", "/ping", "/health", "/version")):
        assert set(body) == {"error_code", "message"}
        return body["message"]
    assert response.mimetype == "application/problem+json"
    return body["detail"]


def concrete(path):
    for name in ("<name:model>", "<model>"):
        path = path.replace(name, "digits")
    return path.replace("<name:version>", "1").replace("<version>", "1")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_a_wrong_method_is_told_in_the_shape_of_the_family(client, route):
    path = concrete(route.path)

    response = client.delete(path)

    assert response.status_code == 405
    assert set(route.methods.split()) <= set(response.headers["Allow"].split(", "))
    assert "does not take DELETE" in in_shape(path, response)


@pytest.mark.parametrize(
    "path",
    [
        "/v2/nowhere",
        "/v2/models/digits/nowhere",
        "/v1/nowhere",
        "/v1/models/digits:explain",
        "/invocations/x",
        "/predictions",
        "/v2//models",
        "/v1/models//digits",
        "/predictions//digits",
        "/api/v1/nowhere",
        "/nowhere",
    ],
)
def test_an_unknown_address_is_told_in_the_shape_of_the_family(client, path):
    response = client.get(path)

    assert response.status_code == 404
    assert "There is nothing at" in in_shape(path, response)


@pytest.mark.parametrize("path", ["/v2", "/v2/models/digits", "/v1/models", "/v1/models/digits"])
def test_a_slash_at_the_end_of_an_address_changes_nothing(client, path):
    assert client.get(f"{path}/").json == client.get(path).json


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v2/models/nope/infer", "There is no model 'nope'. There is: digits."),
        ("/v2/models/digits/versions/7/infer", "has no version 7. It has: 1, 2"),
        ("/v1/models/nope:predict", "There is no model 'nope'"),
        ("/v1/models/digits/labels/nope:predict", "no version or alias 'nope'"),
        ("/predictions/nope", "There is no model 'nope'"),
        ("/predictions/digits/7.0", "no version or alias '7.0'"),
    ],
)
def test_an_unknown_model_or_version_is_told_in_the_shape_of_the_family(client, path, words):
    response = client.post(path, json={"instances": [ROW]})

    assert response.status_code == 404
    assert words in in_shape(path, response)


def v2_with(**rest):
    return {"inputs": [{"name": "images", "datatype": "UINT8", "shape": [1, 784], **rest}]}


def with_data(data, **rest):
    return v2_with(data=data, **rest)


def with_outputs(*outputs):
    return {**with_data(ROW), "outputs": list(outputs)}


WRONG = {
    "no inputs": (V2, {}, 400, "a list of one input, 'images'; got null. (At /inputs.)"),
    "two inputs": (V2, {"inputs": [{}, {}]}, 400, "got a list of 2"),
    "an input that is a list": (V2, {"inputs": [[]]}, 400, "a list of one input"),
    "another input": (V2, {"inputs": [{"name": "image"}]}, 400, "Did you mean 'images'?"),
    "no shape": (V2, {"inputs": [{"name": "images"}]}, 400, "1 to 3 whole numbers; got null"),
    "a shape of texts": (V2, with_data(ROW, shape=["1", 784]), 400, "whole numbers"),
    "a shape of true": (V2, with_data(ROW, shape=[True, 784]), 400, "whole numbers"),
    "a shape below 0": (V2, with_data(ROW, shape=[-1, 784]), 400, "whole numbers"),
    "a shape of 783": (V2, with_data(ROW, shape=[1, 783]), 400, "got shape (1, 783)"),
    "a shape that is empty": (V2, with_data([], shape=[0, 784]), 400, "at least one row"),
    "too many rows": (V2, with_data(ROW, shape=[501, 784]), 413, "at most 500 rows"),
    "no datatype": (V2, with_data(ROW, datatype=None), 400, "Unknown datatype null"),
    "another datatype": (V2, with_data(ROW, datatype="FP33"), 400, "Did you mean 'FP32'?"),
    "no data": (V2, v2_with(), 400, "a list of numbers; got null. (At /inputs/0/data.)"),
    "783 numbers": (V2, with_data(ROW[1:]), 400, "the shape [1, 784]; got"),
    "nested otherwise": (V2, with_data([ROW[:392], ROW[392:]]), 400, "the shape [1, 784]"),
    "ragged": (V2, with_data([ROW[1:], [0]], shape=[1, 784]), 400, "got 2"),
    "text": (V2, with_data([*ROW[1:], "7"]), 400, "got '7'. (At /inputs/0/data/783.)"),
    "nested text": (V2, with_data([[*ROW[1:], "7"]]), 400, "(At /inputs/0/data/0/783.)"),
    "null in data": (V2, with_data([*ROW[1:], None]), 400, "got null"),
    "256": (V2, with_data([*ROW[1:], 256]), 400, "from 0 to 255; got 256"),
    "a half for UINT8": (V2, with_data([*ROW[1:], 0.5]), 400, "whole numbers for UINT8; got 0.5"),
    "FP32 above 1": (V2, with_data([*ROW[1:], 1.5], datatype="FP32"), 400, "from 0 to 1; got 1.5"),
    "FP32 past its range": (V2, with_data([*ROW[1:], 1e200], datatype="FP32"), 400, "got inf"),
    "bytes that are not there": (
        V2,
        v2_with(parameters={"binary_data_size": 784}),
        400,
        "Expected 0, the bytes behind the JSON; got 784",
    ),
    "data and bytes": (
        V2,
        with_data(ROW, parameters={"binary_data_size": 0}),
        400,
        "either data or binary_data_size",
    ),
    "parameters that are a list": (V2, with_data(ROW, parameters=[]), 400, "an object"),
    "an id that is a number": (V2, {**with_data(ROW), "id": 5}, 400, "a text; got 5"),
    "an unknown output": (V2, with_outputs({"name": "labels"}), 400, "Did you mean 'label'?"),
    "an output that is a text": (V2, with_outputs("label"), 400, "Unknown output"),
    "an output twice": (V2, with_outputs({"name": "label"}, {"name": "label"}), 400, "once"),
    "outputs that are a text": (V2, {**with_data(ROW), "outputs": "label"}, 400, "got 'label'"),
    "classes of labels": (
        V2,
        with_outputs({"name": "label", "parameters": {"classification": 2}}),
        400,
        "of 'probabilities' alone",
    ),
    "binary_data that is a text": (
        V2,
        with_outputs({"name": "label", "parameters": {"binary_data": "true"}}),
        400,
        "true or false; got 'true'. (At /outputs/0/parameters/binary_data.)",
    ),
    "binary_data_output that is a number": (
        V2,
        {**with_data(ROW), "parameters": {"binary_data_output": 1}},
        400,
        "true or false; got 1. (At /parameters/binary_data_output.)",
    ),
    "no object": (V2, [], 400, "a JSON object; got a list of 0"),
    "no JSON": (V2, b"hello", 400, "The body is no JSON"),
    "an empty body": (V2, b"", 400, "The body is empty"),
    "rows and columns": (TFS, {"instances": [ROW], "inputs": [ROW]}, 400, "got both"),
    "neither": (TFS, {"instance": [ROW]}, 400, '"instances" or "inputs"'),
    "an unknown key": (TFS, {"instances": [ROW], "top_k": 2}, 400, "Unknown key 'top_k'"),
    "another signature": (
        TFS,
        {"instances": [ROW], "signature_name": "x"},
        400,
        "the signature 'serving_default'; got 'x'",
    ),
    "another named input": (TFS, {"instances": [{"image": ROW}]}, 400, "Did you mean 'images'?"),
    "another named column": (TFS, {"inputs": {"image": [ROW]}}, 400, "Did you mean 'images'?"),
    "no named input": (TFS, {"instances": [{}]}, 400, "the input 'images'; got none"),
    "two inputs in a row": (TFS, {"instances": [{"images": ROW, "x": 1}]}, 400, "Unknown input"),
    "783 values": (TFS, {"instances": [ROW, ROW[1:]]}, 400, "got 783 values. (At /instances/1.)"),
    "783 named values": (TFS, {"inputs": {"images": [ROW[1:]]}}, 400, "(At /inputs/images/0.)"),
    "no base64": (TFS, {"instances": [{"b64": "*"}]}, 400, "Expected base64"),
    "base64 of a number": (TFS, {"instances": [{"b64": 5}]}, 400, "Expected base64"),
    "base64 of two rows": (
        TFS,
        {"instances": [{"b64": base64.b64encode(bytes(1568)).decode()}]},
        400,
        "one picture or row; got 2",
    ),
    "base64 among rows": (TFS, {"instances": [ROW, {"b64": ""}]}, 400, "as in other rows"),
    "a form": (TFS, b"instances=5", 400, "The body is no JSON"),
    "no examples": (dialect_forms.CLASSIFY, {"instances": [ROW]}, 400, '"examples"'),
    "two forms": (MLFLOW, {"instances": [ROW], "inputs": [ROW]}, 400, "exactly one of"),
    "no form": (MLFLOW, {"data": [ROW]}, 400, '"dataframe_split"'),
    "a signature": (
        MLFLOW,
        {"instances": [ROW], "signature_name": "x"},
        400,
        "Unknown key 'signature_name'",
    ),
    "params": (MLFLOW, {"instances": [ROW], "params": {"k": 1}}, 400, "takes no params"),
    "parameters": (MLFLOW, {"instances": [ROW], "parameters": {"k": 1}}, 400, "no parameters"),
    "a bare list": (MLFLOW, [ROW], 400, "a JSON object; got a list of 1"),
    "split without columns": (MLFLOW, {"dataframe_split": {"data": [ROW]}}, 400, "list of names"),
    "split of 2 columns": (
        MLFLOW,
        {"dataframe_split": {"columns": ["a", "b"], "data": [ROW]}},
        400,
        "784 columns, one a pixel; got 2: a, b",
    ),
    "split that is a list": (MLFLOW, {"dataframe_split": [ROW]}, 400, "columns and data"),
    "split with more": (
        MLFLOW,
        {"dataframe_split": {"columns": list(range(784)), "data": [ROW], "x": 1}},
        400,
        "Unknown key 'x'",
    ),
    "records that are a text": (MLFLOW, {"dataframe_records": "a"}, 400, "got 'a'"),
    "records and rows": (MLFLOW, {"dataframe_records": [{}, ROW]}, 400, "got 2 values"),
    "no records": (MLFLOW, {"dataframe_records": []}, 400, "the batch is empty"),
    "a record of 1": (MLFLOW, {"dataframe_records": [{"a": 1}]}, 400, "got 1: a"),
    "records that differ": (
        MLFLOW,
        {"dataframe_records": [dict.fromkeys(map(str, r), 0) for r in (range(784), range(1, 785))]},
        400,
        "the columns of the first row; got '784'",
    ),
    "too many records": (MLFLOW, {"dataframe_records": [{}] * 501}, 413, "at most 500 rows"),
    "TorchServe's unknown key": (
        TORCHSERVE,
        {"instances": [ROW], "top_k": 1},
        400,
        "Unknown key 'top_k'",
    ),
    "TorchServe's 783 values": (TORCHSERVE, {"instances": [ROW[1:]]}, 400, "got 783 values"),
}


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("case", WRONG)
def test_wrong_bodies_are_told_in_the_shape_of_the_family(client, case):
    path, body, status, words = WRONG[case]
    body = body if isinstance(body, bytes) else json.dumps(body).encode()

    response = client.post(path, data=body, content_type=JSON)

    assert response.status_code == status
    assert words in in_shape(path, response)


@pytest.mark.parametrize(
    ("body", "content_type", "status", "words"),
    [
        (b"", "text/csv", 400, "the table is empty"),
        (b",".join(b"a%d" % i for i in range(784)), "text/csv", 400, "the table is empty"),
        (b"5,2,3", "text/csv", 400, "784 columns, one a pixel; got 3: 5, 2, 3"),
        (b"label," + b",".join([b"0"] * 784) + b"\n0", "text/csv", 400, "got 785: label, 0, 0"),
        (b",".join([b"0"] * 784) + b"\n1,2", "text/csv", 400, "no CSV of numbers"),
        (b",".join([b"0"] * 784) + b"\n" + b",".join([b"x"] * 784), "text/csv", 400, "'x'"),
        (b",".join(b"a%d" % i for i in range(784)) + b"\n1,2", "text/csv", 400, "got 2: 1.0, 2.0"),
        (b"x" + b",0" * 783 + b"\n0" + b",0" * 783, "text/csv", 400, "'x' to float64 at row 0"),
        (b"0,," + b"0," * 781 + b"0", "text/csv", 400, "'' to float64 at row 0, column 2"),
        (b",".join([b"300"] * 784), "text/csv", 400, "from 0 to 255; got 300"),
        (b",".join([b"nan"] * 784), "text/csv", 400, "from 0 to 255; got nan"),
        (b"\xff", "text/csv", 400, "no CSV of numbers: 'utf-8' codec"),
        (b'"' + b"x" * 200_000, "text/csv", 400, "no CSV of numbers"),
        (b"7\n" * 501, "text/csv", 413, "at most 500 rows"),
        (b"{}", "text/csv; charset=latin-1", 415, "got 'charset=latin-1'"),
        (b"{}", "application/json; charset=latin-1", 415, "got 'charset=latin-1'"),
        (b"{}", "text/plain", 415, "Known: application/json, text/csv, application/octet-stream"),
        (b"x" * (2 * 2**20 + 1), JSON, 413, "at most 2,097,152 bytes"),
    ],
)
def test_wrong_bodies_of_other_types_are_told_by_mlflow(client, body, content_type, status, words):
    response = client.post(MLFLOW, data=body, content_type=content_type)

    assert response.status_code == status
    assert words in in_shape(MLFLOW, response)


@pytest.mark.parametrize("header", [None, dialect_forms.NAMES])
def test_a_table_that_is_read_in_pieces_is_read_whole(client, header):
    pixels = np.random.default_rng(7).integers(0, 256, (300, 784)).astype(np.uint8)
    body = dialect_forms.table(pixels, header)
    assert len(body) > 2 * PIECE

    answer = client.post(MLFLOW, data=body, content_type="text/csv")
    expected = client.post(MLFLOW, data=pixels.tobytes(), content_type=OCTETS)

    assert answer.json == expected.json


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"0" + b",0" * 782 + b",x", "'x' to float64 at row 280, column 784"),
        (b"0" + b",0" * 782, "from 784 to 783"),
    ],
)
def test_what_is_wrong_late_in_a_table_is_told_with_its_row(client, line, words):
    lines = [b"0" + b",100" * 783] * 300
    lines[280] = line

    response = client.post(MLFLOW, data=b"\n".join(lines), content_type="text/csv")

    assert response.status_code == 400
    assert words in in_shape(MLFLOW, response)


@pytest.mark.parametrize("path", [V2, TFS, MLFLOW, TORCHSERVE])
def test_a_body_past_the_limit_is_told_in_the_shape_of_the_family(client, path):
    response = client.post(path, data=b"x" * (2 * 2**20 + 1), content_type=JSON)

    assert response.status_code == 413
    assert "at most 2,097,152 bytes" in in_shape(path, response)


@pytest.mark.parametrize("length", ["99999", "-1", "x", "1" * 5000, "²"])
def test_a_header_length_past_the_body_is_told(client, length):
    response = client.post(V2, data=b"{}", headers={HEADER_LENGTH: length.encode()})

    assert response.status_code == 400
    assert "from 0 to 2" in in_shape(V2, response)


def test_binary_tensors_of_the_wrong_size_are_told(client):
    head = json.dumps(v2_with(parameters={"binary_data_size": 783})).encode()

    response = client.post(V2, data=head + bytes(783), headers={HEADER_LENGTH: str(len(head))})

    assert response.status_code == 400
    assert "784 bytes for UINT8 [1, 784]; got 783" in response.json["error"]


def test_bytes_behind_the_json_that_are_no_tensor_are_told(client):
    head = json.dumps(with_data(ROW)).encode()

    response = client.post(V2, data=head + b"more", headers={HEADER_LENGTH: str(len(head))})

    assert response.status_code == 400
    assert "no bytes behind the JSON" in response.json["error"]


def test_an_answer_of_v2_names_its_request_and_has_the_wanted_outputs(client, served, pixels):
    probabilities = served[1].probabilities(pixels)
    request = tensor("UINT8", pixels.shape, data=pixels.ravel().tolist())
    request |= {"id": "42", "outputs": [{"name": "probability"}, {"name": "label"}]}

    answer = client.post(V2, json=request).json

    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("42", "digits", "1")
    probability, label = answer["outputs"]
    assert (probability["datatype"], probability["shape"]) == ("FP32", [12])
    assert np.array(probability["data"], np.float32).tolist() == probabilities.max(axis=1).tolist()
    assert (label["datatype"], label["shape"]) == ("BYTES", [12])
    assert label["data"] == [str(c) for c in probabilities.argmax(axis=1)]


def test_an_output_can_be_had_as_its_best_classes(client, served, pixels):
    row = served[1].probabilities(pixels)[0]
    request = tensor("UINT8", pixels.shape, data=pixels.ravel().tolist())
    request["outputs"] = [{"name": "probabilities", "parameters": {"classification": 2}}]

    (output,) = client.post(V2, json=request).json["outputs"]

    first, second = np.argsort(-row)[:2]
    assert (output["datatype"], output["shape"]) == ("BYTES", [12, 2])
    assert output["data"][:2] == [f"{row[c]!s}:{c}:{c}" for c in (first, second)]


def test_more_classes_than_there_are_get_them_all(client):
    request = with_outputs({"name": "probabilities", "parameters": {"classification": 99}})

    assert client.post(V2, json=request).json["outputs"][0]["shape"] == [1, 10]


def test_tensorflow_serving_and_kserve_are_told_the_status_in_one_answer(client):
    answer = client.get("/v1/models/digits").json

    assert (answer["name"], answer["ready"]) == ("digits", True)
    assert answer["model_version_status"] == [
        {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    ]
    assert client.get("/v1/models").json == {"models": ["digits"]}
    label = client.get("/v1/models/digits/labels/canary").json["model_version_status"]
    assert label[0]["version"] == "2"


def test_tensorflow_servings_metadata_names_the_signature(client):
    answer = client.get("/v1/models/digits/versions/2/metadata").json

    assert answer["model_spec"] == {"name": "digits", "signature_name": "", "version": "2"}
    signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    sizes = [d["size"] for d in signature["inputs"]["images"]["tensor_shape"]["dim"]]
    assert sizes == ["-1", "784"]
    assert list(signature["outputs"]) == ["probabilities"]


def test_an_unloaded_model_answers_in_no_dialect_until_it_is_loaded(client):
    body = {"instances": [ROW]}
    unload, load = (f"/v2/repository/models/digits/{verb}" for verb in ("unload", "load"))

    assert client.post(unload).status_code == 401
    assert client.post(unload, headers=ADMIN, json={}).json == {"name": "digits", "unload": True}
    try:
        for path in (OURS, TFS, MLFLOW, TORCHSERVE):
            response = client.post(path, json=body)
            assert response.status_code == 503
            assert "is unloaded. Load it" in in_shape(path, response)
        for path in ("/ping", "/health", "/v2/health/ready", "/v2/models/digits/ready", "/readyz"):
            assert client.get(path).status_code == 503
        index = client.post("/v2/repository/index").json
        assert [(e["version"], e["state"]) for e in index] == [("1", "UNAVAILABLE")]
        assert "is unloaded" in index[0]["reason"]
        assert client.post("/v2/repository/index", json={"ready": True}).json == []
    finally:
        loaded = client.post(load, headers=ADMIN, json={})

    assert loaded.json == {"name": "digits", "load": True}
    assert client.post(TFS, json=body).status_code == 200
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize("verb", ["load", "unload"])
def test_a_model_that_is_not_there_cannot_be_loaded_or_unloaded(client, verb):
    response = client.post(f"/v2/repository/models/nope/{verb}", headers=ADMIN)

    assert response.status_code == 404
    assert "There is no model 'nope'" in response.json["error"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b'{"parameters": {"config": "{}"}}', 400, "loaded as it was published"),
        (b'{"parameters": {"file:1/model": "AAAA"}}', 400, "loaded as it was published"),
        (b"[]", 400, "a JSON object; got a list of 0"),
        (b"{", 400, "The body is no JSON"),
        (b" " * 2**20 + b"{}", 413, "at most 1,048,576 bytes"),
    ],
)
def test_a_model_is_not_loaded_otherwise_than_it_was_published(client, body, status, words):
    response = client.post("/v2/repository/models/digits/load", headers=ADMIN, data=body)

    assert response.status_code == status
    assert words in response.json["error"]


def test_the_index_calls_no_model_ready_that_cannot_answer(tmp_path):
    registry = Registry(tmp_path)
    publish(registry)
    publish(registry, model="other", live=False)
    weights = tmp_path / "models/digits/versions/1/weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    client = create_app(Settings(store=tmp_path, admin_token=TOKEN)).test_client()

    damaged, other = client.post("/v2/repository/index").json

    assert (damaged["version"], damaged["state"]) == ("1", "UNAVAILABLE")
    assert "SHA-256" in damaged["reason"]
    assert (other["version"], other["state"]) == ("", "UNAVAILABLE")
    assert "No version of model 'other' is live yet" in other["reason"]


def test_statistics_of_an_alias_are_those_of_its_version(client):
    client.post("/predictions/digits/canary", json={"instances": [ROW]})

    by_alias, by_number = (
        client.get(f"/v2/models/digits/versions/{which}/stats").json for which in ("canary", "2")
    )

    assert by_alias == by_number
    assert by_alias["model_stats"][0]["inference_count"] > 0
