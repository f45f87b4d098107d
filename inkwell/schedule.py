"""`inkwell schedule`: jobs that are posted by themselves."""

from typing import Any

import click

from inkwell.client import Answer, Client
from inkwell.group import Group
from inkwell.job_handle import datasets
from inkwell.job_options import job_options, train_config
from inkwell.settings import Settings
from inkwell.tables import as_json, moment, print_json, print_table


@click.group(cls=Group, short_help="Retraining by the clock: add, list, show, remove.")
def schedule() -> None:
    """Jobs that are posted by themselves, each night say."""


@schedule.command()
@click.argument("name")
@click.option("--cron", required=True, help='When: "0 2 * * *" is each night at two.')
@job_options
@as_json
@click.pass_obj
def add(settings: Settings, /, name: str, cron: str, as_json: bool, **options: Any) -> None:
    """Let a job be posted at the times of a cron expression; one called NAME is replaced."""
    job = train_config(settings.model, **options)
    with Client.from_settings(settings) as client:
        _print(client.put_schedule(name, cron, job), as_json)


@schedule.command("list")
@as_json
@click.pass_obj
def list_schedules(settings: Settings, as_json: bool) -> None:
    """List the schedules that there are."""
    with Client.from_settings(settings) as client:
        answer = client.schedules()
    if as_json:
        print_json(answer)
        return
    print_table(
        ["schedule", "cron", "model", "data set", "next", "last", "error"],
        (
            (
                one["name"],
                one["cron"],
                one["job"]["model"],
                datasets(one["job"]),
                moment(one["next_at"]),
                moment(one["last_at"]),
                one["error"],
            )
            for one in answer["schedules"]
        ),
        empty='No schedules yet: add one with `inkwell schedule add nightly --cron "0 2 * * *"`.',
    )


@schedule.command()
@click.argument("name")
@as_json
@click.pass_obj
def show(settings: Settings, name: str, as_json: bool) -> None:
    """Show when a schedule posts its job, and how it went the last time."""
    with Client.from_settings(settings) as client:
        _print(client.schedule(name), as_json)


@schedule.command()
@click.argument("name")
@as_json
@click.pass_obj
def remove(settings: Settings, name: str, as_json: bool) -> None:
    """Delete a schedule; jobs that it has posted go on."""
    with Client.from_settings(settings) as client:
        client.delete_schedule(name)
    if as_json:
        print_json({"removed": name})
    else:
        click.echo(f"{name} is removed.")


def _print(answer: Answer, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    model, next_at = answer["job"]["model"], moment(answer["next_at"])
    click.echo(f"{answer['name']} trains {model} next at {next_at}.")
    if answer["last_at"]:
        last = answer["error"] or f"job {answer['last_job']}"
        click.echo(f"The last time, {moment(answer['last_at'])}: {last}")
