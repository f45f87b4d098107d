"""The addresses of the pages; what they show, their scripts ask the API for."""

from flask import Blueprint, Flask, Response, render_template, request

from nncore.datasets import DATASETS
from nncore.presets import PRESETS
from service.context import settings
from service.error_shapes import PROBLEM_JSON

bp = Blueprint(
    "pages",
    __name__,
    template_folder="templates",
    static_folder="static",
    static_url_path="/static",
)

PAGES = (
    ("pages.show_try", "Try"),
    ("pages.show_jobs", "Jobs"),
    ("pages.show_models", "Models"),
    ("pages.show_system", "System"),
)
HTML = "text/html"
# Nothing from another host, no script or style but our own files; pictures that the page made.
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
}


@bp.get("/")
def show_try() -> str:
    return render_template("try.html", model=settings().model)


@bp.get("/jobs")
def show_jobs() -> str:
    return render_template(
        "jobs.html", model=settings().model, presets=PRESETS, datasets=sorted(DATASETS)
    )


@bp.get("/jobs/<job_id>")
def show_job(job_id: str) -> str:
    return render_template("job.html", job_id=job_id)


@bp.get("/sweeps/<sweep_id>")
def show_sweep(sweep_id: str) -> str:
    return render_template("sweep.html", sweep_id=sweep_id)


@bp.get("/models")
def show_models() -> str:
    return render_template("models.html")


@bp.get("/models/<model>")
def show_model(model: str) -> str:
    return render_template("model.html", model=model)


@bp.get("/models/<model>/versions/<version>")
def show_version(model: str, version: str) -> str:
    return render_template("version.html", model=model, version=version)


@bp.get("/system")
def show_system() -> str:
    return render_template("system.html")


def register(app: Flask) -> None:
    """Let `app` show the pages, and its errors as one to people who follow a wrong link."""
    app.register_blueprint(bp)
    app.jinja_env.globals["PAGES"] = PAGES
    app.after_request(_as_page)


@bp.after_request
def _secure(response: Response) -> Response:
    response.headers.update(SECURITY)
    # Looked at again each time, by its ETag: after an update no old script meets a new page.
    response.headers["Cache-Control"] = "no-cache"
    return response


def _as_page(response: Response) -> Response:
    """Return an error that a browser meets at no address of a program's as a page."""
    problem = response.get_json() if response.mimetype == PROBLEM_JSON else None
    if problem is None or not _is_person():
        return response
    page = render_template("problem.html", problem=problem)
    response = Response(page, response.status_code, headers=SECURITY)
    response.headers["Vary"] = "Accept"
    return response


def _is_person() -> bool:
    """Tell whether a browser follows a link: programs take anything, or name JSON."""
    named = [kind for kind, _ in request.accept_mimetypes]
    return request.method == "GET" and HTML in named and not request.path.startswith("/api/")
