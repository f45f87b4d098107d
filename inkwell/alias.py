"""`inkwell alias`: the names that stand for versions."""

import click

from inkwell.client import Client
from inkwell.group import Group
from inkwell.listing import named
from inkwell.promote import reason_option, user
from inkwell.settings import Settings
from inkwell.tables import as_json, moment, print_json, print_table


@click.group(cls=Group, short_help="Aliases: list, remove, what shadows said.")
def alias() -> None:
    """Names that stand for versions; `inkwell promote --alias` sets and moves them."""


@alias.command("list")
@click.argument("model")
@as_json
@click.pass_obj
def list_aliases(settings: Settings, model: str, as_json: bool) -> None:
    """List the aliases of MODEL: what they name, since when, who moved them, why."""
    with Client.from_settings(settings) as client:
        answer = client.aliases(model)
    if as_json:
        print_json(answer)
        return
    print_table(
        ["alias", "version", "since", "by", "reason"],
        (
            (one["alias"], named(one, "version"), moment(one["at"]), one["actor"], one["reason"])
            for one in answer["aliases"]
        ),
        empty=f"No alias of {model} was ever set: see `inkwell promote`.",
    )


@alias.command()
@click.argument("model")
@click.argument("alias")
@reason_option
@as_json
@click.pass_obj
def remove(settings: Settings, model: str, alias: str, reason: str | None, as_json: bool) -> None:
    """Let ALIAS of MODEL name nothing any more; `inkwell rollback --alias` brings it back."""
    with Client.from_settings(settings) as client:
        client.remove_alias(model, alias, reason, user())
    if as_json:
        print_json({"model": model, "removed": alias})
    else:
        click.echo(f"{alias} of {model} is removed.")


@alias.command()
@click.argument("model")
@as_json
@click.pass_obj
def shadows(settings: Settings, model: str, as_json: bool) -> None:
    """Show how often versions in the shadow agreed with what others of MODEL answered."""
    with Client.from_settings(settings) as client:
        answer = client.shadows(model)
    if as_json:
        print_json(answer)
        return
    print_table(
        ["answered", "looked on", "requests", "pictures", "agreement"],
        (
            (one["version"], one["shadow"], one["requests"], one["rows"], one["agreement"])
            for one in answer["shadows"]
        ),
        empty=f"Nothing of {model} looks on: see `inkwell promote --shadow`.",
    )
