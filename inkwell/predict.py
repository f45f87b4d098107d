"""`inkwell predict`: what the live version sees in pictures and arrays."""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from inkwell.client import Answer, Client, ServiceError
from inkwell.errors import InkwellError
from inkwell.kinds import UnknownKind, content_type
from inkwell.progress import counting_bar
from inkwell.settings import Settings
from inkwell.tables import print_table

HEAD_BYTES = 4096  # of a file in a folder: enough to tell what it is


@click.command(short_help="Say which digits files show.")
@click.argument("files", nargs=-1, required=True, metavar="FILE|DIR|-...")
@click.option("--model", help="Model to ask.  [default: INKWELL_MODEL]")
@click.option("--version", help="Version to ask: a number or an alias.  [default: live]")
@click.option("--json", "as_json", is_flag=True, help="Print the answers, one line for each file.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the rows as CSV.")
@click.pass_obj
def predict(
    settings: Settings,
    files: tuple[str, ...],
    model: str | None,
    version: str | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Say which digits pictures, .npy and IDX files (gzipped or not) show; `-` reads stdin.

    Of a zip all pictures, of a folder all files in it that are such. Exits with 1 where a file
    could not be answered.
    """
    answers: list[tuple[str, Answer]] = []
    names = [name for given in files for name in _in_folder(given)]
    failed = False
    with (
        Client.from_settings(settings) as client,
        counting_bar("asking", len(names)) as move_on,
    ):
        for name in names:
            move_on()
            try:
                content = _read(name)
                answer = client.post_pixels(
                    content, content_type(content), model=model or settings.model, version=version
                )
            except (OSError, UnknownKind, ServiceError) as error:
                reason = error.strerror if isinstance(error, OSError) else error
                click.echo(f"Error: {name}: {reason}", err=True)
                failed = True
                continue
            for refused in answer.get("refused", ()):
                click.echo(f"Error: {name}: {refused['detail']}", err=True)
                failed = True
            answers.append((name, answer))
            if as_json:
                click.echo(json.dumps({"file": name} | answer, ensure_ascii=False))
    if as_csv:
        _print_csv(answers)
    elif answers and not as_json:
        _print(answers)
    if failed:
        sys.exit(1)


def _in_folder(name: str) -> list[str]:
    """Return the files of a folder that are of a kind that we know; a file's name alone."""
    folder = Path(name or "-")
    if not folder.is_dir():
        return [name]
    found = sorted(path for path in folder.rglob("*") if path.is_file() and _is_known(path))
    if not found:
        raise InkwellError(f"{name} has no picture, zip, .npy, IDX or JSON file in it")
    return [str(path) for path in found]


def _is_known(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            content_type(file.read(HEAD_BYTES))
    except UnknownKind:
        return False
    except OSError:
        pass  # it is told of when it is its turn
    return not path.name.startswith(".")


def _print_csv(answers: list[tuple[str, Answer]]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(["file", "label", "probability", "model", "version"])
    for name, answer in answers:
        for row in _rows([(name, answer)]):
            writer.writerow([*row, answer["model"], answer["version"]])


def _read(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()


def _print(answers: list[tuple[str, Answer]]) -> None:
    print_table(["file", "label", "probability"], _rows(answers), empty="Nothing to predict.")
    click.echo("Answered by " + ", ".join(sorted({_version(answer) for _, answer in answers})))


def _rows(answers: list[tuple[str, Answer]]) -> Iterator[tuple[str, str, float]]:
    for name, answer in answers:
        predictions = answer["predictions"]
        for row, prediction in enumerate(predictions):
            inside = prediction.get("picture", {}).get("file", row)
            where = name if inside == 0 and len(predictions) == 1 else f"{name}[{inside}]"
            yield where, prediction["label"], prediction["probability"]


def _version(answer: Answer) -> str:
    return f"{answer['model']} version {answer['version']}"
