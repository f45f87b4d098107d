"""`inkwell promote`: choose the version that is served."""

import click

from inkwell.client import Client
from inkwell.settings import Settings


@click.command()
@click.argument("model")
@click.argument("version", type=click.IntRange(min=1))
@click.option("--alias", default="live", show_default=True, help="What to point at the version.")
@click.option("--reason", help="Kept in the model's history.")
@click.pass_obj
def promote(settings: Settings, model: str, version: int, alias: str, reason: str | None) -> None:
    """Serve VERSION of MODEL from now on."""
    with Client.from_settings(settings) as client:
        client.promote(model, version, alias, reason)
    click.echo(f"{model} version {version} is {alias}.")
