"""`inkwell train`: queue a training job, and watch it."""

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from inkwell.calls import job_config
from inkwell.client import Answer, Client
from inkwell.errors import InkwellError
from inkwell.progress import progress_bar
from inkwell.settings import Settings
from inkwell.tables import print_json
from inkwell.watching import EpochLines, failure, follow, outcome

CLASSES = 10  # digits; the service says so in one line if the data set has others


class Widths(click.ParamType[list[int]]):
    """The widths of hidden layers: `128,64`."""

    name = "N,N"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[int]:
        """Return the widths as numbers."""
        try:
            widths = [int(width) for width in str(value).split(",")]
        except ValueError:
            widths = []
        if not widths or min(widths) < 1:
            self.fail(f"{value!r} is not a list of widths like 128,64", param, ctx)
        return widths


class Setting(click.ParamType[tuple[list[str], Any]]):
    """A key of the job by its path, and its value: `optimizer.learning_rate=0.01`."""

    name = "KEY=VALUE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[list[str], Any]:
        """Return the steps of the path, and the value: JSON, or else a text."""
        path, equals, text = str(value).partition("=")
        if not equals or not all(path.split(".")):
            self.fail(f"{value!r} is not of the form key=value or key.key=value", param, ctx)
        try:
            return path.split("."), json.loads(text, parse_constant=_refuse)
        except ValueError:
            return path.split("."), text


@click.command(short_help="Train a new version.")
@click.option("--dataset", help="Data set to train on.  [default: digits]")
@click.option("--model", help="Model to make a version of.  [default: INKWELL_MODEL]")
@click.option("--preset", help="Network of an article, by name, such as mini-batch-sse.")
@click.option("--epochs", type=click.IntRange(min=1))
@click.option("--batch-size", type=click.IntRange(min=1))
@click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True))
@click.option("--seed", type=click.IntRange(min=0))
@click.option("--hidden", type=Widths(), help="Widths of the hidden layers, as 128,64.")
@click.option("--promote", type=click.Choice(["if_better", "always", "never"]))
@click.option(
    "--config",
    "config_file",
    type=click.File(encoding="utf-8"),
    help="JSON file with any keys of the job; the other options win over it.",
)
@click.option(
    "--set",
    "keys",
    type=Setting(),
    multiple=True,
    help="Any key of the job, as optimizer.learning_rate=0.01; wins over all others.",
)
@click.option("--wait", "--follow", "wait", is_flag=True, help="Show the progress and the result.")
@click.option("--json", "as_json", is_flag=True, help="Print the job as JSON.")
@click.pass_obj
def train(settings: Settings, /, wait: bool, as_json: bool, **options: Any) -> None:
    """Train a new version; it is served if it is better than the live one."""
    config = train_config(settings.model, **options)
    with Client.from_settings(settings) as client:
        job = client.post_job(config)
        if not wait:
            _print_queued(job, as_json)
            return
        try:
            job = _wait(client, job, as_json)
        except KeyboardInterrupt:
            click.echo(f"\nJob {job['id']} goes on; watch it with: inkwell jobs", err=True)
            sys.exit(130)
    if as_json:
        print_json(job)
    if job["status"] != "finished":
        raise InkwellError(failure(job))
    if not as_json:
        click.echo(outcome(job))


def train_config(
    default_model: str,
    *,
    config_file: Any = None,
    learning_rate: float | None = None,
    hidden: list[int] | None = None,
    keys: Sequence[tuple[list[str], Any]] = (),
    **given: Any,
) -> Answer:
    """Return the job's config: the file's keys, and over them the options that were given."""
    config = _read(config_file) if config_file else {}
    config |= {key: value for key, value in given.items() if value is not None}
    if learning_rate is not None:
        if not math.isfinite(learning_rate):
            raise click.BadParameter("must be finite", param_hint="--learning-rate")
        optimizer = config.get("optimizer") or {"type": "adam"}
        config["optimizer"] = optimizer | {"learning_rate": learning_rate}
    if hidden is not None:
        config["network"] = network(hidden)
    for path, value in keys:
        _set(config, path, value)
    return job_config(default_model, config)


def network(widths: list[int]) -> list[Answer]:
    """Return the layers of a plain network: dense and ReLU in turn, then one score a class."""
    layers: list[Answer] = []
    for units in widths:
        layers += [{"type": "dense", "units": units}, {"type": "relu"}]
    return [*layers, {"type": "dense", "units": CLASSES}]


def _set(config: Answer, path: list[str], value: Any) -> None:
    """Put a value at the end of a path; what stands in its way by its bare name gets a type."""
    *steps, last = path
    place = config
    for step in steps:
        there = place.get(step, {"type": "adam"} if step == "optimizer" else {})
        place[step] = {"type": there} if isinstance(there, str) else there
        place = place[step]
        if not isinstance(place, dict):
            raise InkwellError(f"--set {'.'.join(path)}: {step} is no object with keys")
    place[last] = value


def _read(file: Any) -> Answer:
    name = Path(file.name).name
    try:
        config = json.load(file, parse_constant=_refuse)
    except ValueError as error:  # not JSON, or not text
        raise InkwellError(f"{name} is not JSON: {error}") from None
    if not isinstance(config, dict):
        raise InkwellError(f"{name} must hold one JSON object with the keys of a job")
    if not isinstance(config.get("optimizer", {}), dict):
        raise InkwellError(f"{name}: optimizer must be an object with a type")
    return config


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number of JSON")


def _print_queued(job: Answer, as_json: bool) -> None:
    if as_json:
        print_json(job)
    else:
        click.echo(f"Job {job['id']} is {job['status']}; watch it with: inkwell jobs")


def _wait(client: Client, job: Answer, as_json: bool) -> Answer:
    if as_json:
        return follow(client, job["id"], lambda job: None)
    click.echo(f"Job {job['id']}")
    if not sys.stdout.isatty():
        return follow(client, job["id"], EpochLines(click.echo))
    with progress_bar() as show:
        return follow(client, job["id"], show)
