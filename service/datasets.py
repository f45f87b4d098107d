"""Data sets: upload one, look at what was found out about it, delete it."""

import threading
from typing import Any

from flask import Blueprint, Response, url_for

from nncore.dataset_store import DatasetExistsError, DatasetStore
from nncore.datasets import DATASETS, FEEDBACK, DatasetSpec
from nncore.errors import RegistryError
from nncore.names import check_model_name
from service.answers import answer
from service.context import content, store
from service.dataset_bodies import read_upload
from service.dataset_report import check
from service.problems import RETRY_SECONDS, Problem
from service.tokens import admin_only

bp = Blueprint("datasets", __name__, url_prefix="/api/v1/datasets")

IN_SHORT = ("labels", "train_rows", "test_rows", "sha256", "created_at")
WAITING_SECONDS = 5.0  # for another upload; pictures take long, and who waits holds a thread

_reading = threading.Lock()  # two uploads at once would take twice the memory


@bp.post("/<dataset>")
@admin_only
def upload_dataset(dataset: str) -> Response:
    check_model_name(dataset, "")
    if dataset in DATASETS or dataset == FEEDBACK:
        raise _taken(dataset)
    body = content()
    if not _reading.acquire(timeout=WAITING_SECONDS):
        headers = {"Retry-After": RETRY_SECONDS}
        raise Problem(429, "too-many-uploads", "Another data set is being read.", headers=headers)
    try:
        upload = read_upload(body)
        checked = check(upload)
    finally:
        _reading.release()
    about = {"format": upload.format, "report": checked.report}
    try:
        manifest = DatasetStore(store()).save(
            dataset, checked.train, checked.test, checked.labels, about
        )
    except DatasetExistsError:
        raise _taken(dataset) from None
    location = url_for(".show_dataset", dataset=dataset)
    return answer(manifest, 201, {"Location": location})


@bp.get("")
def list_datasets() -> Response:
    kept = DatasetStore(store())
    built_in = [{"name": name, "uploaded": False, **_view(spec)} for name, spec in DATASETS.items()]
    return answer({"datasets": [*built_in, *(_in_short(kept, name) for name in kept.names())]})


@bp.get("/<dataset>")
def show_dataset(dataset: str) -> Response:
    if dataset in DATASETS:
        return answer({"name": dataset, "uploaded": False, **_view(DATASETS[dataset])})
    return answer({"uploaded": True, **DatasetStore(store()).manifest(dataset)})


@bp.delete("/<dataset>")
@admin_only
def delete_dataset(dataset: str) -> Response:
    if dataset in DATASETS:
        raise Problem(409, "built-in", f"{dataset!r} comes with Inkwell and cannot be deleted.")
    DatasetStore(store()).delete(dataset)
    return Response(status=204)


def _view(spec: DatasetSpec) -> dict[str, Any]:
    return {"labels": spec.labels, "train_rows": spec.train_rows, "test_rows": spec.test_rows}


def _in_short(kept: DatasetStore, name: str) -> dict[str, Any]:
    """Return a line about an uploaded data set; of one that is damaged, what is wrong."""
    line = {"name": name, "uploaded": True}
    try:
        manifest = kept.manifest(name)
    except RegistryError as error:
        return line | {"error": str(error)}
    return line | {key: manifest[key] for key in IN_SHORT}


def _taken(name: str) -> Problem:
    detail = f"There is another data set {name!r}. Delete it first, or choose another name."
    return Problem(409, "data-set-exists", detail)
