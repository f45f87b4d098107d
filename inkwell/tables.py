"""How answers look on a terminal, and in a pipe."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

# In a pipe no line is folded or cut: programs read it.
PIPE_WIDTH = 10_000

as_json = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")


def console() -> Console:
    """Return a console on stdout as it is now."""
    # A colour outside a terminal would end up in files and pipes, so not even FORCE_COLOR adds one.
    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, width=PIPE_WIDTH, force_terminal=False, no_color=True)


def errors() -> Console:
    """Return a console on stderr, where bars do not mix with answers; silent outside a terminal."""
    return Console(stderr=True, highlight=False, quiet=not sys.stderr.isatty())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """Print rows below their headings, or a sentence where there are none."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        # An id stays whole on its line, to be copied; the rest folds.
        table.add_column(name, overflow="fold", no_wrap=name == "id")
    for row in rows:
        # Text, not str: brackets in an answer are no markup.
        table.add_row(*(Text(cell(value)) for value in row))
    if table.row_count:
        console().print(table)
    else:
        click.echo(empty)


def print_json(answer: Any) -> None:
    """Print an answer as it came."""
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def cell(value: object) -> str:
    """Return what stands in a table for a value."""
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def moment(stamp: str | None) -> str:
    """Return an ISO time stamp in the clock of this machine, to the second."""
    if not stamp:
        return ""
    try:
        return f"{datetime.fromisoformat(stamp).astimezone():%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return stamp
