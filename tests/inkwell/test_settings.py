from pathlib import Path

import pytest

from inkwell.settings import Settings, SettingsError


def test_defaults_hold_where_the_environment_is_silent() -> None:
    assert Settings.from_env({}) == Settings()


def test_an_empty_variable_counts_as_absent() -> None:
    names = ["STORE", "REDIS_URL", "HOST", "PORT", "URL", "ADMIN_TOKEN", "MODEL"]

    assert Settings.from_env({f"INKWELL_{name}": "" for name in names}) == Settings()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:9000"),  # noqa: S104
        ("::", "http://127.0.0.1:9000"),
        ("::1", "http://[::1]:9000"),
        ("box.example", "http://box.example:9000"),
    ],
)
def test_the_url_is_built_from_host_and_port(host: str, url: str) -> None:
    settings = Settings.from_env({"INKWELL_HOST": host, "INKWELL_PORT": "9000"})

    assert settings.url == url


def test_a_url_that_is_set_wins_over_host_and_port() -> None:
    settings = Settings.from_env({"INKWELL_URL": "https://ink.example", "INKWELL_PORT": "9000"})

    assert settings.url == "https://ink.example"
    assert settings.local_url == "http://127.0.0.1:9000"


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "80.5", "²", " "])
def test_a_bad_port_is_named_with_what_was_expected_and_what_came(port: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_env({"INKWELL_PORT": port})

    line = f"INKWELL_PORT must be a number from 1 to 65535, got {port!r}"
    assert str(refused.value) == line


def test_the_token_that_is_set_wins_over_the_one_in_the_store(tmp_path: Path) -> None:
    (tmp_path / "admin_token").write_text("from the store\n")
    environ = {"INKWELL_STORE": str(tmp_path)}

    assert Settings.from_env(environ).token() == "from the store"
    assert Settings.from_env(environ | {"INKWELL_ADMIN_TOKEN": "set"}).token() == "set"


def test_the_token_of_predictions_will_do_where_no_other_is_known(tmp_path: Path) -> None:
    environ = {"INKWELL_STORE": str(tmp_path), "INKWELL_PREDICT_TOKEN": "predict"}

    assert Settings.from_env(environ).token() == "predict"
    assert Settings.from_env(environ | {"INKWELL_ADMIN_TOKEN": "admin"}).token() == "admin"
    assert "predict'" not in repr(Settings.from_env(environ))


def test_there_is_no_token_where_the_store_has_none(tmp_path: Path) -> None:
    assert Settings(store=tmp_path).token() is None


def test_the_token_of_the_store_is_not_sent_to_another_machine(tmp_path: Path) -> None:
    (tmp_path / "admin_token").write_text("secret")

    assert Settings(store=tmp_path, url="https://ink.example").token() is None
    assert Settings(store=tmp_path, url="http://localhost:8000").token() == "secret"


def test_settings_do_not_show_the_token() -> None:
    settings = Settings.from_env({"INKWELL_ADMIN_TOKEN": "secret"})

    assert "secret" not in repr(settings)


def test_processes_get_absolute_paths_and_what_else_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_env({"INKWELL_MNIST_DIR": "mnist", "INKWELL_LOG": "json"})

    environ = settings.for_processes("redis://127.0.0.1:7000/0")

    assert environ["INKWELL_STORE"] == str(tmp_path / "var")
    assert environ["INKWELL_MNIST_DIR"] == str(tmp_path / "mnist")
    assert environ["INKWELL_REDIS_URL"] == "redis://127.0.0.1:7000/0"
    assert environ["INKWELL_LOG"] == "json"


def test_a_bucket_is_what_the_processes_get_and_no_folder_of_this_machine() -> None:
    settings = Settings.from_env({"INKWELL_STORE": "s3://bucket/prefix"})

    assert settings.for_processes("redis://here")["INKWELL_STORE"] == "s3://bucket/prefix"
    assert settings.store == Settings().store
    assert settings.token() is None
