"""`inkwell doctor`: looks at what commonly goes wrong, and says what to change."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import click

from inkwell.client import Client, ServiceError
from inkwell.errors import InkwellError
from inkwell.settings import Settings
from inkwell.tables import as_json, print_json, print_table

GOOD, POOR, BAD = "ok", "mind", "wrong"
LEAST_FREE = 2 * 2**30  # bytes: a version is some 1 MB, MNIST 55 MB
SLOW_SECONDS = 1.0  # to answer: probes wait for 3 in compose, for 5 in Kubernetes
BLAS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Finding(NamedTuple):
    """What was looked at, how it is, and what to do where it is not well."""

    what: str
    state: str
    finding: str
    advice: str = ""


@click.command(short_help="Say what is wrong, and what to change.")
@as_json
@click.pass_obj
def doctor(settings: Settings, as_json: bool) -> None:
    """Look at service, time-outs, Redis, workers, store, disk, token, BLAS threads; advise.

    Exits with 1 where something is wrong.
    """
    with Client.from_settings(settings) as client:
        findings = [*_machine(settings), *_service(client, settings)]
    if as_json:
        print_json([finding._asdict() for finding in findings])
    else:
        print_table(["what", "", "finding", "what to change"], findings, empty="")
    if any(finding.state == BAD for finding in findings):
        sys.exit(1)


def _machine(settings: Settings) -> Iterator[Finding]:
    yield _store(settings)
    if settings.store.is_dir() and not settings.bucket:
        yield _disk(settings)
    yield _token(settings)
    yield _blas(settings)


def _store(settings: Settings) -> Finding:
    if settings.bucket:  # which the service can reach, or else it has no model
        return Finding("store", GOOD, settings.bucket)
    store = settings.store.absolute()
    if not store.is_dir():
        advice = "`inkwell up` makes it; INKWELL_STORE names another"
        return Finding("store", POOR, f"{store} is not there", advice)
    if not os.access(store, os.W_OK | os.X_OK):
        return Finding("store", BAD, f"{store} cannot be written", "its owner, or INKWELL_STORE")
    return Finding("store", GOOD, str(store))


def _disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(settings.store).free
    finding = f"{free / 2**30:,.1f} GB free"
    if free < LEAST_FREE:
        return Finding("disk", BAD, finding, "make room, or set INKWELL_KEEP_LAST")
    return Finding("disk", GOOD, finding)


def _token(settings: Settings) -> Finding:
    if settings.token():
        return Finding("admin token", GOOD, "known here")
    advice = "set INKWELL_ADMIN_TOKEN to that of the service"
    return Finding("admin token", POOR, "not known here: nothing can be changed", advice)


def _blas(settings: Settings) -> Finding:
    cores = len(os.sched_getaffinity(0))
    set_here = {name: settings.environ[name] for name in BLAS if settings.environ.get(name)}
    if not set_here:
        return Finding("BLAS threads", GOOD, f"each process chooses; {cores} cores")
    named = ", ".join(f"{name}={value}" for name, value in set_here.items())
    most = max((int(value) for value in set_here.values() if value.isdecimal()), default=1)
    if most > cores:
        advice = f"unset them, or at most {cores}: threads would wait for each other"
        return Finding("BLAS threads", POOR, f"{named}; {cores} cores", advice)
    return Finding("BLAS threads", GOOD, f"{named}; {cores} cores")


def _service(client: Client, settings: Settings) -> Iterator[Finding]:
    asked_at = time.perf_counter()
    if not client.live():
        advice = "start one with `inkwell up`, or set INKWELL_URL"
        yield Finding("service", BAD, f"nobody answers at {client.url}", advice)
        return
    yield Finding("service", GOOD, client.url)
    yield _time_outs(time.perf_counter() - asked_at)
    yield _asked("model", lambda: _readiness(client.readiness()))
    try:
        system = client.system()
    except InkwellError as error:
        yield Finding("Redis", BAD, str(error))
        return
    yield from _queue(system)


def _time_outs(seconds: float) -> Finding:
    finding = f"an answer takes {1000 * seconds:,.0f} ms"
    if seconds > SLOW_SECONDS:
        advice = "probes give up after 3 s: more cores, or longer time-outs"
        return Finding("time-outs", POOR, finding, advice)
    return Finding("time-outs", GOOD, finding)


def _asked(what: str, ask: Callable[[], Finding]) -> Finding:
    try:
        return ask()
    except ServiceError as error:
        return Finding(what, BAD, str(error))


def _readiness(ready: dict[str, Any]) -> Finding:
    if not ready["ready"]:
        advice = "train one: inkwell train --wait"
        return Finding("model", BAD, f"{ready['model']}: {ready['reason']}", advice)
    refused = [f"{one['model']} {one['alias']}: {one['reason']}" for one in ready["refused"]]
    if refused:
        advice = "roll back, or bring the files back"
        return Finding("model", POOR, "; ".join(refused), advice)
    return Finding("model", GOOD, f"{ready['model']} version {ready['version']} answers")


def _queue(system: dict[str, Any]) -> Iterator[Finding]:
    if system["workers"] is None:
        advice = "start it, or set INKWELL_REDIS_URL; predictions go on without"
        yield Finding("Redis", BAD, "the service cannot reach it", advice)
        return
    waiting = sum(system["waiting"].values())
    yield Finding("Redis", GOOD, f"{waiting} jobs wait")
    if system["workers"]:
        yield Finding("workers", GOOD, f"{len(system['workers'])} run")
    else:
        advice = "start one: python -m worker"
        yield Finding("workers", BAD, "none runs: jobs wait", advice)
