import subprocess
import sys

import pytest

from nncore.telemetry import spans_of, wanted
from tests.stack import ROOT

COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


@pytest.mark.parametrize(
    "environ", [COLLECTOR, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector/v1/traces"}]
)
def test_spans_are_sent_where_a_collector_is_named(environ):
    assert wanted(environ)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://collector/v1/metrics"},
        COLLECTOR | {"OTEL_SDK_DISABLED": "True"},
        COLLECTOR | {"OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_else_they_are_not(environ):
    assert not wanted(environ)


@pytest.mark.parametrize(("environ", "imported"), [({}, False), (COLLECTOR, True)])
def test_the_exporter_is_imported_only_where_a_collector_is_named(tmp_path, environ, imported):
    code = "import sys, service.wsgi; print('opentelemetry.exporter' in sys.modules)"

    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environ | {"INKWELL_STORE": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert told == f"{imported}\n"


def test_without_the_sdk_the_log_says_what_is_missing(monkeypatch, caplog):
    monkeypatch.delitem(sys.modules, "nncore.spans", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)

    assert spans_of("inkwell-service") is None
    assert "install inkwell-serving[otel]" in caplog.text
