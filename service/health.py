"""Is this process alive, and can it answer?"""

from flask import Blueprint, Response, current_app

from nncore.errors import RegistryError
from service.answers import answer
from service.context import predictor, settings
from service.problems import RETRY_SECONDS, Problem
from service.served import ServedModels

bp = Blueprint("health", __name__)


@bp.get("/livez")
def livez() -> Response:
    return answer({"status": "alive"})


@bp.get("/readyz")
def readyz() -> Response:
    """Answer 200 where the default model has a version to answer with.

    A refused version is told of here; as long as an older one answers, the process is ready.
    One that is to end is not ready, though it still answers: who balances load goes elsewhere.
    Redis is not asked: predicting does not need it.
    """
    models: ServedModels = current_app.extensions["served_models"]
    try:
        version, reason = predictor().default().version, None
    except (Problem, RegistryError, OSError) as error:
        version, reason = None, str(error)
    if current_app.extensions["stopping"]():
        reason = "The service is stopping."
    state = {
        "ready": reason is None,
        "model": settings().model,
        "version": version,
        "reason": reason,
        "refused": [refusal._asdict() for refusal in models.refusals()],
    }
    if not state["ready"]:
        return answer(state, 503, {"Retry-After": RETRY_SECONDS})
    return answer(state)
