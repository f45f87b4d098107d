import dataclasses
import gzip
import io
import json
import struct

import numpy as np
import pytest

from service import json_numbers, predictions
from tests.conftest import classifier_of, publish

JSON = "application/json"
OCTETS = "application/octet-stream"


@pytest.fixture(params=["on", "off"])
def settings(request, settings):
    """Every test here goes both ways: in front of Flask, and through it."""
    return dataclasses.replace(settings, fast_path=request.param)


@pytest.fixture(autouse=True)
def _live(live):
    """Every test here has a version to answer with."""


@pytest.fixture(params=["quickly", "carefully"])
def _way(request, monkeypatch):
    """Both ways of reading JSON: with simdjson, and without."""
    if request.param == "carefully":
        monkeypatch.setattr(json_numbers, "simdjson", None)


def as_json(pixels, **options):
    return json.dumps({"instances": pixels.tolist()} | options).encode()


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def idx(pixels):
    shape = (len(pixels), 28, 28)
    return struct.pack(">4B3I", 0, 0, 8, 3, *shape) + pixels.tobytes()


def probabilities(response):
    assert response.status_code == 200, response.text
    rows = [p["probabilities"] for p in response.json["predictions"]]
    return np.array(rows, np.float32)


BODIES = {
    "octets": lambda p: (p.tobytes(), OCTETS),
    "JSON integers": lambda p: (as_json(p), JSON),
    "JSON floats": lambda p: (as_json(p.astype(float)), JSON),
    "JSON 0-1": lambda p: (as_json(p / 255), JSON),
    "JSON 0-1 of float32": lambda p: (as_json((p / np.float32(255)).astype(np.float32)), JSON),
    "JSON pictures": lambda p: (as_json(p.reshape(-1, 28, 28)), JSON),
    "npy bytes": lambda p: (npy(p), "application/x-npy"),
    "npy pictures": lambda p: (npy(p.reshape(-1, 28, 28)), "application/x-npy"),
    "npy float32": lambda p: (npy(p / np.float32(255)), "application/x-npy"),
    "npy Fortran order": lambda p: (npy(np.asfortranarray(p)), "application/x-npy"),
    "IDX": lambda p: (idx(p), "application/x-idx"),
    "IDX gzipped": lambda p: (gzip.compress(idx(p), mtime=0), "application/x-idx"),
}


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("form", BODIES)
def test_the_same_pixels_get_the_same_bits_through_every_content_type(
    client, registry, pixels, form
):
    expected = classifier_of(registry, 1).probabilities(pixels)
    body, content_type = BODIES[form](pixels)

    response = client.post("/api/v1/predict", data=body, content_type=content_type)

    assert probabilities(response).tobytes() == expected.tobytes()


def test_an_answer_has_the_promised_shape(client, registry, pixels):
    response = client.post("/api/v1/predict", data=pixels.tobytes(), content_type=OCTETS)

    expected = classifier_of(registry, 1).probabilities(pixels)
    body = response.json
    assert (body["model"], body["version"], body["pixel_range"]) == ("digits", 1, "0-255")
    assert body["labels"] == list("0123456789")
    for prediction, row in zip(body["predictions"], expected, strict=True):
        assert list(prediction) == ["label", "probability", "probabilities"]
        assert prediction["label"] == str(row.argmax())
        assert np.float32(prediction["probability"]) == row.max()
    assert response.headers["X-Model-Version"] == "1"
    assert [part.partition(";")[0] for part in response.headers["Server-Timing"].split(", ")] == [
        "decode",
        "predict",
        "encode",
    ]


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("shape", [(784,), (28, 28)])
def test_one_bare_row_is_a_batch_of_one(client, pixels, shape):
    body = as_json(pixels[0].reshape(shape))

    response = client.post("/api/v1/predict", data=body, content_type=JSON)

    assert len(response.json["predictions"]) == 1


@pytest.mark.usefixtures("_way")
def test_outputs_choose_what_a_prediction_carries(client, registry, pixels):
    body = as_json(pixels, outputs=["label", "top_k", "input"], top_k=2)

    response = client.post("/api/v1/predict", data=body, content_type=JSON)

    row = classifier_of(registry, 1).probabilities(pixels)[0]
    first = response.json["predictions"][0]
    assert list(first) == ["label", "top_k", "input"]
    assert [entry["label"] for entry in first["top_k"]] == [str(c) for c in np.argsort(-row)[:2]]
    assert first["input"] == pixels[0].tolist()


