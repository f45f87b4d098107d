"""`inkwell feedback`: pictures that were answered wrongly, with the label that is right."""

from pathlib import Path

import click

from inkwell.client import Client
from inkwell.group import Group
from inkwell.progress import counting_bar
from inkwell.settings import Settings
from inkwell.tables import as_json, moment, print_json, print_table

the_model = click.option("--model", help="Model that answered.  [default: INKWELL_MODEL]")


@click.group(cls=Group, short_help="Corrected examples: add, list, remove.")
def feedback() -> None:
    """Pictures that were answered wrongly, with the label that is right.

    A job learns them with: inkwell train --dataset mnist --dataset feedback
    """


@feedback.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--label", required=True, help="The label that is right for all of them.")
@the_model
@click.option("--version", help="Version that was wrong: a number or alias.  [default: live]")
@as_json
@click.pass_obj
def add(
    settings: Settings,
    files: tuple[Path, ...],
    label: str,
    model: str | None,
    version: str | None,
    as_json: bool,
) -> None:
    """Keep pictures, .npy or IDX files with the label that is right."""
    model, added = model or settings.model, 0
    with (
        Client.from_settings(settings) as client,
        counting_bar("sending", len(files)) as move_on,
    ):
        for file in files:
            kept = client.add_feedback(file, label, model=model, version=version)
            added += kept["added"]
            move_on()
    if as_json:
        print_json(kept | {"added": added})
    else:
        click.echo(f"{added} kept as {label}; {model} has {kept['count']} corrected examples.")


@feedback.command("list")
@the_model
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
@as_json
@click.pass_obj
def list_feedback(settings: Settings, model: str | None, limit: int, as_json: bool) -> None:
    """List the latest corrected examples."""
    with Client.from_settings(settings) as client:
        page = client.feedback(model=model or settings.model, limit=limit)
    if as_json:
        print_json(page)
        return
    print_table(
        ["number", "label", "version", "at"],
        ((e["number"], e["label"], e["version"], moment(e["at"])) for e in page["feedback"]),
        empty="No feedback yet: correct an answer with `inkwell feedback add`.",
    )
    if page["count"]:
        labels = ", ".join(f"{n} as {label}" for label, n in sorted(page["labels"].items()))
        click.echo(f"{page['count']} in all: {labels}")


@feedback.command()
@click.argument("numbers", nargs=-1, required=True, type=click.IntRange(1), metavar="NUMBER...")
@the_model
@as_json
@click.pass_obj
def remove(settings: Settings, numbers: tuple[int, ...], model: str | None, as_json: bool) -> None:
    """Delete corrected examples, by the numbers of `list`."""
    with Client.from_settings(settings) as client:
        for number in numbers:
            client.delete_feedback(number, model=model or settings.model)
    if as_json:
        print_json({"removed": list(numbers)})
    else:
        click.echo(f"{len(numbers)} removed.")
