"""What each endpoint does, takes and answers, in the words of the document."""

from collections.abc import Mapping
from typing import NamedTuple

from service.decoding import DECODERS
from service.media_types import JSON, OCTETS
from service.openapi.hyperparameters import Schema
from service.openapi.schemas import ANY, TEXT, ref

CSV = "text/csv"
HTML = "text/html"
PLAIN = "text/plain"
OPENMETRICS = "application/openmetrics-text"
REPORT = (OCTETS, JSON, "image/png", "image/svg+xml", PLAIN)  # what a report's files are

PAGE_FILES = ("text/css", "text/javascript", "image/svg+xml")

UNKNOWN = (404, 503)  # no such model or version, or it is refused
WRONG_BODY = (400, 408, 413, 415, 422, 429, 503)
ADMIN = (401, 403, 503)
QUEUE = (503,)
_MOVING = (400, 404, 409, 412, 413, 422, 507, *ADMIN)


class Operation(NamedTuple):
    """An endpoint: its bodies and answers by media type, and its errors by status."""

    summary: str
    answer: Mapping[str, Schema]
    body: Mapping[str, Schema] = {}
    errors: tuple[int, ...] = ()
    query: Mapping[str, Schema] = {}
    headers: Mapping[str, Schema] = {}
    status: int = 200
    admin: bool = False
    body_required: bool = True
    others: Mapping[int, Mapping[str, Schema]] = {}  # answers that are no error of the family


def _json(name: str) -> dict[str, Schema]:
    return {JSON: ref(name)}


def _bodies(name: str, *others: str) -> dict[str, Schema]:
    """Return JSON of that schema, and what our own addresses take beside it."""
    return _json(name) | dict.fromkeys((*others, *(kind for kind in DECODERS if kind != JSON)), ANY)


_PREDICT = Operation(
    "Predict with the live version, or with one by number or alias",
    _json("Predictions"),
    _bodies("Batch"),
    (*WRONG_BODY, 404),
)
_FILE = Operation(
    "", {OCTETS: ANY}, errors=(*UNKNOWN, 416, 422), others={206: {OCTETS: ANY}, 304: {}}
)
_PAGE = Operation("", {HTML: ANY})
_ORDER = Operation("", _json("Job"), errors=(404, 409, *ADMIN), status=202, admin=True)
_KEY: dict[str, Schema] = {"Idempotency-Key": {"type": "string", "minLength": 1, "maxLength": 255}}
_LIMIT: Schema = {"type": "integer", "minimum": 1, "maximum": 100}

