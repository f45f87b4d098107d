"""`inkwell models`, `versions`, `history` and `jobs`: what there is and was."""

from collections.abc import Mapping
from typing import Any

import click

from inkwell.client import Answer, Client
from inkwell.job_handle import datasets
from inkwell.settings import Settings
from inkwell.tables import as_json, moment, print_json, print_table
from inkwell.watching import epochs, reason


@click.command()
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
@as_json
@click.pass_obj
def models(settings: Settings, limit: int, as_json: bool) -> None:
    """List the models and the newest versions of each."""
    with Client.from_settings(settings) as client:
        listed = client.models()["models"]
        versions = {m["name"]: client.versions(m["name"], limit=limit)["versions"] for m in listed}
    if as_json:
        print_json([model | {"versions": versions[model["name"]]} for model in listed])
        return
    print_table(
        ["model", "version", "aliases", "test accuracy", "data set", "created"],
        (
            (name, *_of_version(version), moment(version.get("created_at")))
            for name in versions
            for version in versions[name]
        ),
        empty="No models yet: train one with `inkwell train --wait`.",
    )


def _of_version(version: Answer) -> tuple[object, ...]:
    """Return what both lists tell of a version; of one that is damaged that, and its number."""
    return (
        version["version"],
        ", ".join(version["aliases"]),
        version.get("test_accuracy"),
        version.get("error") or version["dataset"],
    )


@click.command()
@click.argument("model")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
@as_json
@click.pass_obj
def versions(settings: Settings, model: str, limit: int, as_json: bool) -> None:
    """List the versions of MODEL, newest first."""
    with Client.from_settings(settings) as client:
        page = client.versions(model, limit=limit)
    if as_json:
        print_json(page)
        return
    print_table(
        ["version", "aliases", "test accuracy", "data set", "parameters", "from", "created"],
        (
            (*_of_version(v), v.get("parameters"), v.get("parent"), moment(v.get("created_at")))
            for v in page["versions"]
        ),
        empty=f"{model} has no version yet: train one with `inkwell train --wait`.",
    )


@click.command()
@click.argument("model")
@as_json
@click.pass_obj
def history(settings: Settings, model: str, as_json: bool) -> None:
    """List the moves of MODEL's aliases: when, from, to, who, why."""
    with Client.from_settings(settings) as client:
        answer = client.history(model)
    if as_json:
        print_json(answer)
        return
    print_table(
        ["at", "alias", "from", "to", "by", "reason"],
        (
            (
                moment(m["at"]),
                m["alias"],
                named(m, "from", "from_"),
                named(m, "to"),
                m["actor"],
                m["reason"],
            )
            for m in answer["history"]
        ),
        empty=f"No alias of {model} was ever set: see `inkwell promote`.",
    )


def named(move: Mapping[str, Any], end: str, prefix: str = "") -> str:
    """Return what an alias named: a version, or several with their shares, and who looked on."""
    split, shadow = move.get(f"{prefix}split"), move.get(f"{prefix}shadow")
    if split:
        versions = ", ".join(f"{number} ({100 * share:g} %)" for number, share in split.items())
    else:
        versions = str(move[end] or "")
    return f"{versions}, shadow {shadow}" if shadow else versions


@click.command()
@click.option("--status", help="Only jobs of this status.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@as_json
@click.pass_obj
def jobs(settings: Settings, status: str | None, limit: int, as_json: bool) -> None:
    """List the latest training jobs."""
    with Client.from_settings(settings) as client:
        page = client.jobs(limit=limit, **({"status": status} if status else {}))
    if as_json:
        print_json(page)
        return
    print_table(
        ["id", "status", "model", "data set", "epoch", "result", "created"],
        (_job_row(job) for job in page["jobs"]),
        empty="No jobs yet: start one with `inkwell train`.",
    )


def _job_row(job: Answer) -> tuple[object, ...]:
    config, progress, result = job["config"], job.get("progress") or {}, job.get("result") or {}
    return (
        job["id"],
        job["status"],
        config["model"],
        datasets(config),
        f"{progress.get('epoch', 0)}/{epochs(job)}",
        reason(job) or result.get("test_accuracy"),
        moment(job["times"]["created_at"]),
    )
