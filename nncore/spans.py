"""Spans: what took how long, sent to a collector by OpenTelemetry's SDK and its own variables."""

import os
import threading
from collections.abc import Mapping
from importlib.metadata import version

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.trace import Span as SdkSpan
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from nncore.traces import HEADER, Trace

# A collector that is away holds nobody up for longer: a worker between two jobs, a process that is
# to end.
SECONDS_TO_SEND = 2

Fields = Mapping[str, str | int]


class Span:
    """Something that is under way."""

    def __init__(self, span: SdkSpan) -> None:
        self._span = span

    @property
    def trace(self) -> Trace:
        """The trace, with this as the span that is under way."""
        told = self._span.get_span_context()
        return Trace(f"{told.trace_id:032x}", f"{told.span_id:016x}", f"{told.trace_flags:02x}")

    def end(self, name: str, fields: Fields, error: str | None = None) -> None:
        """Tell what it was, and what went wrong, if something did."""
        self._span.update_name(name)
        self._span.set_attributes(fields)
        if error is not None:
            self._span.set_status(Status(StatusCode.ERROR, error))
        self._span.end()


class Spans:
    """Sends the spans of a program, from every process that is forked from the one it is made in.

    Parameters
    ----------
    program : str
        Its name where the environment gives none.
    at_once : bool
        Whether a span is sent, and waited for, when it ends. Else a thread sends them in batches;
        a process that forks had better have none.
    """

    def __init__(self, program: str, *, at_once: bool = False) -> None:
        self._program = program
        self._processor = SimpleSpanProcessor if at_once else BatchSpanProcessor
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._tracer: Tracer | None = None

    def begin(self, kind: str, traceparent: str) -> Span:
        """Begin a span of the trace that a ``traceparent`` tells of, else of a new one.

        ``kind`` is the name of one of OpenTelemetry's: ``SERVER``, ``CONSUMER``.
        """
        told = {HEADER: traceparent} if traceparent else {}
        context = TraceContextTextMapPropagator().extract(told, Context())
        return Span(self._of_this_process().start_span("", context, SpanKind[kind]))

    def _of_this_process(self) -> Tracer:
        """Return the tracer; threads do not outlive a fork, so each process has its own."""
        with self._lock:
            if self._tracer is None or self._owner != os.getpid():
                self._tracer = self._provider().get_tracer("inkwell")
                self._owner = os.getpid()
            return self._tracer

    def _provider(self) -> TracerProvider:
        ours = {"service.name": self._program, "service.version": version("inkwell-serving")}
        resource = Resource.create(ours).merge(OTELResourceDetector().detect())
        provider = TracerProvider(resource=resource)
        provider.add_span_processor(self._processor(OTLPSpanExporter(timeout=SECONDS_TO_SEND)))
        return provider
