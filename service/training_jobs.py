"""Training jobs: post one, look at one, list them."""

from flask import Blueprint, Response, current_app, g, request, url_for

from nncore.config import TrainConfig
from nncore.specs import describe, unknown
from service.admin import admin_only
from service.answers import answer
from service.bodies import SMALL, read_body
from service.job_queue import JobQueue
from service.json_body import read_object
from service.problems import Problem
from service.query import page_limit, query_number

bp = Blueprint("training_jobs", __name__, url_prefix="/api/v1/jobs")

STATUSES = (
    "queued",
    "started",
    "finished",
    "failed",
    "stopped",
    "canceled",
    "scheduled",
    "deferred",
)


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
    return answer(job, 202, {"Location": url_for(".show_job", job_id=job["id"])})


@bp.get("/<job_id>")
def show_job(job_id: str) -> Response:
    job = _queue().get(job_id)
    if job is None:
        raise Problem(404, "not-found", f"There is no job {job_id[:80]!r}.")
    return answer(job)


@bp.get("")
def list_jobs() -> Response:
    status = request.args.get("status")
    if status is not None and status not in STATUSES:
        raise Problem(422, "unknown-status", unknown("status", status, STATUSES))
    page = _queue().page(
        limit=page_limit(),
        cursor=query_number("cursor", None, at_most=2**53),
        status=status,
        model=request.args.get("model"),
    )
    cursor = None if page.next_cursor is None else str(page.next_cursor)
    return answer({"jobs": page.jobs, "next_cursor": cursor})


def _queue() -> JobQueue:
    queue: JobQueue = current_app.extensions["job_queue"]
    return queue
