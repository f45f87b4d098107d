"""The containers of docker-compose.yml on a real engine, for tests."""

import json
import os
import signal
import subprocess
from pathlib import Path

import httpx

from tests.stack import TOKEN, Api, free_port, wait_for

ROOT = Path(__file__).parents[2]
PROXY_IMAGE = "haproxy:3.2-alpine"
# Where no image of the proxy can be had: the same program, from the packages of the base image.
PROXY_STAND_IN = b"""
ARG PYTHON_IMAGE=python:3.13-slim
FROM ${PYTHON_IMAGE}
RUN apt-get update -qq && apt-get install -qq --yes --no-install-recommends haproxy wget
CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
"""


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
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            timeout=30,
            headers={"Authorization": f"Bearer {TOKEN}"},
        )

    def compose(self, *arguments, stdin=None, check=True, **variables):
        """Run `docker compose` as the README does, on this project."""
        settings = {
            "INKWELL_IMAGE": self.image,
            "INKWELL_PORT": str(self.port),
            "INKWELL_PROXY_PORT": str(self.proxy_port),
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
        wait_for(lambda: self.healthy(service), 90, f"{service} to be healthy")

    def logs(self):
        return self.compose("logs", "--no-color", "--tail", "50").decode()

    def down(self):
        self.client.close()
        self.compose("--profile", "proxy", "down", "--volumes", "--timeout", "5")
