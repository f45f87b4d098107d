"""`inkwell sweep`: try values for some keys of a job, and see which are best."""

import json
import sys
from typing import Any

import click

from inkwell.client import Answer, Client
from inkwell.group import Group
from inkwell.job_options import job_options, train_config
from inkwell.progress import sweep_bar
from inkwell.settings import Settings
from inkwell.sweep_handle import Sweep
from inkwell.tables import as_json, moment, print_json, print_table
from inkwell.watching import follow

METRICS = ("validation_accuracy", "validation_loss", "loss")


class Values(click.ParamType[tuple[str, Any]]):
    """A key of the job and what to try for it: a list `16,32,64`, or a range `0.001..0.1`."""

    name = "KEY=VALUES"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        """Return the key, and a list or a range as the service takes it."""
        key, equals, text = str(value).partition("=")
        if not equals or not key or not text:
            self.fail(f"{value!r} is not of the form key=value,value or key=low..high", param, ctx)
        low, dots, high = text.partition("..")
        if not dots:
            return key, _listed(text)
        high, _, scale = high.partition(":")
        try:
            ends = {"low": json.loads(low), "high": json.loads(high)}
        except ValueError:
            self.fail(f"{text!r} is not a range like 0.001..0.1 or 0.001..0.1:log", param, ctx)
        if scale not in ("", "log"):
            self.fail(f"{text!r}: after the colon only 'log' may stand", param, ctx)
        integer = all(type(end) is int for end in ends.values())
        return key, ends | {"log": scale == "log", "integer": integer}


def _listed(text: str) -> list[Any]:
    """Return values between commas, each JSON or else a text."""
    try:
        return list(json.loads(f"[{text}]"))
    except ValueError:
        return [_value(one) for one in text.split(",")]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@click.group(cls=Group, short_help="Try values for some keys: start, list, show, stop.")
def sweep() -> None:
    """Jobs that differ in some keys, and the best of them."""


@sweep.command()
@click.option(
    "--try",
    "tried",
    type=Values(),
    multiple=True,
    required=True,
    help="What to try, as optimizer.learning_rate=0.001,0.01 or (with --trials) =0.0001..0.01:log",
)
@click.option("--trials", type=click.IntRange(1), help="Draw so many; all combinations else.")
@click.option("--metric", type=click.Choice(METRICS), default=METRICS[0], show_default=True)
@click.option("--stop-hopeless", is_flag=True, help="Stop trials that fall behind the others.")
@click.option("--no-publish", is_flag=True, help="Make no version of the best.")
@job_options
@click.option("--wait", "--follow", "wait", is_flag=True, help="Show the progress and the result.")
@as_json
@click.pass_obj
def start(
    settings: Settings,
    /,
    tried: tuple[tuple[str, Any], ...],
    trials: int | None,
    metric: str,
    stop_hopeless: bool,
    no_publish: bool,
    wait: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a job for each of several values of some keys; the best becomes a version.

    The other options are those of `inkwell train`, for what all have in common.
    """
    if trials is None and any(isinstance(values, dict) for _, values in tried):
        raise click.UsageError("Of a range so many are drawn as --trials says.")
    space: Answer = dict(tried)
    with Client.from_settings(settings) as client:
        begun = client.sweep(
            train_config(settings.model, **options),
            grid=space if trials is None else None,
            random=None if trials is None else space,
            trials=trials,
            metric=metric,
            stop_hopeless=stop_hopeless,
            publish=not no_publish,
        )
        if wait:
            _wait(begun, as_json)
    if as_json:
        print_json(begun.answer)
    elif wait:
        _describe(begun.answer)
    else:
        click.echo(f"Sweep {begun.id} waits; watch it with: inkwell sweep show {begun.id}")
    if wait and begun.status != "finished":
        sys.exit(1)


def _wait(begun: Sweep, as_json: bool) -> None:
    def look() -> Answer:
        return begun.refresh().answer

    try:
        if as_json:
            follow(look, lambda _: None)
            return
        click.echo(f"Sweep {begun.id}")
        with sweep_bar() as show:
            follow(look, show)
    except KeyboardInterrupt:
        stop = f"inkwell sweep stop {begun.id}"
        click.echo(f"\nSweep {begun.id} goes on; stop it with: {stop}", err=True)
        sys.exit(130)


@sweep.command("list")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
@as_json
@click.pass_obj
def list_sweeps(settings: Settings, limit: int, as_json: bool) -> None:
    """List the latest sweeps."""
    with Client.from_settings(settings) as client:
        page = client.sweeps(limit=limit)
    if as_json:
        print_json(page)
        return
    print_table(
        ["id", "status", "model", "tries", "created"],
        (
            (
                one["id"],
                one["status"],
                one["model"],
                ", ".join(one["parameters"]),
                moment(one["times"]["created_at"]),
            )
            for one in page["sweeps"]
        ),
        empty="No sweeps yet: start one with `inkwell sweep start --try batch_size=32,64`.",
    )


@sweep.command()
@click.argument("sweep_id", metavar="ID")
@as_json
@click.pass_obj
def show(settings: Settings, sweep_id: str, as_json: bool) -> None:
    """Show a sweep's trials, the best first, and what became of it.

    Exits with 1 where the sweep has failed.
    """
    with Client.from_settings(settings) as client:
        answer = client.find_sweep(sweep_id).answer
    if as_json:
        print_json(answer)
    else:
        _describe(answer)
        click.echo(f"Plot: {settings.url.rstrip('/')}{answer['plot']}")
    if answer["status"] == "failed":
        sys.exit(1)


@sweep.command()
@click.argument("sweep_id", metavar="ID")
@as_json
@click.pass_obj
def stop(settings: Settings, sweep_id: str, as_json: bool) -> None:
    """Stop all trials of a sweep."""
    with Client.from_settings(settings) as client:
        answer = client.stop_sweep(sweep_id)
    if as_json:
        print_json(answer)
    else:
        click.echo(f"Sweep {sweep_id} is {answer['status']}.")


def _describe(answer: Answer) -> None:
    names, metric = answer["parameters"], answer["metric"]
    print_table(
        [*names, "status", "epoch", metric.replace("_", " "), "seconds", "error"],
        (
            (
                *(json.dumps(trial["parameters"].get(name)) for name in names),
                *(trial[key] for key in ("status", "epoch", metric)),
                f"{trial['seconds'] or 0:.1f}",
                trial["error"],
            )
            for trial in answer["trials"]
        ),
        empty="No trials yet.",
    )
    click.echo(_line(answer))


def _line(answer: Answer) -> str:
    """Return a line about a sweep, whatever state it is in."""
    line = f"Sweep {answer['id']} is {answer['status']}"
    if answer["error"]:
        return f"{line}: {answer['error']}"
    result = answer["result"]
    if not result:
        return f"{line}."
    live = "is live" if result["promoted"] else "is not live"
    made = f"{answer['model']} version {result['version']} {live}"
    return f"{line}: {made}, test accuracy {result['test_accuracy']:.4f}."
