"""``service.wsgi:app``, for gunicorn or any other WSGI server."""

from nncore import logs
from service.app import create_app
from service.settings import Settings

settings = Settings.from_env()
logs.configure(settings.log)
app = create_app(settings)
