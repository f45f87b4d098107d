"""`inkwell up` and `inkwell down`: Redis, worker and service on one machine."""

import errno
import socket
import sys
import threading
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import click

from inkwell.errors import InkwellError
from inkwell.first_model import welcome
from inkwell.guard import Guard
from inkwell.output import Output
from inkwell.program import Program
from inkwell.redis_server import HOST, redis_port, redis_program
from inkwell.settings import Settings
from inkwell.store_lock import locked, stop_holder
from inkwell.supervisor import Supervisor


@click.command(short_help="Run everything on this machine.")
@click.pass_obj
def up(settings: Settings) -> None:
    """Run everything on this machine, and train a first model; Ctrl-C stops it."""
    with locked(settings.store) as lock:
        check_port(settings.host, settings.port)
        stages = programs(settings)
        output = Output([program.name for stage in stages for program in stage])
        guard = Guard(lock)
        try:
            supervisor = Supervisor(stages, output, guard)
            # Not the address of INKWELL_URL, which may be that of a proxy, or of another service.
            here = replace(settings, url=settings.local_url)
            threading.Thread(
                target=welcome, args=(here, output.say, lambda: supervisor.stopping), daemon=True
            ).start()
            supervisor.run()
        finally:
            guard.dismiss()
        output.say("All is stopped.")


@click.command(short_help="Stop what `inkwell up` started.")
@click.pass_obj
def down(settings: Settings) -> None:
    """Stop what `inkwell up` started on this store, and wait until it is gone."""
    stopped = stop_holder(settings.store)
    click.echo("Stopped." if stopped else f"Nothing runs on {settings.store}.")


def programs(settings: Settings) -> list[list[Program]]:
    """Return what to run, in stages: Redis, unless there is one, then worker and service."""
    stages = []
    redis_url = settings.redis_url
    if redis_url is None:
        port = redis_port()
        redis_url = f"redis://{HOST}:{port}/0"
        stages.append([redis_program(settings.store, settings.for_processes(redis_url), port)])
    environ = settings.for_processes(redis_url)
    folder = package_folder("service")
    conf = str(folder / "service" / "gunicorn.conf.py")
    gunicorn = [sys.executable, "-m", "gunicorn", "-c", conf, "service.wsgi:app"]
    worker = [sys.executable, "-m", "worker"]
    # In this folder, as Python and gunicorn look first where they are started: a worker.py of
    # the person's own would be run else.
    stages.append(
        [
            Program("service", gunicorn, environ, folder),
            Program("worker", worker, environ, package_folder("worker")),
        ]
    )
    return stages


def package_folder(name: str) -> Path:
    """Return the folder that holds a package, without importing it.

    Raises
    ------
    InkwellError
        If it is not installed.
    """
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise InkwellError(f"Inkwell's {name} is not installed here; `inkwell up` needs it")
    return Path(spec.submodule_search_locations[0]).absolute().parent


def check_port(host: str, port: int) -> None:
    """Raise an InkwellError if the service could not listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InkwellError(
                f"Port {port} is taken: stop what listens there, or set INKWELL_PORT"
            ) from None
        raise InkwellError(
            f"Cannot listen at {host} port {port} (INKWELL_HOST, INKWELL_PORT): {error.strerror}"
        ) from None
