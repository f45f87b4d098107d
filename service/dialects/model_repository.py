"""The Open Inference Protocol and Triton on the server and its models: told, loaded, unloaded."""

import math
from collections.abc import Sequence
from importlib.metadata import version as package_version
from typing import Any

from flask import Response, request

from nncore.errors import RegistryError
from nncore.registry import LIVE
from nncore.specs import describe
from service.answers import answer
from service.bodies import SMALL, read_body
from service.context import predictor, registry, settings
from service.dialects.open_inference import INPUT
from service.dialects.tensor_outputs import OUTPUTS
from service.json_body import read_object
from service.problems import Problem
from service.served import Served
from service.statistics import Line
from service.tokens import admin_only

EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "statistics",
)


def server() -> Response:
    version = package_version("inkwell-serving")
    return answer({"name": "inkwell", "version": version, "extensions": EXTENSIONS})


def live() -> Response:
    return answer({"live": True})


def ready() -> Response:
    predictor().default()
    return answer({"live": True, "ready": True})


def list_models() -> Response:
    return answer({"models": registry().models()})


def model_ready(model: str, version: str = LIVE) -> Response:
    predictor().served(model, version)
    return answer({"name": model, "ready": True})


def metadata(model: str, version: str = LIVE) -> Response:
    served = predictor().served(model, version)
    inputs = [{"name": INPUT, "datatype": "UINT8", "shape": [-1, _row_size(served)]}]
    outputs = [
        {"name": name, "datatype": datatype, "shape": [-1, *_row_shape(served, name)]}
        for name, datatype in OUTPUTS.items()
    ]
    versions = [str(number) for number in registry().versions(model)]
    names = {"name": model, "versions": versions, "platform": "inkwell_numpy"}
    return answer(names | {"inputs": inputs, "outputs": outputs})


def config(model: str, version: str = LIVE) -> Response:
    served = predictor().served(model, version)
    pixels = {"name": INPUT, "data_type": "TYPE_UINT8", "dims": [_row_size(served)]}
    outputs = [
        # A row that is one value has no dimensions of its own; Triton writes them as 1.
        {"name": name, "data_type": _config_type(datatype), "dims": _row_shape(served, name) or [1]}
        for name, datatype in OUTPUTS.items()
    ]
    return answer(
        {
            "name": model,
            "platform": "inkwell_numpy",
            "backend": "",
            "version_policy": {"all": {}},
            "max_batch_size": settings().max_rows,
            "input": [pixels],
            "output": outputs,
        }
    )


def index() -> Response:
    """Tell of every model whether it answers; with ``{"ready": true}`` of those that do."""
    only_ready = _body().get("ready") is True
    entries = [_entry(model) for model in registry().models()]
    return answer([e for e in entries if not only_ready or e["state"] == "READY"])


@admin_only
def load(model: str) -> Response:
    """Let the model answer again, if what is live of it can be loaded."""
    parameters = _body().get("parameters")
    if parameters:  # another configuration, or files: what Triton loads in place of its own
        detail = f"A model is loaded as it was published; got parameters: {describe(parameters)}."
        raise Problem(422, "parameters", detail, pointer="/parameters")
    predictor().load(model)
    return answer({"name": model, "load": True})


@admin_only
def unload(model: str) -> Response:
    """Let the model answer no more, in any dialect, until it is loaded or the service restarts."""
    registry().resolve(model, LIVE)
    predictor().unloaded.add(model)
    return answer({"name": model, "unload": True})


def all_statistics() -> Response:
    """Tell what was counted since the service was started, by all its processes together."""
    return _statistics(predictor().statistics.lines())


def statistics(model: str, version: str | None = None) -> Response:
    served = predictor().served(model, version or LIVE)
    counted = [
        line
        for line in predictor().statistics.lines()
        if line.model == model and (version is None or line.version == served.version)
    ]
    return _statistics(counted or [Line.none(model, served.version, served.labels)])


def _statistics(lines: Sequence[Line]) -> Response:
    return answer({"model_stats": [_model_statistics(line) for line in lines]})


def _model_statistics(line: Line) -> dict[str, Any]:
    counts = line.counts

    def duration(count: int, ns: int) -> dict[str, int]:
        return {"count": count, "ns": ns}

    return {
        "name": line.model,
        "version": str(line.version),
        "last_inference": line.last_ms,
        "inference_count": counts.rows,
        "execution_count": counts.successes,
        "inference_stats": {
            "success": duration(counts.successes, counts.success_ns),
            "fail": duration(counts.failures, counts.failure_ns),
            "queue": duration(counts.successes, 0),  # nothing waits here
            "compute_input": duration(counts.successes, counts.decode_ns),
            "compute_infer": duration(counts.successes, counts.predict_ns),
            "compute_output": duration(counts.successes, counts.encode_ns),
            "cache_hit": duration(0, 0),
            "cache_miss": duration(0, 0),
        },
        "response_stats": {},
        "batch_stats": [],
        "memory_usage": [],
    }


def _entry(model: str) -> dict[str, str]:
    """Return a model's line of the index: the version that answers, or why none does."""
    number, reason = registry().aliases(model).readable(LIVE).to, ""
    try:
        number = predictor().served(model).version
    except (Problem, RegistryError, OSError) as error:
        reason = str(error)
    state = "UNAVAILABLE" if reason else "READY"
    return {"name": model, "version": str(number or ""), "state": state, "reason": reason}


def _body() -> dict[str, Any]:
    """Return the request's JSON object, an empty one where it has no body. Raises Problem."""
    content = read_body(request.environ, SMALL)
    return read_object(content) if content.strip() else {}


def _row_size(served: Served) -> int:
    return math.prod(served.classifier.input_shape)


def _row_shape(served: Served, output: str) -> list[int]:
    return [len(served.labels)] if output == "probabilities" else []


def _config_type(datatype: str) -> str:
    return "TYPE_STRING" if datatype == "BYTES" else f"TYPE_{datatype}"
