"""The table of the addresses at which versions answer, in every dialect."""

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from flask import Flask, Response
from werkzeug.routing import BaseConverter

from service import predictions
from service.dialects import (
    mlflow,
    model_repository,
    open_inference,
    tensorflow_serving,
    torchserve,
)
from service.predictor import Asked


class Route(NamedTuple):
    """Methods, a path, and the function that answers, or that tells what prediction is asked."""

    methods: str
    path: str
    view: Callable[..., Any]

    @property
    def endpoint(self) -> str:
        """Its name in Flask and in the OpenAPI document."""
        return f"{self.view.__module__.rpartition('.')[2]}.{self.view.__name__}"


class _Name(BaseConverter):
    """A step of a path before ``:predict``."""

    regex = "[^/:]+"
    part_isolating = True  # Werkzeug sees the slash in the expression and takes it for more steps


V2 = ("/v2/models/<model>", "/v2/models/<model>/versions/<version>")
V1 = tuple(
    f"/v1/models/<name:model>{which}"
    for which in ("", "/versions/<name:version>", "/labels/<name:version>")
)

PREDICTING = (
    Route("POST", "/api/v1/predict", predictions.predict_default),
    Route("POST", "/api/v1/models/<model>/predict", predictions.predict),
    Route("POST", "/api/v1/models/<model>/versions/<version>/predict", predictions.predict),
    *[Route("POST", f"{path}/infer", open_inference.infer) for path in V2],
    *[Route("POST", f"{path}:predict", tensorflow_serving.predict) for path in V1],
    *[Route("POST", f"{path}:classify", tensorflow_serving.classify) for path in V1],
    Route("POST", "/invocations", mlflow.invocations),
    # curl -T sends with PUT
    Route("POST PUT", "/predictions/<model>", torchserve.predict),
    Route("POST PUT", "/predictions/<model>/<version>", torchserve.predict),
)
ASKED: dict[str, Callable[..., Asked]] = {route.endpoint: route.view for route in PREDICTING}

TELLING = (
    # Open Inference Protocol V2, with Triton's extensions
    Route("GET", "/v2", model_repository.server),
    Route("GET", "/v2/health/live", model_repository.live),
    Route("GET", "/v2/health/ready", model_repository.ready),
    Route("GET", "/v2/models", model_repository.list_models),
    Route("GET", "/v2/models/stats", model_repository.all_statistics),
    *[Route("GET", path, model_repository.metadata) for path in V2],
    *[Route("GET", f"{path}/ready", model_repository.model_ready) for path in V2],
    *[Route("GET", f"{path}/config", model_repository.config) for path in V2],
    *[Route("GET", f"{path}/stats", model_repository.statistics) for path in V2],
    Route("POST", "/v2/repository/index", model_repository.index),
    Route("POST", "/v2/repository/models/<model>/load", model_repository.load),
    Route("POST", "/v2/repository/models/<model>/unload", model_repository.unload),
    # TensorFlow Serving and KServe V1; a label is an alias
    Route("GET", "/v1/models", tensorflow_serving.list_models),
    *[Route("GET", path, tensorflow_serving.status) for path in V1],
    *[Route("GET", f"{path}/metadata", tensorflow_serving.metadata) for path in V1],
    # MLflow, SageMaker, Vertex AI
    Route("GET", "/ping", mlflow.ping),
    Route("GET", "/health", mlflow.ping),
    Route("GET", "/version", mlflow.version),
)
ROUTES = PREDICTING + TELLING


def register(app: Flask) -> None:
    """Let `app` answer at every route of the table."""
    app.url_map.merge_slashes = False  # Werkzeug would redirect, with a page in HTML
    app.url_map.converters["name"] = _Name
    views = {endpoint: _predicting(asked) for endpoint, asked in ASKED.items()}
    for route in ROUTES:
        view = views.get(route.endpoint, route.view)
        app.add_url_rule(
            route.path, route.endpoint, view, methods=route.methods.split(), strict_slashes=False
        )


def _predicting(asked: Callable[..., Asked]) -> Callable[..., Response]:
    """Return the view that answers with the prediction that `asked` names."""

    @wraps(asked)
    def view(**values: str) -> Response:
        return predictions.respond(asked(**values))

    return view
