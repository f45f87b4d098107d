"""What a view needs of the application."""

from flask import current_app, request

from nncore.object_store import Store
from service.bodies import Content, read_content
from service.settings import Settings


def settings() -> Settings:
    """Return the service's settings."""
    found: Settings = current_app.extensions["settings"]
    return found


def store() -> Store:
    """Return where versions and data are."""
    return settings().store


def content() -> Content:
    """Return the request's body, unpacked. Raises Problem 400, 413, 415."""
    return read_content(request.environ, settings().max_body_mb * 2**20)