@pytest.mark.parametrize("answered", ["0-255", "0-1"])
def test_saliency_is_the_winners_whatever_the_rows_look_like(client, registry, pixels, answered):
    rows = pixels / 255 if answered == "0-1" else pixels
    body = as_json(rows.reshape(-1, 28, 28), outputs=["saliency"])

    response = client.post("/api/v1/predict", data=body, content_type=JSON)

    classifier = classifier_of(registry, 1)
    expected = classifier.saliency(pixels, classifier.predict(pixels))
    came = np.array([row["saliency"] for row in response.json["predictions"]])
    np.testing.assert_allclose(came, expected, rtol=1e-4, atol=1e-7)


def test_saliency_of_too_many_rows_is_refused(client, monkeypatch, pixels):
    monkeypatch.setattr(predictions, "MOST_SALIENCIES", len(pixels) - 1)

    response = client.post(
        "/api/v1/predict?outputs=saliency", data=pixels.tobytes(), content_type=OCTETS
    )

    assert response.status_code == 413
    assert "at most 11 rows; got 12" in response.json["detail"]


@pytest.mark.usefixtures("_way")
def test_the_pixel_range_can_be_said_and_is_told(client, registry):
    faint = np.ones((1, 784))  # white if 0-1, all but black if 0-255

    guessed = client.post("/api/v1/predict", data=as_json(faint), content_type=JSON)
    said = client.post(
        "/api/v1/predict", data=as_json(faint, pixel_range="0-255"), content_type=JSON
    )

    classifier = classifier_of(registry, 1)
    assert guessed.json["pixel_range"] == "0-1"
    assert probabilities(guessed).tobytes() == classifier.probabilities(faint * 255).tobytes()
    assert said.json["pixel_range"] == "0-255"
    assert probabilities(said).tobytes() == classifier.probabilities(faint).tobytes()


def test_a_gzipped_body_is_unpacked(client, pixels):
    response = client.post(
        "/api/v1/predict",
        data=gzip.compress(pixels.tobytes()),
        content_type=OCTETS,
        headers={"Content-Encoding": "gzip"},
    )

    assert len(response.json["predictions"]) == 12


def test_every_version_and_alias_can_be_asked(client, registry, pixels):
    publish(registry, seed=2)
    registry.promote("digits", 1, alias="champion", reason="test")

    for reference, version in (("1", 1), ("2", 2), ("live", 2), ("champion", 1)):
        response = client.post(
            f"/api/v1/models/digits/versions/{reference}/predict",
            data=pixels.tobytes(),
            content_type=OCTETS,
        )
        expected = classifier_of(registry, version).probabilities(pixels)
        assert response.json["version"] == version
        assert probabilities(response).tobytes() == expected.tobytes()


def number_instead(value):
    rows = [[0.0] * 784 for _ in range(5)]
    rows[3][7] = value
    return json.dumps({"instances": rows}).encode()


