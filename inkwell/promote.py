"""`inkwell promote` and `inkwell rollback`: choose the version that is served."""

import getpass

import click

from inkwell.client import Client
from inkwell.listing import as_json
from inkwell.settings import Settings
from inkwell.tables import print_json

alias_option = click.option("--alias", default="live", show_default=True, help="What to move.")
reason_option = click.option("--reason", help="Kept in the model's history.")


@click.command()
@click.argument("model")
@click.argument("version", type=click.IntRange(min=1))
@alias_option
@reason_option
@as_json
@click.pass_obj
def promote(
    settings: Settings, model: str, version: int, alias: str, reason: str | None, as_json: bool
) -> None:
    """Serve VERSION of MODEL from now on."""
    with Client.from_settings(settings) as client:
        moved = client.promote(model, version, alias, reason, user())
    if as_json:
        print_json(moved)
    else:
        click.echo(f"{model} version {version} is {alias}.")


@click.command()
@click.argument("model")
@alias_option
@reason_option
@as_json
@click.pass_obj
def rollback(settings: Settings, model: str, alias: str, reason: str | None, as_json: bool) -> None:
    """Serve again what MODEL served before; a second time undoes that."""
    with Client.from_settings(settings) as client:
        moved = client.rollback(model, alias, reason, user())
    if as_json:
        print_json(moved)
    else:
        click.echo(f"{model} version {moved['version']} is {alias}, after {moved['previous']}.")


def user() -> str | None:
    """Return who runs this, for the history."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return None
