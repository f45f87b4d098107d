"""The options that describe a training job: those of `inkwell train`, and of a sweep's trials."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from inkwell.calls import job_config
from inkwell.client import Answer
from inkwell.errors import InkwellError

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


OPTIONS = (
    click.option(
        "--dataset",
        multiple=True,
        help="Data set to train on, several if given so often; the first tests.  [default: digits]",
    ),
    click.option("--model", help="Model to make a version of.  [default: INKWELL_MODEL]"),
    click.option("--preset", help="Network of an article, by name, such as mini-batch-sse."),
    click.option("--epochs", type=click.IntRange(min=1)),
    click.option("--batch-size", type=click.IntRange(min=1)),
    click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True)),
    click.option("--seed", type=click.IntRange(min=0)),
    click.option("--hidden", type=Widths(), help="Widths of the hidden layers, as 128,64."),
    click.option("--promote", type=click.Choice(["if_better", "always", "never"])),
    click.option(
        "--config",
        "config_file",
        type=click.File(encoding="utf-8"),
        help="JSON file with any keys of the job; the other options win over it.",
    ),
    click.option(
        "--set",
        "keys",
        type=Setting(),
        multiple=True,
        help="Any key of the job, as optimizer.learning_rate=0.01; wins over all others.",
    ),
)
C = TypeVar("C", bound=Callable[..., Any])


def job_options(command: C) -> C:
    """Give a command these options, for `train_config`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def train_config(
    default_model: str,
    *,
    config_file: Any = None,
    dataset: Sequence[str] = (),
    learning_rate: float | None = None,
    hidden: list[int] | None = None,
    keys: Sequence[tuple[list[str], Any]] = (),
    **given: Any,
) -> Answer:
    """Return the job's config: the file's keys, and over them the options that were given."""
    config = _read(config_file) if config_file else {}
    config |= {key: value for key, value in given.items() if value is not None}
    if dataset:
        config["dataset"] = [*dataset] if len(dataset) > 1 else dataset[0]
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
