import logging

import pytest

from nncore.registry import Registry
from tests.conftest import publish
from worker.release import remove_old
from worker.settings import Settings, SettingsError


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def published(registry, count):
    for seed in range(count):
        publish(registry, seed=seed, live=seed == 0)


def test_by_default_every_version_is_kept(registry, store):
    published(registry, 5)

    remove_old(registry, "digits", Settings(store=store))

    assert registry.versions("digits") == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("kept", "left"),
    [
        ({"keep_last": 2}, [1, 4, 5]),
        ({"keep_best": 2}, [1, 4, 5]),
        ({"keep_last": 9}, [1, 2, 3, 4, 5]),
    ],
)
def test_the_last_the_best_and_the_live_version_are_kept(registry, store, kept, left, caplog):
    published(registry, 5)
    caplog.set_level(logging.INFO)

    remove_old(registry, "digits", Settings(store=store, **kept))

    assert registry.versions("digits") == left
    assert ("Removed versions of 'digits': 2, 3." in caplog.text) == (left == [1, 4, 5])


def test_a_disk_that_refuses_is_told_and_harms_nothing(registry, store, caplog, monkeypatch):
    published(registry, 3)

    def refuse(*args, **kwargs):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Registry, "delete", refuse)
    remove_old(registry, "digits", Settings(store=store, keep_last=1))

    assert "could not be removed" in caplog.text
    assert registry.versions("digits") == [1, 2, 3]


def test_what_is_kept_is_read_from_the_environment():
    settings = Settings.from_env({"INKWELL_KEEP_LAST": "10", "INKWELL_KEEP_BEST": "3"})

    assert (settings.keep_last, settings.keep_best) == (10, 3)
    assert (Settings.from_env({}).keep_last, Settings.from_env({}).keep_best) == (None, 0)


@pytest.mark.parametrize("value", ["0", "-1", "all", "10000000"])
def test_a_wrong_number_to_keep_is_told(value):
    with pytest.raises(SettingsError, match="INKWELL_KEEP_LAST"):
        Settings.from_env({"INKWELL_KEEP_LAST": value})
