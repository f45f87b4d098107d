"""`inkwell predict`: what the live version sees in pictures and arrays."""

import json
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import click

from inkwell.client import Answer, Client, ServiceError
from inkwell.settings import Settings
from inkwell.tables import print_table

# What a file is, by its first bytes; names can lie and standard input has none.
MAGIC = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
    b"\x93NUMPY": "application/x-npy",
    b"\x00\x00\x08": "application/x-idx",  # unsigned bytes; the next byte counts dimensions
    b"{": "application/json",
    b"[": "application/json",
}

GZIP_WRAPPER = 16 + zlib.MAX_WBITS  # what zlib calls a gzip header around the stream


class UnknownKind(ValueError):  # noqa: N818 - reads as the sentence it is
    """The bytes are none of the kinds that the service takes."""


def content_type(content: bytes) -> str:
    """Return the media type of a body by its first bytes."""
    head = content[:16]
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[:2] == b"\x1f\x8b" and _unzipped_head(content).startswith(b"\x00\x00\x08"):
        return "application/x-idx"  # taken compressed, as MNIST comes
    for magic, kind in MAGIC.items():
        if head.startswith(magic):
            return kind
    raise UnknownKind("is no picture, .npy, IDX or JSON file" if content else "is empty")


def _unzipped_head(content: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=GZIP_WRAPPER).decompress(content, 16)
    except zlib.error:
        return b""


@click.command(short_help="Say which digits files show.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--model", help="Model to ask.  [default: INKWELL_MODEL]")
@click.option("--version", help="Version to ask: a number or an alias.  [default: live]")
@click.option("--json", "as_json", is_flag=True, help="Print the answers, one line for each file.")
@click.pass_obj
def predict(
    settings: Settings,
    files: tuple[str, ...],
    model: str | None,
    version: str | None,
    as_json: bool,
) -> None:
    """Say which digits pictures, .npy and IDX files (gzipped or not) show; `-` reads stdin."""
    answers: list[tuple[str, Answer]] = []
    with Client.from_settings(settings) as client:
        for name in files:
            try:
                content = _read(name)
                answer = client.predict(
                    content, content_type(content), model=model or settings.model, version=version
                )
            except (OSError, UnknownKind, ServiceError) as error:
                reason = error.strerror if isinstance(error, OSError) else error
                click.echo(f"Error: {name}: {reason}", err=True)
                continue
            answers.append((name, answer))
            if as_json:
                click.echo(json.dumps({"file": name} | answer, ensure_ascii=False))
    if answers and not as_json:
        _print(answers)
    if len(answers) < len(files):
        sys.exit(1)


def _read(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()


def _print(answers: list[tuple[str, Answer]]) -> None:
    print_table(["file", "label", "probability"], _rows(answers), empty="Nothing to predict.")
    click.echo("Answered by " + ", ".join(sorted({_version(answer) for _, answer in answers})))


def _rows(answers: list[tuple[str, Answer]]) -> Iterator[tuple[str, str, float]]:
    for name, answer in answers:
        predictions = answer["predictions"]
        for row, prediction in enumerate(predictions):
            where = name if len(predictions) == 1 else f"{name}[{row}]"
            yield where, prediction["label"], prediction["probability"]


def _version(answer: Answer) -> str:
    return f"{answer['model']} version {answer['version']}"
