"""``/metrics``: what Prometheus reads, of all processes of this service together."""

import logging
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version as package_version
from itertools import accumulate, chain
from typing import Any

import numpy as np
from flask import Blueprint, Flask, Response, current_app, request
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from jobs.queue import JobQueue
from jobs.training_job import TrainingJob
from jobs.workers import Overview
from nncore.arrays import Ints
from nncore.errors import RegistryError
from nncore.registry import Registry
from service.observing import NS, SECONDS, Requests, Seen
from service.predictor import Predictor
from service.problems import Problem
from service.served import ServedModels
from service.shared_counts import SharedCounts
from service.statistics import CONFIDENCES, MILLIONTHS, Counts, Line

log = logging.getLogger(__name__)

bp = Blueprint("metrics", __name__)

_VERSION = ("model", "version")
_JOB = ("model", "job")

# What Triton's dashboards read: its names, which do not end in _total, and its microseconds.
_TRITON: Mapping[str, Callable[[Counts], float]] = {
    "nv_inference_request_success": lambda counts: counts.successes,
    "nv_inference_request_failure": lambda counts: counts.failures,
    "nv_inference_count": lambda counts: counts.rows,
    "nv_inference_exec_count": lambda counts: counts.successes,
    "nv_inference_request_duration_us": lambda counts: counts.success_ns // 1000,
    "nv_inference_queue_duration_us": lambda counts: 0,  # predicting begins at once
    "nv_inference_compute_input_duration_us": lambda counts: counts.decode_ns // 1000,
    "nv_inference_compute_infer_duration_us": lambda counts: counts.predict_ns // 1000,
    "nv_inference_compute_output_duration_us": lambda counts: counts.encode_ns // 1000,
}

# What the progress of a job tells, by the end of its metric's name.
_PROGRESS = {
    "epoch": "Epochs that are done.",
    "fraction": "How much of the training is done, 0 to 1.",
    "loss": "Mean loss of the last epoch.",
    "validation_accuracy": "Accuracy on the validation images after the last epoch, 0 to 1.",
    "samples_per_second": "Rows that are trained on, a second.",
    "eta_seconds": "How long the training will still take.",
}


@bp.get("/metrics")
def show_metrics() -> Response:
    """Tell all that is measured. Redis may be away: then what it knows is missing."""
    registry = CollectorRegistry()
    registry.register(ServiceCollector(current_app))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(registry), content_type=content_type)


class ServiceCollector(Collector):
    """Everything that is measured, as it is now."""

    def __init__(self, app: Flask) -> None:
        known: dict[str, Any] = app.extensions
        self._model: str = known["settings"].model
        self._predictor: Predictor = known["predictor"]
        self._requests: Requests = known["requests"]
        self._shared: SharedCounts = known["shared_counts"]
        self._registry: Registry = known["registry"]
        self._served: ServedModels = known["served_models"]
        self._queue: JobQueue = known["job_queue"]

    def describe(self) -> Iterable[Metric]:
        """Tell nothing beforehand: to ask would be to collect twice."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Collect all metrics."""
        yield self._build()
        yield from _requests(self._requests.seen())
        yield from self._events()
        lines = self._predictor.statistics.lines()
        yield from _predictions(lines)
        yield from _triton(lines)
        yield from _drift(self._predictor.drift.lines())
        yield self._ready()
        yield from self._versions()
        yield from self._jobs()

    def _build(self) -> Metric:
        labels = {
            "version": package_version("inkwell-serving"),
            "numpy": np.__version__,
            "python": platform.python_version(),
        }
        return _gauge("inkwell_build_info", "What runs.", tuple(labels), [(labels.values(), 1)])

    def _events(self) -> Iterator[Metric]:
        for event, name, told, labels in (
            (
                "refused request",
                "refused_requests",
                "Requests refused, answers not taken.",
                ("reason",),
            ),
            ("reload", "reloads", "Versions that processes took up.", ("model", "alias")),
            ("refusal", "version_refusals", "Tries to load a bad version.", ("model", "alias")),
        ):
            yield _counter(f"inkwell_{name}", told, labels, self._requests.events(event).items())
        lost = self._shared.lost()
        yield _counter("inkwell_uncounted", "What there was no room to count.", (), [((), lost)])

    def _ready(self) -> Metric:
        try:
            self._predictor.default()
        except (Problem, RegistryError, OSError):
            ready = 0
        else:
            ready = 1
        told = "Whether the default model can answer."
        return _gauge("inkwell_ready", told, ("model",), [((self._model,), ready)])

    def _versions(self) -> Iterator[Metric]:
        refused = [((one.model, one.alias), 1) for one in self._served.refusals()]
        told = "Aliases whose version this process refuses."
        yield _gauge("inkwell_version_refused", told, ("model", "alias"), refused)
        try:
            aliases = [
                ((model, alias), version)
                for model in self._registry.models()
                for alias, version in self._registry.aliases(model).all().items()
            ]
        except (RegistryError, OSError) as error:
            log.warning("The store cannot be read: %s", error)
            aliases = []
        told = "The version that an alias names."
        yield _gauge("inkwell_alias_version", told, ("model", "alias"), aliases)

    def _jobs(self) -> Iterator[Metric]:
        try:
            overview = self._queue.overview()
        except RedisError as error:
            log.warning("The queue cannot be reached: %s", error)
            overview = None
        told = "Whether Redis answers; what it knows is missing where it does not."
        yield _gauge("inkwell_redis_up", told, (), [((), int(overview is not None))])
        if overview is not None:
            yield from _queue(overview)
            yield from _training(overview.running)


