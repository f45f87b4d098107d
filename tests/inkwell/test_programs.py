import sys
from pathlib import Path

import pytest

from inkwell.errors import InkwellError
from inkwell.settings import Settings
from inkwell.up import check_port, package_folder, programs


def test_a_redis_that_is_named_is_used_and_none_is_started(tmp_path: Path) -> None:
    url = "redis://queue.example:6380/3"

    stages = programs(Settings(store=tmp_path, redis_url=url))

    assert [program.name for stage in stages for program in stage] == ["service", "worker"]
    assert all(p.environ["INKWELL_REDIS_URL"] == url for stage in stages for p in stage)
    assert not (tmp_path / "redis").exists()


def test_the_programs_share_this_python_and_one_store(tmp_path: Path) -> None:
    ((service, worker),) = programs(Settings(store=tmp_path, redis_url="redis://127.0.0.1"))

    assert service.command[:3] == [sys.executable, "-m", "gunicorn"]
    assert Path(service.command[4]).is_file()
    assert worker.command == [sys.executable, "-m", "worker"]
    assert service.environ["INKWELL_STORE"] == worker.environ["INKWELL_STORE"] == str(tmp_path)


def test_a_part_that_is_not_installed_is_named() -> None:
    with pytest.raises(InkwellError, match="Inkwell's no_such_part is not installed here"):
        package_folder("no_such_part")


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_that_is_not_this_machine_s_is_one_line(host: str, free_port: int) -> None:
    with pytest.raises(InkwellError, match=rf"^Cannot listen at {host} port {free_port} \("):
        check_port(host, free_port)
