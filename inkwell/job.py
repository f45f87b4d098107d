"""`inkwell job`: one training job, and orders about it."""

import sys

import click

from inkwell.client import Answer, Client
from inkwell.handle import ENDED
from inkwell.settings import Settings
from inkwell.tables import as_json, moment, print_json, print_table
from inkwell.watching import epoch_line, epochs, failure, outcome


@click.command(short_help="Show a job, stop it, let it go on.")
@click.argument("job_id", metavar="ID")
@click.argument(
    "order", type=click.Choice(["show", "stop", "resume", "log"]), default="show", required=False
)
@as_json
@click.pass_obj
def job(settings: Settings, job_id: str, order: str, as_json: bool) -> None:
    """Show job ID; `stop` it, `resume` it, or print its `log`.

    Exits with 1 where the job has failed, so that scripts need not read.
    """
    with Client.from_settings(settings) as client:
        answer = client.order(job_id, order) if order in ("stop", "resume") else client.job(job_id)
    if as_json:
        print_json(answer["story"] if order == "log" else answer)
    elif order == "log":
        rows = [(moment(line["at"]), line["event"]) for line in answer["story"]]
        print_table(["at", "what happened"], rows, empty="Nothing has happened yet.")
    else:
        click.echo(described(answer))
    if order == "show" and answer["status"] == "failed":
        sys.exit(1)


def described(answer: Answer) -> str:
    """Return a line about a job, whatever state it is in."""
    if answer["status"] == "finished":
        return outcome(answer)
    if answer["status"] in ENDED:
        return failure(answer)
    line = f"Job {answer['id']} is {answer['status']}"
    if answer.get("stopping"):
        line += ", and asked to stop"
    history = answer.get("history") or []
    return f"{line}: {epoch_line(history[-1], epochs(answer))}" if history else line
