import pytest

from service.app import create_app
from service.settings import Settings
from tests.conftest import publish

TOKEN = "secret"


@pytest.fixture
def settings(tmp_path):
    # Nothing listens on port 1: what needs Redis finds it down.
    return Settings(
        store=tmp_path / "store",
        redis_url="redis://127.0.0.1:1/0",
        admin_token=TOKEN,
        max_body_mb=2,
        max_rows=500,
    )


@pytest.fixture
def app(settings):
    return create_app(settings)


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def admin():
    return {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def live(registry):
    """Version 1 of the default model, live."""
    return publish(registry)
