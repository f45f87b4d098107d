import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from inkwell.client import Client, ServiceError, ServiceUnreachable
from inkwell.errors import InkwellError


@pytest.fixture
def client(service: Any) -> Iterator[Client]:
    with Client(service.url, "token", timeout=60, retries=0) as client:
        yield client


def test_a_service_that_is_not_there_is_one_line_with_the_way_out(free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}"

    with Client(url) as client, pytest.raises(ServiceUnreachable) as refused:
        client.models()

    line = f"No service at {url}: start one with `inkwell up` or set INKWELL_URL"
    assert str(refused.value) == line


def test_a_service_that_does_not_answer_in_time_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"

        with (
            Client(url, timeout=0.2) as client,
            pytest.raises(ServiceUnreachable, match="did not answer in time"),
        ):
            client.models()


def test_a_problem_is_carried_whole(service: Any, client: Client) -> None:
    problem = {
        "title": "Unprocessable Content",
        "detail": "The config is not valid",
        "errors": [{"pointer": "/epochs", "detail": "must be at least 1, got 0"}],
        "request_id": "r1",
    }
    service.on("POST /api/v1/jobs", problem, 422)

    with pytest.raises(ServiceError) as refused:
        client.post_job({"epochs": 0})

    error = refused.value
    assert (error.status, error.title, error.detail) == (422, problem["title"], problem["detail"])
    assert (error.errors, error.request_id) == (problem["errors"], "r1")
    assert str(error) == "The config is not valid: /epochs must be at least 1, got 0"


def test_a_busy_service_says_when_to_come_again(service: Any, client: Client) -> None:
    service.on("GET /api/v1/jobs", {"title": "Service Unavailable"}, 503, Retry_After="2")

    with pytest.raises(ServiceError) as refused:
        client.jobs()

    assert refused.value.retry_after == "2"
    assert str(refused.value) == "Service Unavailable (503)"


def test_an_error_without_a_problem_is_told_by_its_status(service: Any, client: Client) -> None:
    service.on("GET /api/v1/models", b"<html>proxy</html>", 502)

    with pytest.raises(ServiceError, match=r"^Bad Gateway \(502\)$"):
        client.models()


def test_another_server_at_the_address_is_noticed(service: Any, client: Client) -> None:
    service.on("GET /api/v1/models", b"<html>hello</html>")

    with pytest.raises(ServiceUnreachable, match="is not Inkwell"):
        client.models()


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://ink.example", "http://", "", "http://a:b"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InkwellError, match="must look like http"):
        Client(url)


def test_the_token_is_sent_as_a_bearer(service: Any, client: Client) -> None:
    service.on("PUT /api/v1/models/digits/aliases/live", {"version": 3})

    client.promote("digits", 3, reason="better")

    _, headers, body = service.requests[-1]
    assert headers["Authorization"] == "Bearer token"
    assert json.loads(body) == {"version": 3, "reason": "better"}


def test_predict_sends_the_bytes_as_they_are(service: Any, client: Client) -> None:
    service.on("POST /api/v1/models/digits/versions/live/predict", {"predictions": []})

    client.post_pixels(b"\x00\xff", "application/octet-stream", model="digits", version="live")

    _, headers, body = service.requests[-1]
    assert (headers["Content-Type"], body) == ("application/octet-stream", b"\x00\xff")


@pytest.mark.parametrize(
    ("name", "path"), [("a/b", "a%2Fb"), ("..", "%2E%2E"), ("a?b", "a%3Fb"), ("é", "%C3%A9")]
)
def test_a_name_stays_one_part_of_the_path(
    service: Any, client: Client, name: str, path: str
) -> None:
    service.on(f"GET /api/v1/models/{path}/versions", {"versions": []})

    assert client.versions(name) == {"versions": []}


def test_live_is_false_and_no_error_where_nobody_answers(free_port: int) -> None:
    with Client(f"http://127.0.0.1:{free_port}") as client:
        assert not client.live()


def test_ready_follows_the_status(service: Any, client: Client) -> None:
    service.on("GET /readyz", {"ready": False}, 503)
    service.on("GET /readyz", {"ready": True})

    assert [client.ready(), client.ready()] == [False, True]


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    service: Any, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port}")
    service.on("GET /livez", {"status": "ok"})

    with Client(service.url) as client:
        assert client.live()
