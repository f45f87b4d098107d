"""Predictions are answered in front of Flask, and cannot be told from those that Flask answers."""

import dataclasses
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import request

from nncore.classifier import Classifier
from service import predictor
from service.app import create_app
from service.routes import PREDICTING, ROUTES
from tests.service.test_dialects import concrete

ROW = b'{"instances": [%b]}' % str([7] * 784).encode()
HEADERS = {"X-Request-ID": "mine", "Content-Type": "application/json"}


@pytest.fixture
def both(settings, live):
    """A client of the service as it is, and one of it where Flask answers everything."""
    apps = [create_app(dataclasses.replace(settings, fast_path=on)) for on in ("on", "off")]
    return [app.test_client() for app in apps]


@pytest.fixture
def seen_by_flask(app):
    """The paths of the requests that came as far as Flask."""
    paths = []

    @app.before_request
    def note():
        paths.append(request.path)

    return paths


def told(response):
    others = ("Server-Timing", "traceparent")
    headers = {key: value for key, value in response.headers.items() if key not in others}
    return response.status_code, headers, response.data


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/api/v1/predict", ROW, {}),
        ("/api/v1/predict?top_k=2&outputs=label,top_k", ROW, {}),
        ("/api/v1//predict", ROW, {}),
        ("/api/v1/predict/", ROW, {}),
        ("/v1/models/digits:predict", ROW, {}),
        ("/predictions/digits/1", ROW, {}),
        ("/invocations", ROW, {"Content-Type": "application/json; charset=utf-8"}),
        ("/api/v1/models/nope/predict", ROW, {}),
        ("/api/v1/models/h\xe9/predict", ROW, {}),
        ("/api/v1/models/digits/versions/9/predict", ROW, {}),
        ("/api/v1/predict", b"{", {}),
        ("/invocations", b"{", {}),
        ("/api/v1/predict", bytes(3 * 2**20), {}),
        ("/api/v1/predict", ROW, {"Content-Type": "text/plain"}),
        ("/api/v1/predict", ROW, {"Content-Encoding": "br"}),
        ("/api/v1/nowhere", ROW, {}),
    ],
)
def test_both_ways_give_the_same_answer_and_the_same_headers(both, path, body, headers):
    fast, flask = [client.post(path, data=body, headers={**HEADERS, **headers}) for client in both]

    assert told(fast) == told(flask)
    assert fast.headers["X-Request-ID"] == "mine"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE"])
def test_another_method_is_told_of_in_the_same_way(both, method):
    fast, flask = [
        client.open("/api/v1/predict", method=method, headers=HEADERS) for client in both
    ]

    assert told(fast) == told(flask)


@pytest.mark.parametrize("route", PREDICTING, ids=lambda route: route.path)
def test_every_address_that_predicts_is_answered_in_front_of_flask(
    client, live, seen_by_flask, route
):
    path = concrete(route.path)
    tensor = {"name": "images", "datatype": "UINT8", "shape": [1, 784], "data": [7] * 784}
    body = {"inputs": [tensor]} if path.startswith("/v2") else None
    body = body or {"examples" if "classify" in path else "instances": [[7] * 784]}

    assert client.post(path, json=body).status_code == 200
    assert seen_by_flask == []


def test_every_other_address_is_flask_s(client, live, seen_by_flask):
    others = [concrete(r.path) for r in ROUTES if r not in PREDICTING and r.methods == "GET"]

    for path in others:
        client.get(path)

    assert seen_by_flask == others


def test_a_prediction_that_went_wrong_is_counted_once(client, live):
    client.post("/api/v1/predict", data=b"{", headers=HEADERS)

    (version,) = client.get("/v2/models/digits/stats").json["model_stats"]
    assert version["inference_stats"]["fail"]["count"] == 1


def test_an_unforeseen_fault_is_told_and_logged_under_its_request_id(
    client, live, app, monkeypatch, caplog
):
    def fail(*args):
        raise ZeroDivisionError("of a test")

    monkeypatch.setattr(app.extensions["predictor"], "answer", fail)
    with caplog.at_level(logging.ERROR):
        response = client.post("/api/v1/predict", data=ROW, headers=HEADERS)

    assert (response.status_code, response.json["request_id"]) == (500, "mine")
    assert "of a test" in caplog.text


@pytest.mark.parametrize(("rows", "together"), [(2, 1), (3, 2)])
def test_short_requests_are_answered_one_at_a_time_and_wait_for_no_long_one(
    app, live, monkeypatch, rows, together
):
    app.extensions["predictor"].default()  # loads, and tries what it has loaded
    monkeypatch.setattr(Classifier, "rows_at_once", 1)
    monkeypatch.setattr(predictor, "ROWS_OF_A_TURN", 2)
    probabilities, under_way, most = Classifier.probabilities, [], []
    both = threading.Barrier(together)

    def slowly(classifier, pixels):
        under_way.append(pixels)
        both.wait(60)
        time.sleep(0.05)
        most.append(len(under_way))
        under_way.pop()
        return probabilities(classifier, pixels)

    monkeypatch.setattr(Classifier, "probabilities", slowly)

    def ask(_):
        octets = {"Content-Type": "application/octet-stream"}
        return app.test_client().post("/api/v1/predict", data=bytes(784 * rows), headers=octets)

    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(ask, range(4)))

    assert [answer.status_code for answer in answers] == [200] * 4
    assert max(most) == together
