"""Versions as files: weights and exports, downloaded as a person would."""

import hashlib
import io
import json

import numpy as np
import pytest
from safetensors.numpy import load

from nncore.layers import Dense, ReLU
from nncore.network import Network
from tests.conftest import classifier_of, publish

LIVE = "/api/v1/models/digits/versions/live"
FILES = [f"{LIVE}/weights", f"{LIVE}/export?format=onnx", f"{LIVE}/export?format=npz"]


def test_the_weights_come_as_they_lie_in_the_store(client, live, settings):
    response = client.get(f"{LIVE}/weights")

    stored = (settings.store / "models/digits/versions/1/weights.safetensors").read_bytes()
    assert (response.status_code, response.data) == (200, stored)
    assert response.mimetype == "application/octet-stream"
    assert response.content_length == len(stored)
    assert response.headers["Content-Disposition"] == "attachment; filename=digits-v1.safetensors"
    assert response.headers["ETag"] == f'"{hashlib.sha256(stored).hexdigest()}"'


def test_downloaded_weights_fit_a_network_of_the_same_layers(client, live, registry, pixels):
    network = Network([Dense(32), ReLU(), Dense(10)], (784,))

    network.from_tensors(load(client.get(f"{LIVE}/weights").data))

    np.testing.assert_array_equal(network.params, registry.load("digits", 1).network.params)


def test_the_exported_onnx_model_answers_as_the_service_does(client, live, pixels):
    onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX is not installed (make peers)")
    response = client.get(f"{LIVE}/export?format=onnx")

    model = onnxruntime.InferenceSession(response.data, providers=["CPUExecutionProvider"])
    p, label = model.run(["probabilities", "label"], {"images": pixels.astype(np.float32)})

    body = client.post(
        f"{LIVE}/predict", data=pixels.tobytes(), content_type="application/octet-stream"
    ).json
    manifest = json.loads(model.get_modelmeta().custom_metadata_map["manifest"])
    np.testing.assert_allclose(p, [row["probabilities"] for row in body["predictions"]], atol=1e-5)
    assert [manifest["labels"][i] for i in label] == [row["label"] for row in body["predictions"]]
    assert response.headers["Content-Disposition"] == "attachment; filename=digits-v1.onnx"
    assert response.mimetype == "application/octet-stream"


def test_the_exported_npz_holds_the_arrays_and_the_manifest(client, live, registry, pixels):
    response = client.get(f"{LIVE}/export?format=npz")

    with np.load(io.BytesIO(response.data), allow_pickle=False) as file:
        manifest = json.loads(str(file["manifest"]))
        x = np.maximum(pixels / 255 @ file["0.weight"].T + file["0.bias"], 0)
        logits = x @ file["2.weight"].T + file["2.bias"]

    np.testing.assert_array_equal(logits.argmax(axis=1), classifier_of(registry, 1).predict(pixels))
    assert manifest == registry.manifest("digits", 1).to_dict()
    assert [layer["type"] for layer in manifest["layers"]] == ["dense", "relu", "dense"]
    assert response.headers["Content-Disposition"] == "attachment; filename=digits-v1.npz"


@pytest.mark.parametrize("path", FILES)
def test_a_client_that_has_the_file_is_sent_nothing_until_another_version_is_live(
    client, live, registry, path
):
    first = client.get(path)

    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    publish(registry, seed=1)
    after = client.get(path, headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.data) == (304, b"")
    assert after.status_code == 200
    assert "digits-v2." in after.headers["Content-Disposition"]
    assert after.headers["Cache-Control"] == "no-cache"  # ask again: an alias may move


@pytest.mark.parametrize("path", FILES)
def test_a_download_that_broke_off_goes_on_where_it_stopped(client, live, path):
    whole = client.get(path)

    rest = client.get(path, headers={"Range": "bytes=1000-", "If-Range": whole.headers["ETag"]})

    assert rest.status_code == 206
    assert rest.data == whole.data[1000:]


def test_head_tells_the_size_without_the_file(client, live):
    response = client.head(f"{LIVE}/weights")

    assert (response.status_code, response.data) == (200, b"")
    assert response.content_length == len(client.get(f"{LIVE}/weights").data)


