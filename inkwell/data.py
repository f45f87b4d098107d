"""`inkwell data`: data sets to train on."""

from pathlib import Path
from typing import Any

import click

from inkwell.client import Answer, Client
from inkwell.group import Group
from inkwell.progress import busy_bar
from inkwell.settings import Settings
from inkwell.tables import as_json, moment, print_json, print_table

a_path = click.Path(exists=True, path_type=Path)
a_file = click.Path(exists=True, dir_okay=False, path_type=Path)
MOST_LABELS = 20  # that are shown in a line


@click.group(cls=Group, short_help="Data sets: add, list, show, remove.")
def data() -> None:
    """Look after what is trained on: data sets of your own, beside those that come with Inkwell."""


@data.command()
@click.argument("name")
@click.argument("path", type=a_path, required=False, metavar="[FILE|DIR]")
@click.option("--test", type=a_path, help="The part to test with; a fifth is held out else.")
@click.option("--train-images", type=a_file, help="An IDX file, as MNIST's; and so on:")
@click.option("--train-labels", type=a_file)
@click.option("--test-images", type=a_file)
@click.option("--test-labels", type=a_file)
@as_json
@click.pass_obj
def add(
    settings: Settings,
    /,
    name: str,
    path: Path | None,
    test: Path | None,
    as_json: bool,
    **idx: Path | None,
) -> None:
    """Upload a data set as NAME; jobs train on it by that name.

    FILE is an .npz, a CSV (a label and 784 numbers a line) or a zip; DIR, or the zip, has pictures
    in folders named by their label. IDX files are given by the options instead.
    """
    parts = {part: file for part, file in idx.items() if file is not None}
    if (path is None) == (not parts) or (test is not None and path is None):
        raise click.UsageError("Give a file or a folder, perhaps with --test; or IDX files.")
    if path is not None:
        parts = {"train": path} | ({"test": test} if test else {})
    with Client.from_settings(settings) as client, busy_bar(f"uploading {name}"):
        added = client.add_dataset(name, parts if path is None or test else path)
    if as_json:
        print_json(added)
    else:
        _describe(added)


@data.command("list")
@as_json
@click.pass_obj
def list_datasets(settings: Settings, as_json: bool) -> None:
    """List the data sets that there are."""
    with Client.from_settings(settings) as client:
        answer = client.datasets()
    if as_json:
        print_json(answer)
        return
    print_table(
        ["data set", "labels", "train", "test", "uploaded"],
        (_row(one) for one in answer["datasets"]),
        empty="No data sets.",
    )


def _row(one: Answer) -> tuple[str, ...]:
    if "error" in one:
        return one["name"], one["error"], "", "", ""
    since = moment(one["created_at"]) if one["uploaded"] else "comes with Inkwell"
    return one["name"], _labels(one), f"{one['train_rows']:,}", f"{one['test_rows']:,}", since


@data.command()
@click.argument("name")
@as_json
@click.pass_obj
def show(settings: Settings, name: str, as_json: bool) -> None:
    """Show what is known of a data set, with the report of its check."""
    with Client.from_settings(settings) as client:
        answer = client.dataset(name)
    if as_json:
        print_json(answer)
    else:
        _describe(answer)


@data.command()
@click.argument("name")
@as_json
@click.pass_obj
def remove(settings: Settings, name: str, as_json: bool) -> None:
    """Delete an uploaded data set."""
    with Client.from_settings(settings) as client:
        client.delete_dataset(name)
    if as_json:
        print_json({"removed": name})
    else:
        click.echo(f"{name} is removed.")


def _describe(answer: Answer) -> None:
    rows = f"{answer['train_rows']:,} pictures to train on, {answer['test_rows']:,} to test with"
    click.echo(f"{answer['name']}: {rows}; labels {_labels(answer)}.")
    report: dict[str, Any] = answer.get("report") or {}
    if report.get("left_out_count"):
        click.echo(f"Left out: {report['left_out_count']:,}, such as")
        for one in report["left_out"][:3]:
            click.echo(f"  {one['file']}: {one['reason']}")
    for warning in report.get("warnings", ()):
        click.echo(f"Mind: {warning}")


def _labels(answer: Answer) -> str:
    labels = answer["labels"]
    more = f" … ({len(labels)})" if len(labels) > MOST_LABELS else ""
    return " ".join(labels[:MOST_LABELS]) + more
