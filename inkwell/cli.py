"""The `inkwell` command: a person's side of the service."""

import errno
from dataclasses import replace
from typing import Any

import click

from inkwell.alias import alias
from inkwell.bench import bench
from inkwell.completion import completion
from inkwell.data import data
from inkwell.doctor import doctor
from inkwell.errors import InkwellError
from inkwell.feedback import feedback
from inkwell.group import Group
from inkwell.job import job
from inkwell.listing import history, jobs, models, versions
from inkwell.predict import predict
from inkwell.promote import promote, rollback
from inkwell.schedule import schedule
from inkwell.settings import Settings
from inkwell.sweep import sweep
from inkwell.train import train
from inkwell.transport import ServiceError
from inkwell.up import down, up
from inkwell.verify import verify
from inkwell.version import version


class Commands(Group):
    """All commands; prints our errors as one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command, and say what went wrong without a traceback."""
        try:
            return super().invoke(ctx)
        except InkwellError as error:
            raise click.ClickException(f"{error}{_way_out(error)}") from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # `inkwell jobs | head`; click knows what to do
                raise
            raise click.ClickException(str(error)) from error


def _way_out(error: InkwellError) -> str:
    """Return what to do about an error that the service cannot tell."""
    wants_token = isinstance(error, ServiceError) and error.status in (401, 403)
    return " Name it with --token or INKWELL_ADMIN_TOKEN." if wants_token else ""


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--url", help="Address of the service.  [default: INKWELL_URL, or this machine]")
@click.option("--token", help="Admin token.  [default: INKWELL_ADMIN_TOKEN, or the store's]")
@click.version_option(package_name="inkwell-serving", message="inkwell %(version)s")
@click.pass_context
def main(ctx: click.Context, url: str | None, token: str | None) -> None:
    """Train, version and serve a neural network written from scratch in NumPy.

    Exits with 0 where all went well, 1 where something was refused or failed, 2 where the command
    line is wrong, 130 where waiting for a job was broken off by Ctrl-C: the job goes on.
    """
    settings = Settings.from_env()
    ctx.obj = replace(settings, url=url or settings.url, admin_token=token or settings.admin_token)


COMMANDS = (
    up,
    down,
    train,
    predict,
    models,
    versions,
    version,
    promote,
    rollback,
    alias,
    history,
    verify,
    jobs,
    job,
    sweep,
    schedule,
    data,
    feedback,
    bench,
    doctor,
    completion,
)
for command in COMMANDS:
    main.add_command(command)
