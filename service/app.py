"""The application: settings in, Flask out."""

from typing import Any

from flask import Flask

from jobs.queue import JobQueue
from jobs.records import connect
from jobs.schedules import Schedules
from jobs.sweeps import Sweeps
from nncore.registry import Registry
from nncore.telemetry import spans_of
from service import (
    aliases,
    datasets,
    fast_path,
    feedback,
    files,
    health,
    job_events,
    metrics,
    models,
    observing,
    problems,
    request_ids,
    routes,
    schedules,
    security_headers,
    sweeps,
    system,
    training_jobs,
)
from service.drift import Drift
from service.fast_path import FastPath
from service.job_events import Streams
from service.observing import Observed, Requests
from service.openapi import pages as document
from service.pages import views
from service.predictor import Predictor
from service.served import ServedModels
from service.settings import Settings
from service.shared_counts import SharedCounts
from service.tokens import admin_token
from service.watched_jobs import WatchedJobs

# Each lets the application do something with every request, in this order.
AROUND = (observing, security_headers, request_ids, fast_path, problems, routes)
BLUEPRINTS = (
    training_jobs.bp,
    sweeps.bp,
    datasets.bp,
    feedback.bp,
    schedules.bp,
    job_events.bp,
    models.bp,
    aliases.bp,
    files.bp,
    health.bp,
    metrics.bp,
    system.bp,
    document.bp,
)


def create_app(settings: Settings, *, job_queue: JobQueue | None = None) -> Flask:
    """Build the service.

    Parameters
    ----------
    settings : Settings
    job_queue : JobQueue, optional
        In the place of the one in the Redis of `settings`.

    Nothing is connected and no version is loaded before the first request.
    """
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_mb * 2**20
    queue = job_queue or JobQueue(connect(settings.redis_url), settings.queue)
    app.extensions |= _parts(settings, queue)
    for part in AROUND:
        part.register(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    views.register(app)
    _put_doors_in_front(app, settings)
    return app


def _parts(settings: Settings, queue: JobQueue) -> dict[str, Any]:
    """Return what views and gunicorn's worker find in the application's extensions."""
    registry = Registry(settings.store)
    token = admin_token(settings)
    # gunicorn has twice as many processes while it replaces them all.
    shared = SharedCounts(processes=2 * settings.web_workers)
    requests = Requests(shared)
    served_models = ServedModels(registry, requests.happened)
    drift, tokens = Drift(registry), _who_may_predict(settings, token)
    return {
        "settings": settings,
        "admin_token": token,
        "registry": registry,
        "served_models": served_models,
        "predictor": Predictor(served_models, settings, shared, drift, tokens),
        "answers_soon": lambda environ: False,
        "stopping": lambda: False,  # gunicorn's worker tells whether the process is to end
        "shared_counts": shared,
        "requests": requests,
        "streams": Streams(settings.max_streams),
        "watched_jobs": WatchedJobs(queue),
        "job_queue": queue,
        "schedules": Schedules(connect(settings.redis_url), settings.queue),
        "sweeps": Sweeps(connect(settings.redis_url), settings.queue),
    }


def _put_doors_in_front(app: Flask, settings: Settings) -> None:
    """Let predictions be answered in front of Flask, and every request be seen in front of both."""
    if settings.fast_path == "on":
        in_front = FastPath(app, app.extensions["predictor"])
        app.extensions["answers_soon"] = in_front.answers_soon
        app.wsgi_app = in_front  # type: ignore[method-assign]
    spans = spans_of("inkwell-service") if settings.spans else None
    app.wsgi_app = Observed(  # type: ignore[method-assign]
        app.wsgi_app, app.extensions["requests"], lines=settings.log == "json", spans=spans
    )


def _who_may_predict(settings: Settings, admin_token: str | None) -> tuple[str, ...]:
    """Return the tokens that open predicting: none where it is open to all."""
    if settings.predict_token is None:
        return ()
    return tuple(token for token in (settings.predict_token, admin_token) if token)
