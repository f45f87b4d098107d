"""`inkwell promote` and `inkwell rollback`: choose the version that is served."""

import getpass
from typing import Any

import click

from inkwell.client import Client
from inkwell.listing import named
from inkwell.settings import Settings
from inkwell.tables import as_json, print_json

a_version = click.IntRange(min=1)
alias_option = click.option("--alias", default="live", show_default=True, help="What to move.")
reason_option = click.option("--reason", help="Kept in the model's history.")


class Share(click.ParamType[tuple[int, float]]):
    """A version and its share of the requests, such as ``2=0.05``."""

    name = "VERSION=SHARE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, float]:
        """Return the two numbers."""
        version, _, share = value.partition("=")
        try:
            return int(version), float(share)
        except ValueError:
            self.fail(f"{value!r} is not a version and its share, such as 2=0.05", param, ctx)


@click.command()
@click.argument("model")
@click.argument("version", type=a_version, required=False)
@click.option("--split", type=Share(), multiple=True, help="In place of VERSION, more than once.")
@click.option("--shadow", type=a_version, help="A version that is asked, too, and only compared.")
@alias_option
@reason_option
@as_json
@click.pass_obj
def promote(
    settings: Settings,
    model: str,
    version: int | None,
    split: tuple[tuple[int, float], ...],
    shadow: int | None,
    alias: str,
    reason: str | None,
    as_json: bool,
) -> None:
    """Serve VERSION of MODEL from now on.

    Several versions share the requests with: inkwell promote MODEL --split 1=0.95 --split 2=0.05
    """
    if (version is None) == (not split):
        raise click.UsageError("Give a version, or --split for each of several.")
    with Client.from_settings(settings) as client:
        moved = client.promote(
            model, version, alias, reason, user(), split=dict(split), shadow=shadow
        )
    if as_json:
        print_json(moved)
        return
    versions = "versions" if split else "version"
    are = "are" if split else "is"
    click.echo(f"{model} {versions} {named(moved, 'version')} {are} {alias}.")


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
