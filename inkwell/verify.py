"""`inkwell verify`: a version of the store on this machine is trained again and compared."""

import subprocess
import sys

import click

from inkwell.progress import busy_bar
from inkwell.settings import Settings
from inkwell.tables import as_json
from inkwell.up import package_folder


@click.command(short_help="Train a version again, compare the weights.")
@click.argument("model")
@click.argument("version")
@as_json
@click.pass_context
def verify(context: click.Context, model: str, version: str, as_json: bool) -> None:
    """Train VERSION of MODEL again, compare the weights, name what differs.

    VERSION is a number or an alias; it is taken from the store, INKWELL_STORE. Exits with 0 where
    the weights are the same, 1 where something differs, 2 where that cannot be told.
    """
    settings: Settings = context.obj
    command = [sys.executable, "-m", "worker.verify", model, version]
    with (
        busy_bar(f"verifying {model} {version}"),
        subprocess.Popen(  # noqa: S603 - our own program
            [*command, "--json"] if as_json else command,
            env=settings.for_processes(settings.redis_url or ""),
            cwd=package_folder("worker"),
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None  # noqa: S101 - stdout is a pipe
        for line in process.stdout:
            click.echo(line, nl=False)
    context.exit(process.returncode)
