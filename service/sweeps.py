"""Sweeps: post one, look at its table and its plot, stop it."""

from typing import Any

from flask import Blueprint, Response, current_app, url_for

from jobs.sweep_request import read_sweep
from jobs.sweeps import Sweep, Sweeps, score
from jobs.training_job import TrainingJob
from service.answers import answer
from service.context import store
from service.posted import idempotency, posted_object
from service.problems import Problem
from service.query import page_limit, query_number
from service.sweep_plot import plot
from service.tokens import admin_only

bp = Blueprint("sweeps", __name__, url_prefix="/api/v1/sweeps")

MEASURES = ("validation_accuracy", "validation_loss", "loss")


@bp.post("")
@admin_only
def post_sweep() -> Response:
    body = posted_object()
    posted = _sweeps().post(read_sweep(body, store()), idempotency(body))
    return _show(posted.sweep, 202 if posted.is_new else 200)


@bp.get("")
def list_sweeps() -> Response:
    cursor = query_number("cursor", None, at_most=2**53)
    found, following = _sweeps().page(limit=page_limit(), cursor=cursor)
    return answer(
        {
            "sweeps": [_in_short(sweep) for sweep in found],
            "next_cursor": None if following is None else str(following),
        }
    )


@bp.get("/<sweep_id>")
def show_sweep(sweep_id: str) -> Response:
    return _show(_find(sweep_id), 200)


@bp.get("/<sweep_id>/plot")
def plot_sweep(sweep_id: str) -> Response:
    sweep = _find(sweep_id)
    metric = sweep.request.metric
    curves = [[line.get(metric) for line in lines] for lines in _sweeps().histories(sweep)]
    names = [_named(trial["parameters"]) for trial in sweep.trials]
    ids = [trial.get("job") for trial in sweep.trials]
    best = ids.index(sweep.best) if sweep.best in ids else None
    return Response(plot(curves, names, metric=metric, best=best), mimetype="image/svg+xml")


@bp.post("/<sweep_id>/stop")
@admin_only
def stop_sweep(sweep_id: str) -> Response:
    _find(sweep_id)
    stopped = _sweeps().stop(sweep_id)
    if stopped is None:
        raise Problem(409, "wrong-state", f"The sweep has ended: {_find(sweep_id).status}.")
    return _show(stopped, 202)


def _show(sweep: Sweep, status: int) -> Response:
    metric, jobs = sweep.request.metric, _sweeps().trials(sweep)
    rows = [_row(trial, job) for trial, job in zip(sweep.trials, jobs, strict=True)]
    # Those that ended well come first, the best of them at the top; ties as they were planned.
    rows.sort(key=lambda row: (row["status"] != "finished", -score(metric, row)))
    best = next((row for row in rows if row["job"] and row["job"] == sweep.best), None)
    won = next((job for job in jobs if job is not None and job.id == sweep.best), None)
    view = _in_short(sweep) | {
        "request": vars(sweep.request),
        "trials": rows,
        "best": best,
        "result": won.outcome if won is not None and won.publishes else None,
    }
    headers = {"Location": url_for(".show_sweep", sweep_id=sweep.id)}
    return answer(view, status, headers if status == 202 else None)


def _in_short(sweep: Sweep) -> dict[str, Any]:
    return {
        "id": sweep.id,
        "status": sweep.status,
        "model": sweep.request.base["model"],
        "metric": sweep.request.metric,
        "parameters": sorted(sweep.request.space),
        "times": {"created_at": sweep.created_at, "ended_at": sweep.ended_at},
        "plot": url_for("sweeps.plot_sweep", sweep_id=sweep.id),
        "error": sweep.error,
    }


def _row(trial: dict[str, Any], job: TrainingJob | None) -> dict[str, Any]:
    """Return a line of the table; of a trial that is under way, how far it is."""
    if job is None:
        status = "invalid" if "error" in trial else "gone"
        return {
            "job": trial.get("job"),
            "status": status,
            "parameters": trial["parameters"],
            **dict.fromkeys(("epoch", *MEASURES, "seconds")),
            "error": trial.get("error"),
        }
    progress = job.progress or {}
    reached = trial.get("reached") or (progress if job.publishes else job.outcome) or progress
    return {
        "job": job.id,
        "status": job.status.value,
        "parameters": trial["parameters"],
        "epoch": progress.get("epoch"),
        **{measure: reached.get(measure) for measure in MEASURES},
        "seconds": round(job.seconds, 3),
        "error": job.error,
    }


def _named(parameters: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in sorted(parameters.items()))


def _find(sweep_id: str) -> Sweep:
    sweep = _sweeps().get(sweep_id)
    if sweep is None:
        raise Problem(404, "not-found", f"There is no sweep {sweep_id[:80]!r}.")
    return sweep


def _sweeps() -> Sweeps:
    sweeps: Sweeps = current_app.extensions["sweeps"]
    return sweeps
