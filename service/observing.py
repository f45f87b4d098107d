"""What is seen of every request, whichever door it takes: its counts, its line, its trace."""

import logging
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask, request

from nncore import logs
from nncore.arrays import Ints
from nncore.logs import with_fields
from nncore.traces import HEADER, Trace, continued
from service.bodies import Environ
from service.request_ids import request_id
from service.shared_counts import SharedCounts

if TYPE_CHECKING:
    from nncore.spans import Span, Spans

log = logging.getLogger(__name__)

# Upper edges of how long a request took, in seconds.
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
NOWHERE = "none"  # where there is no route
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"))
UNSEEN = frozenset(("/livez", "/readyz", "/metrics"))  # asked all the time, by machines
NS = 1_000_000_000

_REQUESTS, _EVENTS = "requests", "events"  # the first parts of the keys
_OBSERVATION = "inkwell.observation"  # in the environment


class Observation:
    """What a request turns out to be, while it is answered."""

    __slots__ = ("model", "route", "rows", "trace", "version")

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.route = NOWHERE
        self.model = ""
        self.version = ""
        self.rows = 0


def observation(environ: Environ) -> Observation:
    """Return the observation of a request, the same at each call."""
    found: Observation | None = environ.get(_OBSERVATION)
    if found is None:
        found = environ[_OBSERVATION] = Observation(continued(environ.get("HTTP_TRACEPARENT", "")))
    return found


class Seen(NamedTuple):
    """Requests of one kind: how many, and how long they took.

    ``kind`` has their method, route, status, model and version; ``durations`` how many fall under
    each of `SECONDS` and above the one before, last those above all.
    """

    kind: tuple[str, ...]
    durations: Ints  # int64 (len(SECONDS) + 1,)
    ns: int


class Requests:
    """The requests to all processes that come from this one by forking."""

    def __init__(self, shared: SharedCounts) -> None:
        self._shared = shared

    def add(self, method: str, status: str, seen: Observation, ns: int) -> None:
        """Count a request."""
        method = method if method in METHODS else "other"
        key = (_REQUESTS, method, seen.route, status, seen.model, seen.version)
        bucket = bisect_left(SECONDS, ns / NS)
        self._shared.add(key, len(SECONDS) + 2, ((bucket, 1), (len(SECONDS) + 1, ns)), 0)

    def happened(self, event: str, *labels: str) -> None:
        """Count something that happens but is no request that was answered."""
        self._shared.add((_EVENTS, event, *labels), 1, ((0, 1),), 0)

    def seen(self) -> list[Seen]:
        """Return what was counted, a line a kind."""
        return [
            Seen(key[1:], row.numbers[:-1], int(row.numbers[-1]))
            for key, row in self._shared.totals().items()
            if key[0] == _REQUESTS
        ]

    def events(self, event: str) -> dict[tuple[str, ...], int]:
        """Return how often an event happened, by its labels."""
        return {
            key[2:]: int(row.numbers[0])
            for key, row in self._shared.totals().items()
            if key[:2] == (_EVENTS, event)
        }


class Observed:
    """A WSGI application in front of another, which sees all requests.

    Of an answer that goes on, such as a job's events, the time until it begins is taken.
    """

    def __init__(
        self,
        app: Callable[..., Iterable[bytes]],
        requests: Requests,
        *,
        lines: bool,
        spans: "Spans | None" = None,
    ) -> None:
        self._app = app
        self._requests = requests
        self._lines = lines
        self._spans = spans

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Let the application answer."""
        started = time.perf_counter_ns()
        told = environ["PATH_INFO"] not in UNSEEN
        seen = observation(environ)
        span = self._begin_span(environ, seen) if self._spans and told else None
        if self._lines:
            logs.bind(request_id=request_id(environ), trace_id=seen.trace.trace_id)
        status = "500"

        def start(line: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            nonlocal status
            status = line[:3]
            headers.append((HEADER, seen.trace.header()))
            return start_response(line, headers, *more)

        answer = self._app(environ, start)
        if told:
            ns = time.perf_counter_ns() - started
            self._requests.add(environ["REQUEST_METHOD"], status, seen, ns)
            if self._lines:
                log.info("Answered.", extra=with_fields(**_fields(environ, status, seen, ns)))
        if span:
            _end_span(span, environ, status, seen)
        return answer

    def _begin_span(self, environ: Environ, seen: Observation) -> "Span":
        assert self._spans  # noqa: S101 - asked before
        span = self._spans.begin("SERVER", environ.get("HTTP_TRACEPARENT", ""))
        seen.trace = span.trace
        return span


def register(app: Flask) -> None:
    """Let `app` tell which of its routes a request took."""
    app.before_request(_note_route)


def _note_route() -> None:
    if request.url_rule is not None:
        observation(request.environ).route = request.url_rule.rule


def _fields(environ: Environ, status: str, seen: Observation, ns: int) -> dict[str, Any]:
    """Return what a line says of a request; never what was in it."""
    fields = {
        "method": environ["REQUEST_METHOD"],
        "route": seen.route,
        "status": int(status),
        "duration_ms": round(ns / 1e6, 3),
    }
    if seen.version:
        fields |= {"model": seen.model, "version": int(seen.version), "rows": seen.rows}
    return fields


def _end_span(span: "Span", environ: Environ, status: str, seen: Observation) -> None:
    """Say the same by OpenTelemetry's names, as far as it has some."""
    method = environ["REQUEST_METHOD"] if environ["REQUEST_METHOD"] in METHODS else "_OTHER"
    fields: dict[str, str | int] = {
        "http.request.method": method,
        "http.response.status_code": int(status),
        "url.scheme": environ["wsgi.url_scheme"],
        "inkwell.request_id": request_id(environ),
    }
    name = method
    if seen.route != NOWHERE:
        name = f"{method} {seen.route}"
        fields["http.route"] = seen.route
    if seen.version:
        fields |= {"inkwell.model": seen.model, "inkwell.version": int(seen.version)}
        fields["inkwell.rows"] = seen.rows
    span.end(name, fields, error=status if status >= "500" else None)
