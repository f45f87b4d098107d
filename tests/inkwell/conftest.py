import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from inkwell.cli import main
from tests import stack

PROBLEM = "application/problem+json"


class SmallService:
    """A real HTTP server that gives the answers a test has laid out, the last one for ever."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, Any, dict[str, str]]]] = {}
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._request_class())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def on(self, call: str, body: Any, status: int = 200, **headers: str) -> None:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.setdefault(call, []).append((status, body, names))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _request_class(service) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Request(BaseHTTPRequestHandler):
            # One request a connection: no thread outlives the test that waits for it.
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                call = f"{self.command} {self.path}"
                service.requests.append((call, dict(self.headers), self.rfile.read(length)))
                laid_out = service.answers.get(call, [(404, {"title": "Not Found"}, {})])
                status, body, headers = laid_out.pop(0) if len(laid_out) > 1 else laid_out[0]
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                kind = "application/json" if status < 400 else PROBLEM
                for name, value in ({"Content-Type": kind} | headers).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = answer  # noqa: N815 - the names that http.server wants

            def log_message(self, *_: object) -> None:
                pass

        return Request


@pytest.fixture
def service() -> Iterator[SmallService]:
    small = SmallService()
    yield small
    small.close()


@pytest.fixture
def inkwell(tmp_path: Path, service: SmallService) -> Callable[..., Result]:
    """The command line, aimed at the small service and a store of its own."""
    environ = {"INKWELL_URL": service.url, "INKWELL_STORE": str(tmp_path)}

    def call(*arguments: str, **options: Any) -> Result:
        return CliRunner(env=environ).invoke(main, [str(a) for a in arguments], **options)

    return call


class Running:
    """A process whose output is read as it comes."""

    def __init__(self, command: list[str], environ: dict[str, str], folder: Path) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            command,
            env=os.environ | environ,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout:
            self.lines += iter(self.process.stdout.readline, "")

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def wait_for(self, pattern: str, seconds: float = 90.0, count: int = 1) -> list[str]:
        """The first group, or the whole, of each match, once there are so many."""
        deadline = time.monotonic() + seconds
        while len(found := re.findall(pattern, self.text)) < count:
            assert time.monotonic() < deadline, f"no {pattern!r} in:\n{self.text}"
            assert self.process.poll() is None, f"ended before {pattern!r}:\n{self.text}"
            time.sleep(0.05)
        return found

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = 180.0) -> int:
        code = self.process.wait(seconds)
        self._reader.join(seconds)
        return code


@contextmanager
def starting(folder: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start_one(*command: str, environ: dict[str, str] | None = None) -> Running:
        started.append(Running([sys.executable, *command], environ or {}, folder))
        return started[-1]

    start_one.folder = folder  # type: ignore[attr-defined]
    yield start_one
    for running in started:
        if running.process.poll() is None:
            running.send(signal.SIGTERM)
        try:
            running.wait(60)
        except subprocess.TimeoutExpired:
            running.process.kill()
            running.wait(30)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts processes that are gone when the test is."""
    with starting(tmp_path) as start_one:
        yield start_one


@pytest.fixture(scope="module")
def start_for_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Running]]:
    """Starts processes that are gone when the module's tests are."""
    with starting(tmp_path_factory.mktemp("started")) as start_one:
        yield start_one


@pytest.fixture
def free_port() -> int:
    return int(stack.free_port())
