"""Spans, as a collector gets them from real processes over OTLP/HTTP."""

import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from nncore.registry import Registry
from tests.conftest import publish
from tests.stack import Stack, children, wait_for

collector_messages = pytest.importorskip(
    "opentelemetry.proto.collector.trace.v1.trace_service_pb2",
    reason="OpenTelemetry is missing: install inkwell-serving[otel]",
)

pytestmark = pytest.mark.integration

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = (f"00-{TRACE}-{PARENT}-{flags}" for flags in ("01", "00"))
OCTETS = {"Content-Type": "application/octet-stream"}


class Collector(ThreadingHTTPServer):
    """Takes what is exported, as a collector does."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Taking)
        self.spans = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def take(self, body):
        request = collector_messages.ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            program = fields(resource.resource)["service.name"]
            for scope in resource.scope_spans:
                self.spans += [(program, span) for span in scope.spans]

    def named(self, name, program="inkwell-service"):
        return [span for by, span in list(self.spans) if (by, span.name) == (program, name)]

    def wait_for(self, name, program="inkwell-service"):
        return wait_for(lambda: self.named(name, program), what=f"the span {name!r}")


class Taking(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/traces":
            self.server.take(body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def fields(of):
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in of.attributes}


@pytest.fixture(scope="module")
def collector():
    server = Collector()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def traced(tmp_path_factory, collector):
    """A stack that sends its spans to the collector; one version is live."""
    running = Stack(
        tmp_path_factory.mktemp("stack"),
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_BSP_SCHEDULE_DELAY="100",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test",
    )
    publish(Registry(running.store))
    try:
        yield running.start()
    finally:
        running.stop()


def predict(stack, **headers):
    answer = stack.client.post("/api/v1/predict", content=bytes(784), headers=OCTETS | headers)
    assert answer.status_code == 200
    return answer


def test_a_job_s_span_hangs_on_that_of_the_request_that_posted_it(traced, collector):
    payload = {"model": "digits", "dataset": "digits", "epochs": 1}

    answer = traced.client.post("/api/v1/jobs", json=payload, headers={"traceparent": SAMPLED})
    job = traced.wait(answer.json()["id"])

    (run,) = collector.wait_for("train", "inkwell-worker")
    (posted,) = collector.wait_for("POST /api/v1/jobs")
    assert {run.trace_id.hex(), posted.trace_id.hex()} == {TRACE}
    assert posted.parent_span_id.hex() == PARENT
    assert run.parent_span_id == posted.span_id
    assert answer.headers["traceparent"] == f"00-{TRACE}-{posted.span_id.hex()}-01"
    assert posted.start_time_unix_nano < run.start_time_unix_nano < run.end_time_unix_nano
    told = fields(run)
    assert told["inkwell.job_id"] == job["id"]
    assert told["inkwell.outcome"] == "finished"
    assert told["inkwell.version"] == job["result"]["version"]
    assert fields(posted)["http.response.status_code"] == 202


def test_a_run_whose_process_dies_has_a_span_that_says_so(traced, collector):
    before = len(collector.named("train", "inkwell-worker"))
    job = traced.post(epochs=100_000)
    traced.wait_for_progress(job["id"])

    _, process = traced.horse(job["id"])
    os.kill(process, signal.SIGKILL)

    runs = wait_for(
        lambda: collector.named("train", "inkwell-worker")[before:], what="the span of the run"
    )
    assert runs[0].status.code == 2
    assert "SIGKILL" in runs[0].status.message
    assert fields(runs[0])["inkwell.outcome"] == "died"
    traced.client.post(f"/api/v1/jobs/{job['id']}/stop")


def test_a_prediction_s_span_tells_its_route_and_version_and_never_pixels(traced, collector):
    answer = predict(traced)

    _, trace_id, span_id, flags = answer.headers["traceparent"].split("-")
    (span,) = wait_for(
        lambda: [
            span
            for span in collector.named("POST /api/v1/predict")
            if span.span_id.hex() == span_id
        ],
        what="the span",
    )
    assert span.trace_id.hex() == trace_id
    assert int(flags, 16) & 1  # sampled
    assert fields(span) == {
        "http.request.method": "POST",
        "http.route": "/api/v1/predict",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "inkwell.request_id": answer.headers["X-Request-ID"],
        "inkwell.model": "digits",
        "inkwell.version": answer.json()["version"],
        "inkwell.rows": 1,
    }
    assert not collector.named("GET /livez")


def test_what_a_client_has_not_sampled_is_not_sent(traced, collector):
    predict(traced, traceparent=UNSAMPLED)
    answer = predict(traced)

    span_id = answer.headers["traceparent"].split("-")[2]
    wait_for(
        lambda: span_id in [span.span_id.hex() for _, span in list(collector.spans)],
        what="the later span",
    )
    assert not [s for s in collector.named("POST /api/v1/predict") if s.trace_id.hex() == TRACE]


def test_each_process_sends_what_it_has_answered_before_it_ends(tmp_path, collector):
    stack = Stack(
        tmp_path,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_BSP_SCHEDULE_DELAY="600000",
        OTEL_SERVICE_NAME="ending",
    )
    publish(Registry(stack.store))
    try:
        stack.start_service()
        gunicorn = stack.processes["service"].pid
        wait_for(lambda: len(children(gunicorn)) == 2, what="both processes")
        for _ in range(50):  # connections of their own: to both processes
            answer = httpx.post(
                f"{stack.url}/api/v1/predict", content=bytes(784), headers=OCTETS, timeout=60
            )
            assert answer.status_code == 200
        stack.kill("service", signal.SIGTERM)
    finally:
        stack.stop()

    assert len(collector.named("POST /api/v1/predict", "ending")) == 50


def test_a_collector_that_is_away_delays_nothing_that_is_asked(tmp_path):
    stack = Stack(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    try:
        stack.start()
        assert stack.train(epochs=1)["status"] == "finished"
        predict(stack)
    finally:
        stack.stop()
