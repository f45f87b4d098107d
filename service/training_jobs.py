"""Training jobs: post one, look at one, list them, stop and resume them."""

from collections.abc import Callable

from flask import Blueprint, Response, current_app, g, request, url_for
from rq.exceptions import NoSuchJobError
from rq.job import JobStatus

from jobs.queue import JobQueue
from jobs.records import WrongStateError
from jobs.training_job import STATUSES, TrainingJob
from nncore.config import TrainConfig
from nncore.specs import describe, unknown
from service.admin import admin_only
from service.answers import answer
from service.bodies import SMALL, read_body
from service.job_view import view, view_many
from service.json_body import read_object
from service.problems import Problem
from service.query import page_limit, query_number

bp = Blueprint("training_jobs", __name__, url_prefix="/api/v1/jobs")


@bp.post("")
@admin_only
def post_job() -> Response:
    if request.mimetype != "application/json":
        detail = f"Expected application/json; got {request.mimetype[:80]!r}."
        raise Problem(415, "unknown-content-type", detail)
    if request.args:
        # ?dry_run=true must not start what it was to try.
        detail = f"This address takes no query; got {describe(next(iter(request.args)))}."
        raise Problem(422, "unknown-query", detail)
    config = TrainConfig.from_dict(read_object(read_body(request, limit=SMALL)))
    job = _queue().enqueue(config, request_id=g.request_id)
    return _accepted(job)


@bp.get("/<job_id>")
def show_job(job_id: str) -> Response:
    job = _queue().get(job_id)
    if job is None:
        raise _not_found(job_id)
    return answer(view(_queue(), job))


@bp.get("")
def list_jobs() -> Response:
    page = _queue().page(
        limit=page_limit(),
        cursor=query_number("cursor", None, at_most=2**53),
        status=_status(),
        model=request.args.get("model"),
    )
    cursor = None if page.next_cursor is None else str(page.next_cursor)
    return answer({"jobs": view_many(_queue(), page.jobs), "next_cursor": cursor})


@bp.post("/<job_id>/stop")
@admin_only
def stop_job(job_id: str) -> Response:
    return _ordered(job_id, _queue().stop, "stopped")


@bp.post("/<job_id>/resume")
@admin_only
def resume_job(job_id: str) -> Response:
    return _ordered(job_id, _queue().resume, "resumed")


def _ordered(job_id: str, order: Callable[[str], TrainingJob], done: str) -> Response:
    """Give an order about a job, and answer with the job."""
    if _queue().get(job_id) is None:
        raise _not_found(job_id)
    try:
        job = order(job_id)
    except NoSuchJobError:  # it was there a moment ago
        raise _not_found(job_id) from None
    except WrongStateError as error:
        detail = f"A job that is {error.job.status.value} cannot be {done}."
        raise Problem(409, "wrong-state", detail) from None
    return _accepted(job)


def _accepted(job: TrainingJob) -> Response:
    return answer(view(_queue(), job), 202, {"Location": url_for(".show_job", job_id=job.id)})


def _not_found(job_id: str) -> Problem:
    return Problem(404, "not-found", f"There is no job {job_id[:80]!r}.")


def _status() -> JobStatus | None:
    name = request.args.get("status")
    known = [status.value for status in STATUSES]
    if name is not None and name not in known:
        raise Problem(422, "unknown-status", unknown("status", name, known))
    return None if name is None else JobStatus(name)


def _queue() -> JobQueue:
    queue: JobQueue = current_app.extensions["job_queue"]
    return queue
