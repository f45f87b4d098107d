"""The `inkwell` command: a person's side of the service."""

import errno
from dataclasses import replace
from typing import Any

import click

from inkwell.errors import InkwellError
from inkwell.listing import history, jobs, models
from inkwell.predict import predict
from inkwell.promote import promote, rollback
from inkwell.settings import Settings
from inkwell.train import train
from inkwell.up import down, up
from inkwell.verify import verify


class Commands(click.Group):
    """A group that prints our errors as one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command, and say what went wrong without a traceback."""
        try:
            return super().invoke(ctx)
        except InkwellError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # `inkwell jobs | head`; click knows what to do
                raise
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--url", help="Address of the service.  [default: INKWELL_URL, or this machine]")
@click.option("--token", help="Admin token.  [default: INKWELL_ADMIN_TOKEN, or the store's]")
@click.version_option(package_name="inkwell-serving", message="inkwell %(version)s")
@click.pass_context
def main(ctx: click.Context, url: str | None, token: str | None) -> None:
    """Train, version and serve a neural network written from scratch in NumPy."""
    settings = Settings.from_env()
    ctx.obj = replace(settings, url=url or settings.url, admin_token=token or settings.admin_token)


for command in (up, down, train, predict, models, promote, rollback, history, verify, jobs):
    main.add_command(command)
