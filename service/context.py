"""What a view needs of the application."""

from flask import current_app, request

from jobs.queue import JobQueue
from nncore.object_store import Store
from nncore.registry import Registry
from service.bodies import Content, read_content
from service.predictor import Predictor
from service.settings import Settings


def settings() -> Settings:
    """Return the service's settings."""
    found: Settings = current_app.extensions["settings"]
    return found


def store() -> Store:
    """Return where versions and data are."""
    return settings().store


def registry() -> Registry:
    """Return the registry of the versions in the store."""
    found: Registry = current_app.extensions["registry"]
    return found


def predictor() -> Predictor:
    """Return what answers with these versions."""
    found: Predictor = current_app.extensions["predictor"]
    return found


def job_queue() -> JobQueue:
    """Return the queue of training jobs."""
    found: JobQueue = current_app.extensions["job_queue"]
    return found


def content() -> Content:
    """Return the request's body, unpacked. Raises Problem 400, 413, 415."""
    return read_content(request.environ, settings().max_body_mb * 2**20)