ROW = [0] * 784
WRONG = {
    "783 pixels": ({"instances": [ROW, ROW[1:]]}, 422, "/instances/1", "got 783 values"),
    "783 pixels, bare": ({"instances": ROW[1:]}, 422, "/instances", "got 783 values"),
    "ragged rows that add up": (
        {"instances": [ROW[1:], [*ROW, 0]]},
        422,
        "/instances/0",
        "got 783 values",
    ),
    "a list among the numbers": (
        {"instances": [[*ROW[2:], [0, 0], []], ROW]},
        422,
        "/instances/0/782",
        "Expected a finite number; got a list of 2",
    ),
    "27 rows of 28": ({"instances": [[[0] * 28] * 27]}, 422, "/instances/0", "got 27 values"),
    "text": (number_instead("7"), 422, "/instances/3/7", "got '7'"),
    "null": (number_instead(None), 422, "/instances/3/7", "got null"),
    "true": (number_instead(True), 422, "/instances/3/7", "got true"),
    "NaN": (number_instead(float("nan")), 422, "/instances/3/7", "got nan"),
    "Infinity": (number_instead(float("inf")), 422, "/instances/3/7", "got inf"),
    "1e999": (b'{"instances":[' + b"1e999," * 783 + b"0]}", 422, "/instances/0", "got inf"),
    "an integer past 64 bits": (number_instead(10**400), 422, "/instances/3/7", "got 1000"),
    "256": (number_instead(256), 422, "/instances/3", "from 0 to 255; got 256"),
    "below 0": (number_instead(-1), 422, "/instances/3", "got -1 in row 3, at position 7"),
    "above the range that was said": (
        {"instances": [[2] * 784], "pixel_range": "0-1"},
        422,
        "/instances/0",
        "from 0 to 1; got 2",
    ),
    "an unknown range": (
        {"instances": [ROW], "pixel_range": "0-9"},
        422,
        "/pixel_range",
        "got '0-9'",
    ),
    "an unhashable range": (
        {"instances": [ROW], "pixel_range": [1]},
        422,
        "/pixel_range",
        "list of 1",
    ),
    "an empty batch": ({"instances": []}, 422, "/instances", "the batch is empty"),
    "empty rows": ({"instances": [[], []]}, 422, "/instances/0", "got 0 values"),
    "a row that is no list": ({"instances": [ROW, 5]}, 422, "/instances/1", "got 5"),
    "no instances": ({"instance": [ROW]}, 422, "", '"instances"'),
    "instances that are a text": ({"instances": "abc"}, 422, "/instances", "got 'abc'"),
    "instances that are an object": ({"instances": {}}, 422, "/instances", "got an object"),
    "a list at the top": ([ROW], 422, "", "got a list of 1"),
    "an unknown key": ({"instances": [ROW], "topk": 1}, 422, "/topk", "Did you mean 'top_k'?"),
    "an unknown output": (
        {"instances": [ROW], "outputs": ["labels"]},
        422,
        "/outputs/0",
        "Did you mean 'label'?",
    ),
    "an output that is a list": (
        {"instances": [ROW], "outputs": [["label"]]},
        422,
        "/outputs/0",
        "Unknown output",
    ),
    "an output that comes twice": (
        {"instances": [ROW], "outputs": ["label", "label"]},
        422,
        "/outputs",
        "named once",
    ),
    "a hundred thousand outputs": (
        {"instances": [ROW], "outputs": ["label"] * 100_000},
        422,
        "/outputs",
        "a list of 1 to 6 outputs; got a list of 100000",
    ),
    "outputs nested without end": (
        b'{"instances": [[0]], "outputs": ' + b"[" * 1000 + b"]" * 1000 + b"}",
        422,
        "/instances/0",
        "got 1 values",
    ),
    "a range nested without end": (
        json.dumps({"instances": [ROW]}).encode()[:-1]
        + b', "pixel_range": '
        + b"[" * 1000
        + b"]" * 1000
        + b"}",
        422,
        "/pixel_range",
        "got a list of 1",
    ),
    "instances twice": (
        b'{"instances": [[0]], "instances": 5}',
        422,
        "/instances",
        "a list of rows; got 5",
    ),
    "a key of a megabyte": (
        {"instances": [ROW], "x" * 10**6: 1},
        422,
        "/" + "x" * 80,
        "Unknown key",
    ),
    "half of a surrogate pair": (
        b'{"instances": [[0]], "\\ud800": 1}',
        400,
        None,
        "The body is no JSON",
    ),
    "a row of two million zeros": (
        b'{"instances": [' + b"0," * 1_000_000 + b"0]}",
        413,
        None,
        "at most 500 rows",
    ),
    "two hundred thousand empty objects": (
        b'{"instances": [' + b"{}," * 600_000 + b"{}]}",
        413,
        None,
        "at most 500 rows",
    ),
    "outputs that are none": ({"instances": [ROW], "outputs": []}, 422, "/outputs", "a list of 0"),
    "top_k of 0": ({"instances": [ROW], "top_k": 0}, 422, "/top_k", "from 1 to 10; got 0"),
    "top_k past the classes": ({"instances": [ROW], "top_k": 11}, 422, "/top_k", "got 11"),
    "too many rows": ({"instances": [[0] * 784] * 501}, 413, None, "at most 500 rows"),
    "text that is no JSON": (b"hello", 400, None, "The body is no JSON"),
    "a cut-off body": (b'{"instances": [[0, 0, 0', 400, None, "The body is no JSON"),
    "an empty body": (b"", 400, None, "The body is empty"),
    "bytes that are no UTF-8": (b'{"instances": "\xff"}', 400, None, "The body is no JSON"),
    "a deep nest": (b"[" * 100_000, 400, None, "The body is no JSON"),
    "two documents": (b'{"instances": []} {}', 400, None, "The body is no JSON"),
}


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("case", WRONG)
def test_wrong_json_is_told_with_what_was_expected_what_came_and_where(client, case):
    body, status, pointer, words = WRONG[case]
    body = body if isinstance(body, bytes) else json.dumps(body).encode()

    response = client.post("/api/v1/predict", data=body, content_type=JSON)

    problem = response.json
    assert response.status_code == status == problem["status"]
    assert response.mimetype == "application/problem+json"
    assert words in problem["detail"]
    assert problem["type"].startswith("urn:inkwell:problem:")
    assert problem["title"]
    assert problem["request_id"] == response.headers["X-Request-ID"]
    assert [e["pointer"] for e in problem.get("errors", [])] == (
        [] if pointer is None else [pointer]
    )


def npy_with(header, version=(1, 0)):
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H", len(text)) + text + bytes(784)


STRANGE_HEADERS = [
    npy_with("((((" * 20),
    npy_with("{"),
    npy_with("   1"),
    npy_with("{[]: 1}"),
    npy_with("-" * 100),
    npy_with("{'descr': '|u1', 'fortran_order': False, 'shape': (True, 784)}"),
    npy_with("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 784)}"),
    npy_with("{'descr': ('<f4',), 'fortran_order': False, 'shape': (1, 784)}"),
    npy_with("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 784)}", version=(9, 9)),
    npy_with("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000000, 784)}"),
]