def _requests(lines: Sequence[Seen]) -> Iterator[Metric]:
    counts = [(line.kind, line.durations.sum()) for line in lines]
    told = "Requests that were answered."
    labels = ("method", "route", "status", *_VERSION)
    yield _counter("inkwell_requests", told, labels, counts)
    told = "How long requests took, from their first line on."
    durations = HistogramMetricFamily(
        "inkwell_request_duration_seconds", told, labels=("route", *_VERSION)
    )
    together: dict[tuple[str, ...], tuple[Ints, int]] = {}
    for line in lines:
        _, route, _, *version = line.kind
        histogram, ns = together.get((route, *version), (np.zeros_like(line.durations), 0))
        together[route, *version] = histogram + line.durations, ns + line.ns
    for kind, (histogram, ns) in together.items():
        durations.add_metric(kind, _buckets(SECONDS, histogram.tolist()), sum_value=ns / NS)
    yield durations


def _predictions(lines: Sequence[Line]) -> Iterator[Metric]:
    answers = [
        ((line.model, str(line.version), label), count)
        for line in lines
        for label, count in zip(line.labels, line.answers.labels, strict=True)
    ]
    told = "Rows that were answered with a label."
    yield _counter("inkwell_predictions", told, (*_VERSION, "label"), answers)
    told = "The probability of the label that was answered."
    sureness = HistogramMetricFamily("inkwell_prediction_confidence", told, labels=_VERSION)
    for line in lines:
        buckets = _buckets(CONFIDENCES, [*line.answers.sureness, 0])
        kind = line.model, str(line.version)
        sureness.add_metric(kind, buckets, sum_value=line.answers.millionths / MILLIONTHS)
    yield sureness


def _triton(lines: Sequence[Line]) -> Iterator[Metric]:
    for name, value in _TRITON.items():
        metric = Metric(name, "As Triton counts it.", "unknown")
        for line in lines:
            labels = {"model": line.model, "version": str(line.version)}
            metric.add_sample(name, labels, value(line.counts))
        yield metric


def _drift(lines: Sequence[dict[str, Any]]) -> Iterator[Metric]:
    rows = [((line["model"], str(line["version"])), line["rows"]) for line in lines]
    told = "Rows in the window that is compared with the training data."
    yield _gauge("inkwell_drift_rows", told, _VERSION, rows)
    drift = [
        ((line["model"], str(line["version"]), feature), index)
        for line in lines
        for feature, index in line["drift"].items()
    ]
    told = "Population stability index of what a version is asked, against its training data."
    yield _gauge("inkwell_drift", told, (*_VERSION, "feature"), drift)


def _queue(overview: Overview) -> Iterator[Metric]:
    waiting = [((name,), count) for name, count in overview.load.waiting.items()]
    told = "Jobs that wait, by priority."
    yield _gauge("inkwell_queue_jobs", told, ("priority",), waiting)
    ages = [((name,), age) for name, age in overview.ages.items()]
    told = "For how long the next job has waited, by priority."
    yield _gauge("inkwell_queue_age_seconds", told, ("priority",), ages)
    states = [((status.value,), count) for status, count in overview.states.items()]
    yield _gauge("inkwell_jobs", "Jobs in each state.", ("status",), states)
    workers = len(overview.load.workers)
    yield _gauge("inkwell_workers", "Workers that show themselves.", (), [((), workers)])


def _training(running: Sequence[TrainingJob]) -> Iterator[Metric]:
    begun = [(_job(job), _seconds(job.started_at)) for job in running]
    told = "When a job that runs was started, in seconds since 1970."
    yield _gauge("inkwell_training_started_timestamp_seconds", told, _JOB, begun)
    for key, told in _PROGRESS.items():
        known = [(_job(job), (job.progress or {}).get(key)) for job in running]
        values = [(labels, value) for labels, value in known if value is not None]
        yield _gauge(f"inkwell_training_{key}", told, _JOB, values)


def _job(job: TrainingJob) -> tuple[str, str]:
    return job.model, job.id


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


def _buckets(edges: Sequence[float], histogram: Sequence[int]) -> list[tuple[str, float]]:
    """Return how many are at or under each edge, as Prometheus wants it."""
    names = chain((repr(float(edge)) for edge in edges), ["+Inf"])
    return list(zip(names, accumulate(histogram), strict=True))


Values = Iterable[tuple[Iterable[str], Any]]


def _gauge(name: str, told: str, labels: Sequence[str], values: Values) -> Metric:
    return _filled(GaugeMetricFamily(name, told, labels=labels), values)


def _counter(name: str, told: str, labels: Sequence[str], values: Values) -> Metric:
    return _filled(CounterMetricFamily(name, told, labels=labels), values)


def _filled(metric: Any, values: Values) -> Metric:
    for labels, value in values:
        metric.add_metric([*labels], value)
    filled: Metric = metric
    return filled