@pytest.mark.parametrize("reference", ["1", "live"])
def test_a_version_goes_by_its_number_or_by_an_alias(client, registry, reference):
    publish(registry, seed=1)
    publish(registry, seed=2, live=False)

    response = client.get(f"/api/v1/models/digits/versions/{reference}/weights")

    assert "digits-v1.safetensors" in response.headers["Content-Disposition"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "Unknown format ''."),
        ("?format=", "Unknown format ''."),
        ("?format=onxx", "Did you mean 'onnx'?"),
        ("?format=pickle", "Unknown format 'pickle'."),
    ],
)
def test_an_unknown_format_is_told_with_the_known_ones(client, live, query, words):
    response = client.get(f"{LIVE}/export{query}")

    assert response.status_code == 422
    assert response.json["type"] == "urn:inkwell:problem:unknown-format"
    assert words in response.json["detail"]
    assert "Known: npz, onnx." in response.json["detail"]


@pytest.mark.parametrize("file", ["weights", "export?format=onnx", "export?format=npz"])
@pytest.mark.parametrize(
    "version", ["nope/versions/1", "digits/versions/7", "digits/versions/best", "%2e%2e/versions/1"]
)
def test_a_version_that_is_not_there_is_a_problem_document(client, live, version, file):
    response = client.get(f"/api/v1/models/{version}/{file}")

    assert response.status_code == 404
    assert response.mimetype == "application/problem+json"


@pytest.mark.parametrize("path", FILES)
def test_a_damaged_version_is_not_handed_out(client, live, settings, path):
    weights = settings.store / "models/digits/versions/1/weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\xff")

    response = client.get(path)

    assert response.status_code == 503
    assert response.json["type"] == "urn:inkwell:problem:version-refused"
    assert "SHA-256" in response.json["detail"]


def test_a_range_beyond_the_end_is_a_problem_document(client, live):
    response = client.get(f"{LIVE}/weights", headers={"Range": "bytes=99999999-"})

    assert response.status_code == 416
    assert response.mimetype == "application/problem+json"


def test_the_report_of_a_version_is_listed_and_its_files_come_with_their_types(
    client, live, registry
):
    files = {"verdict.json": b'{"promote": true}', "loss.png": b"\x89PNG", "odd": b"?"}
    registry.add_report("digits", 1, files)

    listed = client.get(f"{LIVE}/report").json["files"]
    answers = {name: client.get(f"{LIVE}/report/{name}") for name in listed}

    assert listed == ["loss.png", "odd", "verdict.json"]
    assert {name: a.data for name, a in answers.items()} == files
    assert [a.mimetype for a in answers.values()] == [
        "image/png",
        "application/octet-stream",
        "application/json",
    ]
    etag = {"If-None-Match": answers["loss.png"].headers["ETag"]}
    assert client.get(f"{LIVE}/report/loss.png", headers=etag).status_code == 304


@pytest.mark.parametrize("name", ["nope.png", "..%2fmanifest.json", "%2e%2e", ".hidden"])
def test_a_file_that_is_not_in_the_report_is_told_with_those_that_are(
    client, live, registry, settings, name
):
    registry.add_report("digits", 1, {"loss.png": b"\x89PNG"})
    (settings.store / "models/digits/versions/1/report/.hidden").touch()

    response = client.get(f"{LIVE}/report/{name}")

    assert response.status_code == 404
    assert response.mimetype == "application/problem+json"


def test_a_version_without_a_report_has_an_empty_one(client, live):
    assert client.get(f"{LIVE}/report").json == {"files": []}


def test_a_version_tells_how_it_was_judged(client, live, registry):
    before = client.get(LIVE).json["verdict"]
    registry.add_report("digits", 1, {"verdict.json": b'{"promote": true, "p_value": 0.01}'})
    after = client.get(LIVE).json["verdict"]
    registry.add_report("digits", 1, {"verdict.json": b"damaged"})

    assert (before, after) == (None, {"promote": True, "p_value": 0.01})
    assert client.get(LIVE).json["verdict"] is None
