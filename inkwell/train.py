"""`inkwell train`: queue a training job, and watch it."""

import sys
from typing import Any

import click

from inkwell.client import Answer, Client
from inkwell.errors import InkwellError
from inkwell.job_options import job_options, train_config
from inkwell.progress import progress_bar
from inkwell.settings import Settings
from inkwell.tables import as_json, print_json
from inkwell.watching import EpochLines, failure, follow, outcome


@click.command(short_help="Train a new version.")
@job_options
@click.option("--wait", "--follow", "wait", is_flag=True, help="Show the progress and the result.")
@as_json
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
            click.echo(f"\nJob {job['id']} goes on; look at it with: {_look_at(job)}", err=True)
            sys.exit(130)
    if as_json:
        print_json(job)
    if job["status"] != "finished":
        raise InkwellError(failure(job))
    if not as_json:
        click.echo(outcome(job))


def _print_queued(job: Answer, as_json: bool) -> None:
    if as_json:
        print_json(job)
    else:
        click.echo(f"Job {job['id']} is {job['status']}; look at it with: {_look_at(job)}")


def _look_at(job: Answer) -> str:
    return f"inkwell job {job['id']}"


def _wait(client: Client, job: Answer, as_json: bool) -> Answer:
    def look() -> Answer:
        return client.job(job["id"])

    if as_json:
        return follow(look, lambda job: None)
    click.echo(f"Job {job['id']}")
    if not sys.stdout.isatty():
        return follow(look, EpochLines(click.echo))
    with progress_bar() as show:
        return follow(look, show)
