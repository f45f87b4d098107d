"""The client as a program or a notebook uses it: results, jobs, trying again, async."""

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import inkwell
from inkwell import AsyncClient, Client, NotFinished, ServiceError, ServiceUnreachable

ROW = {"label": "<7>", "probability": 0.75, "probabilities": [0.25, 0.75]}
ANSWER = {"model": "digits", "version": 3, "labels": ["1", "<7>"], "predictions": [ROW, ROW]}
PREDICT = "POST /api/v1/predict"


def job(status: str, **more: Any) -> dict[str, Any]:
    config = {"model": "digits", "dataset": "digits"}
    whole = {"id": "j1", "status": status, "config": config, "result": None, "error": None}
    return {**whole, "history": [], **more}


@pytest.fixture
def client(service: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    waits: list[float] = []
    monkeypatch.setattr("inkwell.client.time.sleep", waits.append)
    with Client(service.url, "token") as client:
        client.waits = waits  # type: ignore[attr-defined]
        yield client


def test_predictions_are_a_sequence_that_knows_who_spoke(service: Any, client: Client) -> None:
    service.on(PREDICT, ANSWER)

    predictions = client.predict(np.zeros((2, 784), np.uint8))

    assert (predictions.model, predictions.version, len(predictions)) == ("digits", 3, 2)
    assert predictions[1].label == "<7>"
    assert [row.probability for row in predictions] == [0.75, 0.75]
    assert repr(predictions) == "<2 predictions by digits version 3: <7> <7>>"


def test_what_draws_itself_in_a_notebook_escapes_what_came(service: Any, client: Client) -> None:
    service.on(PREDICT, ANSWER)
    service.on("GET /api/v1/jobs/j1", job("failed", error="<script>"))

    drawn = [client.predict(b"[0]")._repr_html_(), client.find_job("j1")._repr_html_()]

    assert "<table>" in drawn[0]
    assert "&lt;7&gt;" in drawn[0]
    assert "&lt;script&gt;" in drawn[1]
    assert not any("<7>" in html or "<script>" in html for html in drawn)


def test_predicting_is_tried_again_while_the_service_is_away(service: Any, client: Client) -> None:
    service.on(PREDICT, {"detail": "Busy."}, 503, Retry_After="3")
    service.on(PREDICT, {"detail": "Busy."}, 429)
    service.on(PREDICT, ANSWER)

    assert len(client.predict(b"[0]")) == 2

    assert client.waits == [3.0, 0.2]  # type: ignore[attr-defined]


def test_it_gives_up_after_a_while_and_says_what_was_said(service: Any, client: Client) -> None:
    service.on(PREDICT, {"detail": "Busy."}, 503)

    with pytest.raises(ServiceError, match=r"Busy\."):
        client.predict(b"[0]")

    assert len(service.requests) == 3


def test_what_the_service_refuses_is_not_sent_again(service: Any, client: Client) -> None:
    service.on(PREDICT, {"detail": "783 values."}, 422)

    with pytest.raises(ServiceError):
        client.predict(b"[0]")

    assert len(service.requests) == 1


def test_moves_and_orders_are_never_sent_twice(service: Any, client: Client) -> None:
    for call in (
        "PUT /api/v1/models/digits/aliases/live",
        "POST /api/v1/models/digits/rollback",
        "POST /api/v1/jobs/j1/stop",
    ):
        service.on(call, {"detail": "Busy."}, 503)

    for change in (
        lambda: client.promote("digits", 2),
        lambda: client.rollback("digits"),
        lambda: client.order("j1", "stop"),
    ):
        with pytest.raises(ServiceError):
            change()

    assert len(service.requests) == 3


def test_a_job_that_is_posted_again_has_the_same_key(service: Any, client: Client) -> None:
    service.on("POST /api/v1/jobs", {"detail": "Busy."}, 503)
    service.on("POST /api/v1/jobs", job("queued"), 202)

    client.train(epochs=3)
    client.train(epochs=3)

    first, again, other = [headers["Idempotency-Key"] for _, headers, _ in service.requests]
    assert first == again != other


def test_a_job_is_waited_for_and_its_history_is_live(service: Any, client: Client) -> None:
    result = {"version": 4, "test_accuracy": 0.98}
    lines = [{"epoch": 1, "validation_accuracy": 0.5}, {"epoch": 2, "validation_accuracy": 0.75}]
    service.on("POST /api/v1/jobs", job("queued"), 202)
    service.on("GET /api/v1/jobs/j1", job("started", history=lines[:1]))
    service.on("GET /api/v1/jobs/j1", job("started", history=lines))
    service.on("GET /api/v1/jobs/j1", job("finished", history=lines, result=result))

    run = client.train(preset="lenet")

    assert run.history == lines[:1]
    assert run.wait().result == result
    assert run.history == lines
    assert "version 4 reads 98.00% right" in run._repr_html_()
    assert "<polyline" in run._repr_html_()


@pytest.mark.parametrize("status", ["failed", "stopped", "canceled"])
def test_a_job_that_does_not_finish_is_an_error(service: Any, client: Client, status: str) -> None:
    service.on("GET /api/v1/jobs/j1", job(status, error="No room"))

    with pytest.raises(NotFinished, match=f"Job j1 {status}: No room"):
        client.find_job("j1").wait()


def test_waiting_too_long_is_an_error(service: Any, client: Client) -> None:
    service.on("GET /api/v1/jobs/j1", job("started"))

    with pytest.raises(NotFinished, match="still started"):
        client.find_job("j1").wait(timeout=0)


def test_the_address_comes_from_the_environment(
    service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INKWELL_URL", service.url)
    monkeypatch.setenv("INKWELL_ADMIN_TOKEN", "of the environment")
    service.on("GET /api/v1/models", {"models": []})

    with Client() as client:
        client.models()

    assert service.requests[0][1]["Authorization"] == "Bearer of the environment"


def test_the_async_client_speaks_as_the_other(service: Any) -> None:
    manifest = {"model": "digits", "version": 2, "metrics": {"test_accuracy": 0.9}}
    more = {"dataset": {"name": "mnist"}, "aliases": ["live"], "created_at": "2026"}
    service.on(PREDICT, {"detail": "Busy."}, 503)
    service.on(PREDICT, ANSWER)
    service.on("POST /api/v1/jobs", job("queued"), 202)
    service.on("GET /api/v1/jobs/j1", job("finished", result={"version": 2}))
    service.on("POST /api/v1/jobs/j1/stop", job("stopped"), 202)
    service.on("GET /api/v1/models/digits/versions/live", manifest | more)

    async def speak() -> None:
        async with AsyncClient(service.url) as client:
            both = await asyncio.gather(client.predict(b"[0]"), client.predict(b"[1]"))
            assert [len(predictions) for predictions in both] == [2, 2]
            run = await client.train(epochs=1)
            assert (await run.wait()).result == {"version": 2}
            assert (await run.stop()).status == "stopped"
            version = await client.version("digits")
            assert (version.version, version.test_accuracy) == (2, 0.9)
            assert "90.00%" in version._repr_html_()

    asyncio.run(speak())


def test_an_async_client_without_a_service_says_so(free_port: int) -> None:
    async def ask() -> None:
        async with AsyncClient(f"http://127.0.0.1:{free_port}", retries=0) as client:
            await client.models()

    with pytest.raises(ServiceUnreachable, match="No service at"):
        asyncio.run(ask())


def test_the_package_has_what_it_names_and_nothing_else() -> None:
    for name in inkwell.__all__:
        assert getattr(inkwell, name)
    with pytest.raises(AttributeError, match="no attribute 'Klient'"):
        _ = inkwell.Klient
