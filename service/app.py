"""The application: settings in, Flask out."""

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
    registry = Registry(settings.store)
    token = admin_token(settings)
    # gunicorn has twice as many processes while it replaces them all.
    shared = SharedCounts(processes=2 * settings.web_workers)
    requests = Requests(shared)
    served_models = ServedModels(registry, requests.happened)
    drift, tokens = Drift(registry), _who_may_predict(settings, token)
    predictor = Predictor(served_models, settings, shared, drift, tokens)
    queue = job_queue or JobQueue(connect(settings.redis_url), settings.queue)
    app.extensions |= {
        "settings": settings,
        "admin_token": token,
        "registry": registry,
        "served_models": served_models,
        "predictor": predictor,
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
    observing.register(app)
    security_headers.register(app)
    request_ids.register(app)
    fast_path.register(app)
    problems.register(app)
    routes.register(app)
    for blueprint in (
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
    ):
        app.register_blueprint(blueprint)
    views.register(app)
    if settings.fast_path == "on":
        in_front = FastPath(app, predictor)
        app.extensions["answers_soon"] = in_front.answers_soon
        app.wsgi_app = in_front  # type: ignore[method-assign]
    lines = settings.log == "json"
    spans = spans_of("inkwell-service") if settings.spans else None
    app.wsgi_app = Observed(  # type: ignore[method-assign]
        app.wsgi_app, requests, lines=lines, spans=spans
    )
    return app


def _who_may_predict(settings: Settings, admin_token: str | None) -> tuple[str, ...]:
    """Return the tokens that open predicting: none where it is open to all."""
    if settings.predict_token is None:
        return ()
    return tuple(token for token in (settings.predict_token, admin_token) if token)
