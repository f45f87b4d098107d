"""Schedules: jobs that post themselves, each night say."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, current_app, request, url_for

from jobs.options import read_job
from jobs.schedules import Schedule, Schedules, next_time
from nncore.errors import ConfigError, FieldError
from nncore.names import check_model_name
from nncore.specs import from_json, run_checks
from service.answers import answer
from service.bodies import SMALL, read_body
from service.context import store
from service.json_body import read_object
from service.problems import Problem
from service.tokens import admin_only

bp = Blueprint("schedules", __name__, url_prefix="/api/v1/schedules")


@dataclass(frozen=True, kw_only=True)
class ScheduleRequest:
    """A schedule as it is put: when, and the job as it is posted then."""

    cron: str
    job: dict[str, Any]


@bp.put("/<schedule>")
@admin_only
def put_schedule(schedule: str) -> Response:
    check_model_name(schedule, "")
    body = read_object(read_body(request.environ, SMALL))
    asked: ScheduleRequest = from_json(ScheduleRequest, body)
    run_checks(lambda: _check_cron(asked.cron), lambda: _check_job(asked.job))
    kept = _schedules().put(schedule, asked.cron, asked.job)
    return answer(vars(kept), 200, {"Location": url_for(".show_schedule", schedule=schedule)})


@bp.get("")
def list_schedules() -> Response:
    return answer({"schedules": [vars(schedule) for schedule in _schedules().all()]})


@bp.get("/<schedule>")
def show_schedule(schedule: str) -> Response:
    return answer(vars(_find(schedule)))


@bp.delete("/<schedule>")
@admin_only
def delete_schedule(schedule: str) -> Response:
    if not _schedules().delete(schedule):
        raise _not_found(schedule)
    return Response(status=204)


def _check_cron(cron: str) -> None:
    next_time(cron)


def _check_job(job: dict[str, Any]) -> None:
    try:
        read_job(job, store())
    except ConfigError as error:
        inside = [FieldError(f"/job{e.pointer}", e.detail) for e in error.errors]
        raise ConfigError(inside) from None


def _find(name: str) -> Schedule:
    schedule = _schedules().get(name)
    if schedule is None:
        raise _not_found(name)
    return schedule


def _not_found(name: str) -> Problem:
    return Problem(404, "not-found", f"There is no schedule {name[:80]!r}.")


def _schedules() -> Schedules:
    schedules: Schedules = current_app.extensions["schedules"]
    return schedules
