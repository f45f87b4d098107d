"""Training jobs: post one, look at one, list them, stop and resume them."""

from collections.abc import Callable

from flask import Blueprint, Response, g, request, url_for
from rq.exceptions import NoSuchJobError
from rq.job import JobStatus

from jobs.options import read_job
from jobs.records import WrongStateError
from jobs.training_job import STATUSES, TrainingJob
from nncore.resolve import spec_of
from nncore.specs import unknown
from service.answers import answer
from service.context import job_queue, store
from service.dry_run import dry_run
from service.job_view import view, view_many
from service.observing import observation
from service.posted import idempotency, posted_object
from service.problems import Problem
from service.query import page_limit, query_number
from service.tokens import admin_only

bp = Blueprint("training_jobs", __name__, url_prefix="/api/v1/jobs")


@bp.post("")
@admin_only
def post_job() -> Response:
    dry = _dry()
    body = posted_object()
    config, options = read_job(body, store())
    if dry:
        return answer(dry_run(config, spec_of(config, store()), job_queue()))
    posted = job_queue().enqueue(
        config,
        options,
        request_id=g.request_id,
        traceparent=observation(request.environ).trace.header(),
        idempotency=idempotency(body),
    )
    return _show(posted.job, 202 if posted.is_new else 200)


@bp.get("/<job_id>")
def show_job(job_id: str) -> Response:
    job = job_queue().get(job_id)
    if job is None:
        raise _not_found(job_id)
    response = answer(view(job_queue(), job), headers={"Cache-Control": "no-cache"})
    response.add_etag()
    response.make_conditional(request)
    return response


@bp.get("")
def list_jobs() -> Response:
    page = job_queue().page(
        limit=page_limit(),
        cursor=query_number("cursor", None, at_most=2**53),
        status=_status(),
        model=request.args.get("model"),
    )
    cursor = None if page.next_cursor is None else str(page.next_cursor)
    return answer({"jobs": view_many(job_queue(), page.jobs), "next_cursor": cursor})


@bp.post("/<job_id>/stop")
@admin_only
def stop_job(job_id: str) -> Response:
    return _ordered(job_id, job_queue().stop, "stopped")


@bp.post("/<job_id>/resume")
@admin_only
def resume_job(job_id: str) -> Response:
    return _ordered(job_id, job_queue().resume, "resumed")


def _ordered(job_id: str, order: Callable[[str], TrainingJob], done: str) -> Response:
    """Give an order about a job, and answer with the job."""
    if job_queue().get(job_id) is None:
        raise _not_found(job_id)
    try:
        job = order(job_id)
    except NoSuchJobError:  # it was there a moment ago
        raise _not_found(job_id) from None
    except WrongStateError as error:
        detail = f"A job that is {error.job.status.value} cannot be {done}."
        raise Problem(409, "wrong-state", detail) from None
    return _show(job, 202)


def _show(job: TrainingJob, status: int) -> Response:
    return answer(view(job_queue(), job), status, {"Location": url_for(".show_job", job_id=job.id)})


def _not_found(job_id: str) -> Problem:
    return Problem(404, "not-found", f"There is no job {job_id[:80]!r}.")


def _dry() -> bool:
    """Tell whether the request only asks what would be."""
    for name, text in request.args.items():
        if name != "dry_run":
            detail = f"{unknown('query', name, ['dry_run'])}"
            raise Problem(422, "unknown-query", detail)
        if text not in ("true", "false"):
            raise Problem(
                422, "unknown-query", f"?dry_run= wants true or false; got {text[:80]!r}."
            )
    return request.args.get("dry_run") == "true"


def _status() -> JobStatus | None:
    name = request.args.get("status")
    known = [status.value for status in STATUSES]
    if name is not None and name not in known:
        raise Problem(422, "unknown-status", unknown("status", name, known))
    return None if name is None else JobStatus(name)
