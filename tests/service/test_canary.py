"""Several versions behind one alias: shares, and one that looks on."""

import threading
from collections import Counter

import numpy as np
import pytest

from nncore.targets import choose
from service import shadows as module
from service.shadows import Shadows
from tests.conftest import classifier_of, publish
from tests.service.dialect_forms import BYTES, NUMBERS
from tests.stack import wait_for

LIVE = "/api/v1/models/digits/aliases/live"
SHADOWS = "/api/v1/models/digits/shadows"
OCTETS = "application/octet-stream"


@pytest.fixture
def three(registry):
    """Versions 1, 2 and 3 of the default model; 1 is live."""
    for seed in range(3):
        publish(registry, seed=seed, live=seed == 0)


@pytest.fixture
def put(client, three, admin):
    return lambda **body: client.put(LIVE, json=body, headers=admin)


@pytest.fixture
def predict(client, pixels):
    def predict(request_id, rows=pixels):
        return client.post(
            "/api/v1/predict",
            data=rows.tobytes(),
            content_type=OCTETS,
            headers={"X-Request-ID": request_id},
        )

    return predict


@pytest.fixture
def shadow(client):
    """Return the findings when so many requests have been looked at."""

    def shadow(requests):
        def looked():
            found = client.get(SHADOWS).json["shadows"]
            return found if sum(line["requests"] for line in found) >= requests else None

        return wait_for(looked, what=f"{requests} requests in the shadow")

    return shadow


def test_which_version_answers_is_told_by_the_request_id_and_told_in_the_answer(put, predict):
    moved = put(split={"1": 0.5, "2": 0.5}, reason="a canary")

    assert (moved.json["version"], moved.json["split"]) == (1, {"1": 0.5, "2": 0.5})
    for i in range(40):
        answers = [predict(f"id-{i}") for _ in range(2)]
        expected = 1 + choose((0.5, 0.5), f"id-{i}")
        for response in answers:
            assert response.json["version"] == expected
            assert response.headers["X-Model-Version"] == str(expected)


def test_a_request_without_an_id_is_told_the_one_that_decided(put, client):
    put(split={"1": 0.5, "2": 0.5})

    for _ in range(20):
        response = client.post("/api/v1/predict", data=bytes(784), content_type=OCTETS)
        made = response.headers["X-Request-ID"]
        assert response.json["version"] == 1 + choose((0.5, 0.5), made)


def test_a_share_is_a_share(put, predict, pixels):
    put(split={"1": 0.9, "3": 0.1})

    counts = Counter(predict(f"id-{i}", pixels[:1]).json["version"] for i in range(400))

    assert set(counts) == {1, 3}
    assert 20 < counts[3] < 60


def test_what_a_share_answers_is_what_that_version_answers(put, predict, registry, pixels):
    put(split={"1": 0.5, "2": 0.5})

    for i in range(10):
        answer = predict(f"id-{i}").json
        expected = classifier_of(registry, answer["version"]).probabilities(pixels)
        found = np.array([p["probabilities"] for p in answer["predictions"]], np.float32)
        np.testing.assert_array_equal(found, expected)


def test_a_version_that_is_named_by_its_number_answers_whatever_is_split(put, client, pixels):
    put(split={"1": 0.5, "2": 0.5})

    versions = {
        client.post(
            "/api/v1/models/digits/versions/3/predict", data=bytes(784), content_type=OCTETS
        ).json["version"]
        for _ in range(5)
    }

    assert versions == {3}


def test_one_version_ends_the_split(put, predict):
    put(split={"1": 0.5, "2": 0.5}, shadow=3)
    ended = put(version=2).json

    assert (ended["split"], ended["shadow"], ended["previous"]) == (None, None, 1)
    assert {predict(f"id-{i}").json["version"] for i in range(20)} == {2}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/version"),
        ({"version": 1, "split": {"1": 0.5, "2": 0.5}}, "/version"),
        ({"split": {"1": 0.5, "2": 0.4}}, "/split"),
        ({"split": {"1": 1.0}}, "/split"),
        ({"split": "even"}, "/split"),
        ({"version": 1, "shadow": "9"}, "/shadow"),
        ({"shadow": 2}, "/version"),
    ],
)
def test_what_an_alias_cannot_name_is_told(put, predict, body, pointer):
    response = put(**body)

    assert response.status_code == 422
    assert response.json["errors"][0]["pointer"] == pointer
    assert predict("x").json["version"] == 1


@pytest.mark.parametrize("body", [{"split": {"1": 0.5, "9": 0.5}}, {"version": 1, "shadow": 9}])
def test_a_version_that_is_not_there_takes_no_share(put, predict, body):
    assert put(**body).status_code == 404
    assert predict("x").json["version"] == 1


def test_a_damaged_canary_is_refused_and_what_was_live_answers_on(put, predict, client, tmp_path):
    predict("before")
    put(split={"1": 0.5, "2": 0.5})
    weights = tmp_path / "store/models/digits/versions/2/weights.safetensors"
    weights.write_bytes(b"damaged")

    assert {predict(f"id-{i}").json["version"] for i in range(20)} == {1}
    assert "SHA-256" in client.get("/readyz").json["refused"][0]["reason"]