def test_a_gzip_body_of_several_members_is_read_whole(client, pixels):
    halves = gzip.compress(pixels[:5].tobytes()) + gzip.compress(pixels[5:].tobytes())

    whole, with_rest = (
        client.post(
            "/api/v1/predict",
            data=body,
            content_type=OCTETS,
            headers={"Content-Encoding": "gzip"},
        )
        for body in (halves, halves + b"rest")
    )

    assert len(whole.json["predictions"]) == 12
    assert with_rest.status_code == 400


@pytest.mark.parametrize(
    ("body", "content_type", "status", "words"),
    [
        (b"x" * 783, OCTETS, 422, "rows of 784 bytes; got 783 bytes: 0 rows and 783 bytes over"),
        (b"x" * 785, OCTETS, 422, "1 rows and 1 bytes over"),
        (b"", OCTETS, 422, "the body is empty"),
        (b"x" * 784 * 501, OCTETS, 413, "at most 500 rows"),
        (b"hello", "application/x-npy", 400, "no .npy array"),
        (npy(np.zeros((2, 784)))[:-8], "application/x-npy", 400, "no .npy array"),
        (npy(np.zeros((2, 783))), "application/x-npy", 422, "got shape (2, 783)"),
        (npy(np.zeros((0, 784))), "application/x-npy", 422, "got shape (0, 784)"),
        (npy(np.float64(3)), "application/x-npy", 422, "got shape ()"),
        (npy(np.full((1, 784), np.nan)), "application/x-npy", 422, "from 0 to 255; got nan"),
        (npy(np.full((1, 784), -1)), "application/x-npy", 422, "got -1"),
        (npy(np.zeros((1, 784), complex)), "application/x-npy", 400, "holds complex128"),
        (npy(np.full((1, 784), "a")), "application/x-npy", 400, "holds <U1"),
        (npy(np.zeros((501, 784), np.uint8)), "application/x-npy", 413, "at most 500 rows"),
        *[(header, "application/x-npy", 400, "no .npy array") for header in STRANGE_HEADERS],
        (b"hello", "application/x-idx", 400, "no IDX file"),
        (b"\x1f\x8bhello", "application/x-idx", 400, "no gzip"),
        (gzip.compress(b"\0" * 10_000_000, mtime=0), "application/x-idx", 413, "after unpacking"),
        (idx(np.zeros((501, 784), np.uint8)), "application/x-idx", 413, "at most 500 rows"),
        (b"{}", "text/plain", 415, "'text/plain' is not known. Known: application/json"),
        (b"{}", None, 415, "is not known"),
        (b"x" * (2 * 2**20 + 1), OCTETS, 413, "at most 2,097,152 bytes"),
    ],
)
def test_wrong_bodies_are_told(client, body, content_type, status, words):
    response = client.post("/api/v1/predict", data=body, content_type=content_type)

    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    assert words in response.json["detail"]


@pytest.mark.parametrize(
    ("body", "encoding", "status", "words"),
    [
        (b"hello", "gzip", 400, "no gzip"),
        (gzip.compress(b"x" * 784, mtime=0)[:-10], "gzip", 400, "cut off"),
        (gzip.compress(b"\0" * 50_000_000, mtime=0), "gzip", 413, "after unpacking"),
        (gzip.compress(b"", mtime=0) * 90_000, "gzip", 413, "at most 256 members"),
        (b"hello", "br", 415, "Known: gzip, deflate, identity"),
    ],
)
def test_wrong_encodings_are_told(client, body, encoding, status, words):
    response = client.post(
        "/api/v1/predict",
        data=body,
        content_type=OCTETS,
        headers={"Content-Encoding": encoding},
    )

    assert response.status_code == status
    assert words in response.json["detail"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/api/v1/models/nope/predict", "There is no model 'nope'. There is: digits."),
        ("/api/v1/models/digits/versions/7/predict", "has no version 7. It has: 1"),
        ("/api/v1/models/digits/versions/canary/predict", "It has: live, 1"),
    ],
)
def test_an_unknown_model_version_or_alias_is_told_with_those_that_exist(client, path, words):
    response = client.post(path, data=b"x" * 784, content_type=OCTETS)

    assert response.status_code == 404
    assert words in response.json["detail"]


def test_a_parser_is_used_again_after_every_kind_of_failure(client, pixels):
    for body, *_ in WRONG.values():
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        client.post("/api/v1/predict", data=body, content_type=JSON)

        response = client.post("/api/v1/predict", data=as_json(pixels), content_type=JSON)

        assert response.status_code == 200