OPERATIONS = {
    "predictions.predict_default": _PREDICT._replace(
        summary="Predict with the live version of the default model", errors=WRONG_BODY
    ),
    "predictions.predict": _PREDICT,
    "training_jobs.post_job": Operation(
        "Enqueue a training job; with dry_run tell what it would need",
        _json("Job"),
        _json("JobRequest"),
        (400, 413, 415, 422, *ADMIN),
        query={"dry_run": {"enum": ["true", "false"]}},
        headers=_KEY,
        status=202,
        admin=True,
        # The job that was there already; or what a dry run tells.
        others={200: {JSON: {"anyOf": [ref("Job"), ref("DryRun")]}}},
    ),
    "training_jobs.list_jobs": Operation(
        "List training jobs, newest first",
        _json("Jobs"),
        errors=(422, *QUEUE),
        query={"limit": _LIMIT, "cursor": TEXT, "status": TEXT, "model": TEXT},
    ),
    "training_jobs.show_job": Operation(
        "Show a training job", _json("Job"), errors=(404, *QUEUE), others={304: {}}
    ),
    "job_events.watch_job": Operation(
        "Watch a training job: an event an epoch, and one at the end",
        {"text/event-stream": TEXT},
        errors=(404, 422, 429, *QUEUE),
        headers={"Last-Event-ID": {"type": "string", "pattern": r"^\d{1,9}(-end)?$"}},
        others={204: {}},
    ),
    "training_jobs.stop_job": _ORDER._replace(
        summary="Cancel a job that waits, stop one that runs"
    ),
    "training_jobs.resume_job": _ORDER._replace(summary="Go on with a job that was broken off"),
    "sweeps.post_sweep": Operation(
        "Try values for some keys of a configuration: a training job each",
        _json("Sweep"),
        _json("SweepRequest"),
        (400, 413, 415, 422, *ADMIN),
        headers=_KEY,
        status=202,
        admin=True,
        others={200: _json("Sweep")},  # that which the same request began before
    ),
    "sweeps.list_sweeps": Operation(
        "List sweeps, newest first",
        _json("Sweeps"),
        errors=(422, *QUEUE),
        query={"limit": _LIMIT, "cursor": TEXT},
    ),
    "sweeps.show_sweep": Operation(
        "Show a sweep: its trials, the best first", _json("Sweep"), errors=(404, *QUEUE)
    ),
    "sweeps.plot_sweep": Operation(
        "Draw a sweep: what each trial reached, epoch by epoch",
        {"image/svg+xml": TEXT},
        errors=(404, *QUEUE),
    ),
    "sweeps.stop_sweep": Operation(
        "Stop a sweep and its trials",
        _json("Sweep"),
        errors=(404, 409, *ADMIN),
        status=202,
        admin=True,
    ),
    "datasets.upload_dataset": Operation(
        "Upload a data set: .npz, CSV, a zip of labelled folders; IDX files in a form",
        _json("Dataset"),
        dict.fromkeys((OCTETS, CSV, "application/zip", "multipart/form-data"), ANY),
        (400, 409, 413, 415, 422, 507, *ADMIN),
        status=201,
        admin=True,
    ),
    "datasets.list_datasets": Operation("List data sets", _json("Datasets"), errors=(503,)),
    "datasets.show_dataset": Operation(
        "Show a data set and the report about it", _json("DatasetInShort"), errors=(404, 503)
    ),
    "datasets.delete_dataset": Operation(
        "Delete an uploaded data set", {}, errors=(404, 409, *ADMIN), status=204, admin=True
    ),
    "feedback.add_feedback": Operation(
        "Keep pictures with the label that is right",
        _json("FeedbackKept"),
        _bodies("Feedback"),
        (*WRONG_BODY, 404, 507, *ADMIN),
        query={"model": TEXT, "version": TEXT, "label": TEXT},
        status=201,
        admin=True,
    ),
    "feedback.list_feedback": Operation(
        "List and count the corrected examples, newest first",
        _json("FeedbackList"),
        errors=(404, 422, 503),
        query={"model": TEXT, "limit": _LIMIT, "cursor": TEXT},
    ),
    "feedback.delete_feedback": Operation(
        "Delete a corrected example: no training learns it any more",
        {},
        errors=(404, *ADMIN),
        query={"model": TEXT},
        status=204,
        admin=True,
    ),
    "schedules.put_schedule": Operation(
        "Post a job at the times of a cron expression",
        _json("Schedule"),
        _json("ScheduleRequest"),
        (400, 413, 422, *ADMIN),
        admin=True,
    ),
    "schedules.list_schedules": Operation("List schedules", _json("Schedules"), errors=QUEUE),
    "schedules.show_schedule": Operation(
        "Show a schedule", _json("Schedule"), errors=(404, *QUEUE)
    ),
    "schedules.delete_schedule": Operation(
        "Delete a schedule", {}, errors=(404, *ADMIN), status=204, admin=True
    ),
    "models.list_models": Operation("List models", _json("Models"), errors=(503,)),
    "models.show_model": Operation("Show a model", _json("Model"), errors=UNKNOWN),
    "models.list_versions": Operation(
        "List a model's versions, newest first",
        _json("Versions"),
        errors=(*UNKNOWN, 422),
        query={"limit": _LIMIT, "cursor": TEXT},
    ),
    "models.show_version": Operation(
        "Show a version's manifest", _json("Manifest"), errors=UNKNOWN
    ),
    "models.show_shadows": Operation(
        "Show what versions in the shadow said of what others answered",
        _json("Shadows"),
        errors=UNKNOWN,
    ),
    "models.delete_version": Operation(
        "Delete a version that no alias names",
        {},
        errors=(404, 409, *ADMIN),
        status=204,
        admin=True,
    ),
    "aliases.list_aliases": Operation("List a model's aliases", _json("Aliases"), errors=UNKNOWN),
    "aliases.show_alias": Operation(
        "Show what an alias names, since when and why", _json("Alias"), errors=(*UNKNOWN, 422)
    ),
    "aliases.promote": Operation(
        "Let an alias name a version", _json("Alias"), _json("Move"), _MOVING, admin=True
    ),
    "aliases.remove_alias": Operation(
        "Let an alias name nothing any more",
        {},
        _json("Removal"),
        _MOVING,
        status=204,
        admin=True,
        body_required=False,
    ),
    "aliases.rollback": Operation(
        "Let an alias name what it named before",
        _json("Alias"),
        _json("Rollback"),
        _MOVING,
        admin=True,
        body_required=False,
    ),
    "aliases.show_history": Operation(
        "Show every move of a model's aliases", _json("History"), errors=UNKNOWN
    ),
    "files.get_weights": _FILE._replace(summary="Download a version's weights as safetensors"),
    "files.list_report": Operation(
        "List the files of a version's report", _json("Files"), errors=UNKNOWN
    ),
    "files.get_report_file": _FILE._replace(
        summary="Download a file of a version's report", answer=dict.fromkeys(REPORT, ANY)
    ),
    "files.export": _FILE._replace(
        summary="Download a version in another format",
        query={"format": {"enum": ["npz", "onnx"]}},
    ),
    "health.livez": Operation("Tell that the process is there", _json("Alive")),
    "health.readyz": Operation(
        "Tell whether the default model can answer",
        _json("Ready"),
        others={503: _json("Ready")},
    ),
    "metrics.show_metrics": Operation(
        "Tell Prometheus what all processes counted", {PLAIN: TEXT, OPENMETRICS: TEXT}
    ),
    "system.show_system": Operation(
        "Tell how busy queue, workers and processes are", _json("System")
    ),
    "openapi.show_document": Operation("This document", _json("Document")),
    "openapi.show_page": Operation("This document as a page", {HTML: ANY}),
    "pages.show_try": _PAGE._replace(summary="A page: draw a digit"),
    "pages.show_jobs": _PAGE._replace(summary="A page: start jobs, list them"),
    "pages.show_job": _PAGE._replace(summary="A page: watch a job"),
    "pages.show_sweep": _PAGE._replace(summary="A page: the trials of a sweep"),
    "pages.show_models": _PAGE._replace(summary="A page: the models"),
    "pages.show_model": _PAGE._replace(summary="A page: a model's versions, which is live and why"),
    "pages.show_version": _PAGE._replace(summary="A page: a version and what it gets wrong"),
    "pages.show_system": _PAGE._replace(summary="A page: queue, workers, processes, latency"),
    "pages.static": Operation(
        "A file of the pages",
        dict.fromkeys(PAGE_FILES, ANY),
        errors=(404, 416),
        others={206: dict.fromkeys(PAGE_FILES, ANY), 304: {}},
    ),
    "model_repository.server": Operation("Describe the server", _json("Server")),
    "model_repository.live": Operation("Tell that the server is there", _json("ServerHealth")),
    "model_repository.ready": Operation(
        "Tell whether the default model can answer", _json("ServerHealth"), errors=(503,)
    ),
    "model_repository.list_models": Operation(
        "List the models' names", _json("ModelNames"), errors=(503,)
    ),
    "model_repository.all_statistics": Operation("Count what was done", _json("Statistics")),
    "model_repository.statistics": Operation(
        "Count what a model did", _json("Statistics"), errors=UNKNOWN
    ),
    "model_repository.metadata": Operation(
        "Describe a model's tensors", _json("ModelMetadata"), errors=UNKNOWN
    ),
    "model_repository.config": Operation(
        "Describe a model as Triton does", _json("ModelConfig"), errors=UNKNOWN
    ),
    "model_repository.model_ready": Operation(
        "Tell whether a model can answer", _json("ModelReady"), errors=UNKNOWN
    ),
    "model_repository.index": Operation(
        "List models and whether they answer",
        _json("Index"),
        _json("IndexRequest"),
        (400, 413, 422, 503),
        body_required=False,
    ),
    "model_repository.load": Operation(
        "Let a model answer again",
        _json("Loaded"),
        _json("LoadRequest"),
        (400, 404, 413, 422, *ADMIN),
        admin=True,
        body_required=False,
    ),
    "model_repository.unload": Operation(
        "Let a model answer no more", _json("Unloaded"), errors=(404, *ADMIN), admin=True
    ),
    "open_inference.infer": Operation(
        "Infer: JSON tensors, or bytes behind the JSON",
        _json("InferResponse") | {OCTETS: ANY},
        _json("InferRequest") | {OCTETS: ANY},
        (*WRONG_BODY, 404),
    ),
    "tensorflow_serving.list_models": Operation(
        "List the models' names", _json("ModelNames"), errors=(503,)
    ),
    "tensorflow_serving.status": Operation(
        "Tell whether a model can answer", _json("ModelStatus"), errors=UNKNOWN
    ),
    "tensorflow_serving.metadata": Operation(
        "Describe a model's signature", _json("SignatureMetadata"), errors=UNKNOWN
    ),
    "tensorflow_serving.predict": Operation(
        "Predict by rows or columns",
        _json("PredictResponse"),
        _json("PredictRequest"),
        (*WRONG_BODY, 404),
    ),
    "tensorflow_serving.classify": Operation(
        "Predict every class's score",
        _json("ClassifyResponse"),
        _json("ClassifyRequest"),
        (*WRONG_BODY, 404),
    ),
    "mlflow.invocations": Operation(
        "Predict with the live version of the default model",
        _json("Scores"),
        _bodies("Invocation", CSV),
        WRONG_BODY,
    ),
    "mlflow.ping": Operation(
        "Tell whether the default model can answer", _json("Healthy"), errors=(503,)
    ),
    "mlflow.version": Operation("Tell the service's version", {PLAIN: TEXT}),
    "torchserve.predict": Operation(
        "Predict every class's probability",
        _json("Classes"),
        _bodies("Batch"),
        (*WRONG_BODY, 404),
    ),
}