def test_a_damaged_shadow_disturbs_nothing(put, predict, client, tmp_path):
    put(version=2, shadow=3)
    weights = tmp_path / "store/models/digits/versions/3/weights.safetensors"
    weights.write_bytes(b"damaged")

    assert predict("x").json["version"] == 2
    assert client.get("/readyz").json["ready"]
    assert "Shadow 3" in client.get("/readyz").json["refused"][0]["reason"]


def test_a_shadow_changes_no_answer_and_its_agreement_is_counted(
    put, predict, shadow, registry, pixels
):
    before = predict("a").data
    put(version=1, shadow=2)

    answers = [predict(f"id-{i}").data for i in range(5)]

    assert set(answers) == {before}
    ours, others = (classifier_of(registry, n).predict(pixels) for n in (1, 2))
    agreed = int((ours == others).sum())
    (found,) = shadow(5)
    counts = [found[key] for key in ("version", "shadow", "requests", "rows", "agreed", "unseen")]
    assert counts == [1, 2, 5, 60, 5 * agreed, 0]
    assert found["agreement"] == agreed / 12


def test_the_pictures_on_which_a_shadow_disagrees_are_shown(put, predict, shadow, registry, pixels):
    put(version=1, shadow=2)
    predict("the-request")

    (found,) = shadow(1)
    one, two = (classifier_of(registry, n).probabilities(pixels) for n in (1, 2))
    rows = np.flatnonzero(one.argmax(axis=1) != two.argmax(axis=1))
    assert len(rows) > 0
    assert [picture["row"] for picture in found["disagreements"]] == rows.tolist()
    for picture, row in zip(found["disagreements"], rows, strict=True):
        assert picture["request_id"] == "the-request"
        assert picture["pixels"] == pixels[row].tolist()
        assert picture["answer"] == str(one[row].argmax())
        assert picture["shadow_answer"] == str(two[row].argmax())
        assert picture["shadow_probability"] == pytest.approx(float(two[row].max()))


def test_of_many_disagreements_the_latest_are_kept(put, predict, shadow, monkeypatch):
    monkeypatch.setattr(module, "MAX_PICTURES", 4)
    put(version=1, shadow=2)
    for i in range(3):
        predict(f"id-{i}")

    (found,) = shadow(3)
    assert len(found["disagreements"]) == 4
    assert {picture["request_id"] for picture in found["disagreements"]} <= {"id-1", "id-2"}


def test_where_a_split_and_a_shadow_go_together_each_pair_is_counted(put, predict, shadow):
    put(split={"1": 0.5, "2": 0.5}, shadow=3)
    for i in range(20):
        predict(f"id-{i}")

    found = shadow(20)
    assert sorted((line["version"], line["shadow"]) for line in found) == [(1, 3), (2, 3)]


def test_what_a_shadow_cannot_follow_goes_by_and_is_counted(put, predict, shadow, monkeypatch):
    monkeypatch.setattr(module, "MAX_WAITING_ROWS", 11)
    put(version=1, shadow=2)

    predict("twelve-rows")

    (found,) = shadow(1)
    assert (found["rows"], found["unseen"], found["agreement"]) == (0, 12, None)


def test_a_shadow_that_fails_ends_neither_the_answer_nor_the_looking_on(
    put, predict, shadow, monkeypatch, caplog
):
    put(version=1, shadow=2)
    real, failed = module.compare, threading.Event()

    def fail_once(*looks):
        if not failed.is_set():
            failed.set()
            raise MemoryError
        return real(*looks)

    monkeypatch.setattr(module, "compare", fail_once)

    assert predict("a").status_code == predict("b").status_code == 200
    (found,) = shadow(1)
    assert found["disagreements"][0]["request_id"] == "b"
    assert "Version 2 of 'digits' could not look on" in caplog.text


def test_findings_of_old_pairs_make_room_for_new_ones():
    looking = Shadows()
    for version in range(1, module.MAX_PAIRS + 3):
        looking._write({module.Pair("m", version, 99): {"requests": 1}})

    assert [line["version"] for line in looking.results("m")] == list(range(3, 11))
    assert looking.results("other") == []


@pytest.mark.parametrize(
    "name",
    [
        "V2, flat",
        "TensorFlow Serving, rows",
        "TensorFlow Serving, classify",
        "MLflow, instances",
        "TorchServe, JSON",
    ],
)
def test_every_dialect_says_which_version_of_a_split_spoke(put, client, pixels, name):
    put(split={"1": 0.5, "2": 0.5})
    form = (NUMBERS | BYTES)[name]

    for i in range(6):
        response = client.post(
            form.path,
            data=form.write(pixels),
            content_type=form.content_type,
            headers={"X-Request-ID": f"id-{i}"},
        )
        assert response.status_code == 200
        assert response.headers["X-Model-Version"] == str(1 + choose((0.5, 0.5), f"id-{i}"))
