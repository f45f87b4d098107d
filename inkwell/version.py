"""`inkwell version`: one version of a model."""

from pathlib import Path

import click

from inkwell.client import Answer, Client
from inkwell.group import Group
from inkwell.settings import Settings
from inkwell.tables import as_json, moment, print_json, print_table

FORMATS = ("onnx", "npz", "safetensors")


@click.group(cls=Group, short_help="One version: show, export, remove.")
def version() -> None:
    """Look at one version of a model, fetch it as a file, delete it."""


@version.command()
@click.argument("model")
@click.argument("version", default="live")
@as_json
@click.pass_obj
def show(settings: Settings, model: str, version: str, as_json: bool) -> None:
    """Show VERSION of MODEL, a number or alias: how it was made, and how it was judged."""
    with Client.from_settings(settings) as client:
        manifest = client.version(model, version).manifest
    if as_json:
        print_json(manifest)
    else:
        print_table(["version", str(manifest["version"])], _facts(manifest), empty="")


def _facts(manifest: Answer) -> list[tuple[str, object]]:
    verdict: Answer = manifest["verdict"] or {}
    return [
        ("aliases", ", ".join(manifest["aliases"])),
        ("test accuracy", manifest["metrics"].get("test_accuracy")),
        ("data set", manifest["dataset"]["name"]),
        ("layers", ", ".join(layer["type"] for layer in manifest["layers"])),
        ("from", manifest["parent"]),
        ("job", manifest["job_id"]),
        ("created", moment(manifest["created_at"])),
        ("verdict", verdict.get("reason")),
    ]


@version.command()
@click.argument("model")
@click.argument("version", default="live")
@click.option("--format", type=click.Choice(FORMATS), default="onnx", show_default=True)
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="File, or - for stdout.  [default: MODEL-vVERSION.FORMAT]",
)
@click.pass_obj
def export(settings: Settings, model: str, version: str, format: str, output: Path | None) -> None:
    """Fetch VERSION of MODEL as a file for other programs."""
    with Client.from_settings(settings) as client:
        number = client.version(model, version).version
        content = client.export(model, number, format)
    if output == Path("-"):
        click.echo(content, nl=False)
        return
    file = output or Path(f"{model}-v{number}.{format}")
    file.write_bytes(content)
    click.echo(f"{file}: {len(content):,} bytes.")


@version.command()
@click.argument("model")
@click.argument("version", type=click.IntRange(min=1))
@as_json
@click.pass_obj
def remove(settings: Settings, model: str, version: int, as_json: bool) -> None:
    """Delete VERSION of MODEL, which no alias may name; its number is not given again."""
    with Client.from_settings(settings) as client:
        client.delete_version(model, version)
    if as_json:
        print_json({"model": model, "removed": version})
    else:
        click.echo(f"{model} version {version} is removed.")
