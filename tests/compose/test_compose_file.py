import json
import os
import re
import shutil
import subprocess
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import Settings as ServiceSettings
from worker.attempt import SECONDS_TO_MAKE_WAY, SECONDS_TO_SETTLE, SHUTDOWN
from worker.settings import Settings as WorkerSettings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
EXAMPLE = (ROOT / ".env.example").read_text().splitlines()
# The image or the network gives these; the port inside the container is always 8000.
# There the store is a volume, of which nothing is copied.
FIXED_SETTINGS = {"INKWELL_STORE", "INKWELL_CACHE", "INKWELL_HOST", "INKWELL_PORT"}

every_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
ours = pytest.mark.parametrize("name", ["service", "worker"])


def seconds(duration: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(s|m)", duration).groups()
    return int(number) * {"s": 1, "m": 60}[unit]


def example_values() -> dict[str, str]:
    return dict(
        line.removeprefix("#").split("=", 1) for line in EXAMPLE if re.match(r"#?[A-Z_]+=", line)
    )


def passed_variables() -> set[str]:
    """Return the variables of the shell, or of .env, that the file takes up."""
    interpolated = set(re.findall(r"\$\{(\w+)", TEXT))
    mappings = [service.get("environment", {}) for service in SERVICES.values()]
    mappings += [service.get("build", {}).get("args", {}) for service in SERVICES.values()]
    return interpolated | {
        name for mapping in mappings for name, value in mapping.items() if value is None
    }


def docker_compose(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `docker compose` on the file, with nothing of this machine's settings."""
    others = {name: value for name, value in os.environ.items() if name not in passed_variables()}
    return subprocess.run(
        ["docker", "compose", "--env-file", os.devnull, *arguments],
        cwd=ROOT,
        env=others | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def rendered(**variables: str) -> dict[str, Any]:
    result = docker_compose("config", "--format", "json", **variables)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)["services"]


@pytest.fixture(scope="module")
def _compose_on_path() -> None:
    if shutil.which("docker") is None:
        pytest.skip("there is no docker on PATH")
    if docker_compose("version").returncode != 0:
        pytest.skip("the docker on PATH has no compose v2 plugin")


with_compose = pytest.mark.usefixtures("_compose_on_path")


def test_redis_service_and_worker_are_all_that_starts_unasked():
    unasked = {name for name, service in SERVICES.items() if "profiles" not in service}

    assert unasked == {"redis", "service", "worker"}
    assert "version" not in COMPOSE


@every_service
def test_no_container_has_a_capability_or_can_gain_one(service):
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"cap_add", "privileged", "devices", "pid", "network_mode"} & set(service)


@every_service
def test_no_container_can_write_beside_its_volumes_and_tmp(service):
    assert service["read_only"] is True
    assert [mount.split(":")[0] for mount in service["tmpfs"]] == ["/tmp"]  # noqa: S108


@every_service
def test_no_container_runs_as_root(service):
    stage = DOCKERFILE.rpartition("\nFROM ")[2]
    users = re.findall(r"^USER (.+)$", stage, re.MULTILINE)

    user = service.get("user") or users[-1]

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


@every_service
def test_every_container_reaps_its_children_restarts_and_bounds_its_log(service):
    assert service["init"] is True
    assert service["restart"] == "unless-stopped"
    assert {"max-size", "max-file"} <= set(service["logging"]["options"])


@every_service
def test_every_service_has_a_health_check_that_can_fail(service):
    check = service["healthcheck"]

    assert check["test"][0] == "CMD"
    assert seconds(check["timeout"]) <= seconds(check["interval"])
    assert seconds(check["start_period"]) >= 30


def test_a_service_without_a_version_is_healthy():
    program = SERVICES["service"]["healthcheck"]["test"][-1]

    assert "/livez" in program
    assert "/readyz" not in program


@ours
def test_service_and_worker_start_when_redis_is_healthy(name):
    assert SERVICES[name]["depends_on"] == {"redis": {"condition": "service_healthy"}}


def test_what_is_published_is_so_to_this_machine_alone():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert published == {
        "service": ["127.0.0.1:${INKWELL_PORT:-8000}:8000"],
        "proxy": ["127.0.0.1:${INKWELL_PROXY_PORT:-8080}:8080"],
        "prometheus": ["127.0.0.1:${INKWELL_PROMETHEUS_PORT:-9090}:9090"],
        "grafana": ["127.0.0.1:${INKWELL_GRAFANA_PORT:-3000}:3000"],
    }


def test_the_second_service_is_the_first_without_its_port():
    own = {"build", "ports", "profiles"}
    first, second = (
        {key: value for key, value in SERVICES[name].items() if key not in own}
        for name in ("service", "service-2")
    )

    assert first == second


def test_grafana_finds_its_data_source_and_the_dashboard_where_they_are_mounted():
    monitoring = ROOT / "deploy" / "monitoring" / "grafana"
    mounts = {
        Path(mount.split(":")[0]).name: mount.split(":")[1]
        for mount in SERVICES["grafana"]["volumes"]
        if mount.startswith("./")
    }
    (source,) = yaml.safe_load((monitoring / "datasource.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((monitoring / "dashboards.yml").read_text())["providers"]

    assert set(mounts) == {file.name for file in monitoring.iterdir()}
    assert mounts["datasource.yml"].startswith("/etc/grafana/provisioning/datasources/")
    assert mounts["dashboards.yml"].startswith("/etc/grafana/provisioning/dashboards/")
    assert mounts["inkwell.json"] == f"{provider['options']['path']}/inkwell.json"
    assert source["url"] == "http://prometheus:9090"


def test_redis_is_in_a_network_that_leads_nowhere():
    assert SERVICES["redis"]["networks"] == ["queue"]
    assert COMPOSE["networks"]["queue"] == {"internal": True}


def test_redis_keeps_every_job_through_a_restart_and_when_memory_is_short():
    options = SERVICES["redis"]["command"][1:]
    settings = dict(zip(options[::2], options[1::2], strict=True))

    assert settings["--appendonly"] == "yes"
    assert settings["--appendfsync"] == "always"
    assert settings["--maxmemory-policy"] == "noeviction"
    assert SERVICES["redis"]["volumes"] == ["redis:/data"]


def test_service_and_worker_are_one_image_that_is_built_once():
    assert SERVICES["service"]["image"] == SERVICES["worker"]["image"]
    assert [name for name, service in SERVICES.items() if "build" in service] == ["service"]
    assert "command" not in SERVICES["service"]


def test_every_room_of_the_project_goes_into_the_image():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    rooms = project["tool"]["setuptools"]["packages"]["find"]["include"]

    let_in = set((ROOT / ".dockerignore").read_text().splitlines())

    assert {f"!{room.removesuffix('*')}/" for room in rooms} <= let_in


@ours
def test_the_store_of_the_image_is_the_shared_volume(name):
    store = re.search(r"INKWELL_STORE=(\S+)", DOCKERFILE).group(1)

    assert f"store:{store}" in SERVICES[name]["volumes"]


def test_the_service_is_given_longer_to_stop_than_gunicorn_gives_its_requests():
    gunicorn = (ROOT / "service" / "gunicorn.conf.py").read_text()
    graceful = int(re.search(r"^graceful_timeout = (\d+)", gunicorn, re.MULTILINE).group(1))

    assert seconds(SERVICES["service"]["stop_grace_period"]) >= graceful + 5


def test_a_worker_makes_way_in_the_time_that_compose_gives_by_default():
    compose_seconds = 10

    assert "stop_grace_period" not in SERVICES["worker"]
    assert SECONDS_TO_MAKE_WAY[SHUTDOWN] + SECONDS_TO_SETTLE < compose_seconds / 2


def test_requests_go_before_training_where_there_are_few_cores():
    assert SERVICES["worker"]["cpu_shares"] < SERVICES["service"].get("cpu_shares", 1024)


def test_there_can_be_many_workers():
    assert not {"container_name", "hostname", "ports"} & set(SERVICES["worker"])


def test_the_admin_token_goes_to_the_services_alone():
    holders = [name for name in SERVICES if "INKWELL_ADMIN_TOKEN" in str(SERVICES[name])]

    assert holders == ["service", "service-2"]


@ours
def test_every_setting_of_a_process_goes_through_and_no_other(name):
    source = (ROOT / name / "settings.py").read_text()

    ours = {var for var in SERVICES[name]["environment"] if not var.startswith("OTEL_")}
    assert ours == set(re.findall(r'"(INKWELL_\w+)"', source)) - FIXED_SETTINGS


def test_the_example_of_env_tells_of_every_variable_in_one_line_of_comment():
    assert set(example_values()) == passed_variables()
    for above, line in pairwise(EXAMPLE):
        if re.match(r"#?[A-Z_]+=", line):
            assert above.startswith("# ")


@pytest.mark.parametrize("settings", [ServiceSettings, WorkerSettings])
def test_the_defaults_in_the_example_of_env_are_those_of_the_processes(settings):
    assert settings.from_env(example_values()) == settings.from_env({})


@with_compose
def test_compose_accepts_the_file_without_a_word():
    result = docker_compose("config", "--quiet")

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@with_compose
def test_an_unset_variable_is_not_in_the_containers():
    environment = rendered()["service"]["environment"]

    assert environment == dict.fromkeys(environment) | {
        "INKWELL_REDIS_URL": "redis://redis:6379/0",
        "INKWELL_DRAIN_SECONDS": "3",
    }


@with_compose
def test_a_set_variable_reaches_the_containers():
    assert rendered(INKWELL_LOG="json")["worker"]["environment"]["INKWELL_LOG"] == "json"


@with_compose
def test_without_a_folder_of_mnist_the_worker_is_told_of_none():
    worker = rendered(INKWELL_MNIST_DIR="")["worker"]

    assert worker["environment"]["INKWELL_MNIST_DIR"] == ""
    assert [mount["type"] for mount in worker["volumes"]] == ["volume", "volume"]


@with_compose
def test_a_folder_of_mnist_is_mounted_read_only(tmp_path):
    worker = rendered(INKWELL_MNIST_DIR=str(tmp_path))["worker"]

    mount = next(mount for mount in worker["volumes"] if mount["target"] == "/mnist")
    assert worker["environment"]["INKWELL_MNIST_DIR"] == "/mnist"
    assert (mount["type"], mount["source"], mount["read_only"]) == ("bind", str(tmp_path), True)
