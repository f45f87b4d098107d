"""Headers of every answer; the token of predictions."""

import dataclasses

import pytest

from service.app import create_app
from service.gunicorn_errors import error_bytes, error_parts
from service.routes import PREDICTING
from service.security_headers import HEADERS
from service.settings import Settings, SettingsError
from tests.service.conftest import TOKEN
from tests.service.test_dialects import concrete

OCTETS = "application/octet-stream"
PREDICT_TOKEN = "predict-é"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/predict"),  # answered in front of Flask
        ("GET", "/api/v1/models"),
        ("GET", "/livez"),
        ("GET", "/v2"),
        ("GET", "/api/v1/nowhere"),
        ("DELETE", "/api/v1/predict"),
        ("POST", "/api/v1/jobs"),
        ("GET", "/openapi.json"),
        ("GET", "/docs"),
        ("GET", "/"),
        ("GET", "/static/inkwell.css"),
        ("GET", "/nowhere"),
    ],
)
def test_every_answer_has_the_security_headers(client, live, method, path):
    with client.open(
        path, method=method, data=bytes(784), content_type=OCTETS, headers={"Accept": "text/html"}
    ) as response:
        headers = response.headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert len(headers.getlist("Content-Security-Policy")) == 1
    assert "Strict-Transport-Security" not in headers


@pytest.mark.parametrize("path", ["/api/v1/predict", "/livez", "/"])
def test_behind_tls_browsers_are_told_to_come_by_tls_only(client, live, path):
    method = "POST" if path == "/api/v1/predict" else "GET"

    headers = client.open(
        path, method=method, data=bytes(784), content_type=OCTETS, base_url="https://x"
    ).headers

    assert headers["Strict-Transport-Security"] == "max-age=31536000"


def test_what_the_server_refuses_itself_has_the_security_headers_too():
    answer = error_bytes(error_parts(400, "Bad Request", "", {}))
    head = answer.partition(b"\r\n\r\n")[0].decode()

    for name, value in HEADERS.items():
        assert f"{name}: {value}" in head


def predict(client, header, path="/api/v1/predict", method="POST"):
    # Headers are bytes; WSGI has each as the character of its number.
    as_wsgi = {} if header is None else {"HTTP_AUTHORIZATION": header.encode().decode("latin-1")}
    return client.open(
        path, method=method, data=bytes(784), content_type=OCTETS, environ_overrides=as_wsgi
    )


@pytest.fixture(params=["on", "off"], ids=["in front of Flask", "through Flask"])
def closed(settings, live, request):
    """A client of a service that wants a token for predictions."""
    closed = dataclasses.replace(settings, predict_token=PREDICT_TOKEN, fast_path=request.param)
    return create_app(closed).test_client()


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        ("", 401),
        ("Bearer", 401),
        ("Bearer  ", 401),
        (PREDICT_TOKEN, 401),
        (f"Basic {PREDICT_TOKEN}", 401),
        ("Bearer wrong", 403),
        (f"Bearer {PREDICT_TOKEN[:-1]}", 403),
        (f"Bearer {PREDICT_TOKEN}x", 403),
        (f"Bearer {PREDICT_TOKEN}, Bearer {PREDICT_TOKEN}", 403),  # sent twice
        (f"Bearer {PREDICT_TOKEN.upper()}", 403),
        ("Bearer \xa0", 403),
        (f"Bearer {PREDICT_TOKEN}", 200),
        (f"bearer   {PREDICT_TOKEN} ", 200),
        (f"Bearer {TOKEN}", 200),
    ],
)
def test_where_a_token_is_set_predicting_wants_it_or_the_admin_token(closed, header, status):
    response = predict(closed, header)

    assert response.status_code == status
    assert ("WWW-Authenticate" in response.headers) == (status == 401)


@pytest.mark.parametrize("route", PREDICTING, ids=lambda route: route.path)
def test_the_token_closes_every_dialect_before_anything_is_told(closed, route):
    path = concrete(route.path).replace("digits", "secret-model")

    for method in route.methods.split():
        response = predict(closed, None, path, method)
        assert response.status_code == 401
        assert b"secret-model" not in response.data


def test_the_token_of_predictions_changes_nothing(closed):
    response = closed.post("/api/v1/jobs", headers={"Authorization": "Bearer predict"}, json={})

    assert response.status_code == 403


def test_where_no_token_is_set_predicting_is_open_whatever_is_sent(client, live):
    for header in (None, "Bearer x", "Basic x"):
        assert predict(client, header).status_code == 200


def test_what_is_looked_at_stays_open(closed):
    for path in ("/livez", "/readyz", "/api/v1/models", "/v2/models/digits", "/"):
        assert closed.get(path).status_code == 200


def test_a_token_of_blanks_is_no_token_and_opens_nothing():
    with pytest.raises(SettingsError, match="INKWELL_PREDICT_TOKEN"):
        Settings.from_env({"INKWELL_PREDICT_TOKEN": " \n"})


def test_a_token_is_taken_without_the_line_end_of_its_file():
    assert Settings.from_env({"INKWELL_PREDICT_TOKEN": "secret\n"}).predict_token == "secret"
    assert Settings.from_env({"INKWELL_PREDICT_TOKEN": ""}).predict_token is None
