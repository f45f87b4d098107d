"""Lines of the log and traces: what is told of a request, and what of it goes on."""

import dataclasses
import json
import logging
import re

import pytest

from nncore import logs
from nncore.logs import JsonFormatter
from nncore.traces import Trace
from service.app import create_app

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
FORM = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@pytest.fixture(params=["on", "off"])
def app(request, settings, live):
    return create_app(dataclasses.replace(settings, fast_path=request.param, log="json"))


@pytest.fixture
def lines(caplog):
    """Return the lines of the log as JSON objects."""
    caplog.set_level(logging.INFO)
    formatter, written = JsonFormatter(), []

    class Kept(logging.Handler):
        def emit(self, record):
            written.append(json.loads(formatter.format(record)))

    handler = Kept()
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)
    logs.bind()


def test_every_request_has_a_line_that_tells_of_it_but_not_what_was_in_it(client, pixels, lines):
    headers = {
        "Content-Type": "application/octet-stream",
        "X-Request-ID": "mine",
        "traceparent": PARENT,
    }
    client.post("/api/v1/predict", data=pixels.tobytes(), headers=headers)

    line = next(line for line in lines if line["msg"] == "Answered.")
    assert line.pop("duration_ms") > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("ts"))
    assert line == {
        "level": "info",
        "logger": "service.observing",
        "msg": "Answered.",
        "request_id": "mine",
        "trace_id": TRACE,
        "method": "POST",
        "route": "/api/v1/predict",
        "status": 200,
        "model": "digits",
        "version": 1,
        "rows": len(pixels),
    }


def test_all_lines_that_a_request_causes_have_its_ids(client, lines):
    client.get("/api/v1/jobs", headers={"X-Request-ID": "mine", "traceparent": PARENT})

    caused = [line for line in lines if line["logger"] == "service.problems"]
    assert [(line["request_id"], line["trace_id"]) for line in caused] == [("mine", TRACE)]


def test_probes_have_no_line(client, lines):
    client.get("/livez")
    client.get("/metrics")

    assert not [line for line in lines if line["msg"] == "Answered."]


def test_in_text_no_request_has_a_line(settings, live, lines):
    create_app(settings).test_client().get("/api/v1/models")

    assert not lines


def test_a_trace_goes_on_in_the_answer(client, pixels):
    for path, data in (("/api/v1/predict", pixels.tobytes()), ("/api/v1/models", None)):
        method = "POST" if data else "GET"
        response = client.open(path, method=method, data=data, headers={"traceparent": PARENT})

        answered = Trace.read(response.headers["traceparent"])
        assert answered.trace_id == TRACE
        assert answered.span_id != Trace.read(PARENT).span_id
        assert answered.flags == "01"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        PARENT.upper(),
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"{PARENT}-more",
    ],
)
def test_what_is_no_traceparent_begins_a_trace_of_ours(client, header):
    answered = client.get("/livez", headers={"traceparent": header}).headers["traceparent"]

    assert FORM.fullmatch(answered)
    assert TRACE not in answered


def test_a_later_version_of_traceparent_is_understood(client):
    headers = {"traceparent": f"cc-{TRACE}-00f067aa0ba902b7-01-what-the-future-brings"}

    answered = client.get("/livez", headers=headers).headers["traceparent"]

    assert answered.startswith(f"00-{TRACE}-")
