"""The containers of docker-compose.yml on a real engine, for tests."""

import json
import os
import signal
import subprocess
from pathlib import Path

import httpx
import yaml

from tests.stack import TOKEN, Api, free_port, wait_for

ROOT = Path(__file__).parents[2]
IMAGES = {
    name: service["image"]
    for name, service in yaml.safe_load((ROOT / "docker-compose.yml").read_text())[
        "services"
    ].items()
}
BASE_IMAGE = os.environ.get("PYTHON_IMAGE") or "python:3.13-slim"
# Where no image can be pulled: the same program, from the packages of the base image.
STAND_INS = {
    "proxy": """
RUN apt-get update -qq && apt-get install -qq --yes --no-install-recommends haproxy wget
CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
""",
    "prometheus": """
RUN apt-get update -qq && apt-get install -qq --yes --no-install-recommends prometheus wget
RUN install --directory --owner 65534 --group 65534 /prometheus
ENTRYPOINT ["prometheus"]
""",
}


def docker(*arguments, stdin=None, check=True, **variables):
    """Run docker and return what it printed, as bytes."""
    result = subprocess.run(
        ["docker", *arguments],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        env=os.environ | variables,
        check=False,
    )
    if check and result.returncode:
        raise AssertionError(f"docker {' '.join(arguments)}: {result.stderr.decode()}")
    return result.stdout


def has_image(service):
    """Have the image of a service here: pulled, or a stand-in. Tell whether that could be done."""
    image = IMAGES[service]
    if docker("image", "inspect", image, check=False).strip() not in (b"", b"[]"):
        return True
    if docker("pull", "--quiet", image, check=False):
        return True
    if service not in STAND_INS:
        return False
    dockerfile = f"FROM {BASE_IMAGE}\n{STAND_INS[service]}"
    docker("build", "--quiet", "--tag", image, "-", stdin=dockerfile.encode())
    return True


def engine_runs():
    try:
        return bool(docker("info", "--format", "{{.ServerVersion}}", check=False).strip())
    except FileNotFoundError:
        return False


class Containers(Api):
    """One project of compose, with names, ports and an image of its own."""

    def __init__(self, name, image):
        self.name, self.image = name, image
        self.port, self.proxy_port = free_port(), free_port()
        self.prometheus_port, self.grafana_port = free_port(), free_port()
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            timeout=90,
            headers={"Authorization": f"Bearer {TOKEN}"},
        )

    def compose(self, *arguments, stdin=None, check=True, **variables):
        """Run `docker compose` as the README does, on this project."""
        settings = {
            "INKWELL_IMAGE": self.image,
            "INKWELL_PORT": str(self.port),
            "INKWELL_PROXY_PORT": str(self.proxy_port),
            "INKWELL_PROMETHEUS_PORT": str(self.prometheus_port),
            "INKWELL_GRAFANA_PORT": str(self.grafana_port),
            "INKWELL_ADMIN_TOKEN": TOKEN,
            "INKWELL_MODEL": "digits",
        }
        command = ("compose", "--project-name", self.name, "--env-file", os.devnull, *arguments)
        return docker(*command, stdin=stdin, check=check, **settings | variables)

    def ids(self, service):
        return self.compose("ps", "--quiet", service).decode().split()

    def inspect(self, container):
        return json.loads(docker("inspect", container))[0]

    def kill(self, service):
        """Kill the first process of a service's container from outside, as a crash would."""
        (container,) = self.ids(service)
        os.kill(self.inspect(container)["State"]["Pid"], signal.SIGKILL)

    def restarts(self, service):
        return [self.inspect(container)["RestartCount"] for container in self.ids(service)]

    def healthy(self, service):
        states = [self.inspect(container)["State"] for container in self.ids(service)]
        return bool(states) and all(s.get("Health", {}).get("Status") == "healthy" for s in states)

    def wait_until_healthy(self, service):
        wait_for(lambda: self.healthy(service), what=f"{service} to be healthy")

    def logs(self):
        return self.compose("logs", "--no-color", "--tail", "50").decode()

    def left(self):
        """Return the containers, volumes and networks that there are of this project."""
        mine = ("--quiet", "--filter", f"label=com.docker.compose.project={self.name}")
        lists = (("ps", "--all"), ("volume", "ls"), ("network", "ls"))
        return [one for kind in lists for one in docker(*kind, *mine).decode().split()]

    def down(self):
        self.client.close()
        self.compose("--profile", "*", "down", "--volumes", "--timeout", "5")
