"""The same prediction for every dialect: read the body, decode, ask the version, encode."""

import math
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np

from nncore.arrays import Floats, Ints
from nncore.errors import NotFoundError
from nncore.registry import LIVE
from service.batches import Batch
from service.bodies import Content, Environ, mimetype, read_content
from service.drift import Drift
from service.media_types import JSON, OCTETS
from service.observing import observation
from service.problems import unavailable
from service.request_ids import request_id
from service.served import NotLiveError, Served, ServedModels
from service.settings import Settings
from service.shadows import Shadows
from service.shapes import Rows, rows_of
from service.shared_counts import SharedCounts
from service.statistics import NO_ANSWERS, Answers, Counts, Statistics
from service.tokens import check_predicting
from service.unloaded import UnloadedModels

NOT_LIVE = "no-live-version"
BYTES_OF_A_NUMBER = {OCTETS: 1, JSON: 2}  # at least: in JSON a digit and a comma
# Up to so many times the rows that a network takes at once are answered one request at a time: at
# each of NumPy's calls two would take Python's lock from each other, and their caches. Who asks for
# more shares both, and lets nobody wait.
ROWS_OF_A_TURN = 8
AT_ONCE = "inkwell.at_once"  # in the environment: the event loop answers, which must not wait
NO_TURN: AbstractContextManager[None] = nullcontext()


class Prediction:
    """What a version says of a batch.

    Attributes
    ----------
    served : Served
    batch : Batch
    probabilities : float32 array (n, classes)
    winners : int array (n,)
        The most probable class of each row.
    confidences : float32 array (n,)
        Its probability.
    """

    def __init__(self, served: Served, batch: Batch, probabilities: Floats) -> None:
        self.served, self.batch, self.probabilities = served, batch, probabilities
        self.winners: Ints = probabilities.argmax(axis=1)
        self.confidences: Floats = np.maximum.reduce(probabilities, axis=1)

    @property
    def labels(self) -> list[str]:
        """The label of each row's winner."""
        return [self.served.labels[winner] for winner in self.winners.tolist()]

    def ranking(self, count: int) -> list[list[int]]:
        """Return the `count` most probable classes of each row, the most probable first."""
        order = np.argsort(-self.probabilities, axis=1, kind="stable")[:, :count]
        ranking: list[list[int]] = order.tolist()
        return ranking

    def answers(self) -> Answers:
        """Return how often each label is answered, and how sure."""
        return Answers.of(self.winners, self.confidences)


class Encoded(NamedTuple):
    """An answer's body and its headers."""

    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = {}


class Dialect(NamedTuple):
    """How a family of clients writes a batch and reads a prediction."""

    decode: Callable[[Content, Rows], Batch]
    encode: Callable[[Prediction], Encoded]


class Asked(NamedTuple):
    """What an address asks for: an answer in a dialect, of a model's version."""

    dialect: Dialect
    model: str | None = None  # the default model
    version: str = LIVE


class Predictor:
    """Answers in any dialect with the versions of `models`.

    Where there are `tokens`, only to who has one of them.
    """

    def __init__(
        self,
        models: ServedModels,
        settings: Settings,
        shared: SharedCounts,
        drift: Drift,
        tokens: Collection[str] = (),
    ) -> None:
        self._models = models
        self._settings = settings
        self._tokens = tokens
        self.statistics = Statistics(shared)
        self.unloaded = UnloadedModels()
        self.shadows = Shadows()
        self.drift = drift
        self._turn = threading.Lock()

    def served(self, model: str, reference: str = LIVE) -> Served:
        """Return what answers for `reference` of `model`.

        Raises
        ------
        RegistryError
            If there is no such model, version or alias, or it is refused.
        Problem
            503 where no version is live yet, or the model is unloaded.
        """
        self.unloaded.check(model)
        return self._get(model, reference)

    def default(self) -> Served:
        """Return what answers for the default model. Raises Problem 503."""
        try:
            return self.served(self._settings.model)
        except NotFoundError as error:
            raise unavailable(NOT_LIVE, f"{error} Train one: POST /api/v1/jobs.") from None

    def load(self, model: str) -> None:
        """Let an unloaded model answer again. Raises as `served` does, and changes nothing then."""
        self._get(model, LIVE)
        self.unloaded.discard(model)

    def respond(self, asked: Asked, environ: Environ) -> Encoded:
        """Return the answer to a request. Raises Problem, and as `served` does."""
        check_predicting(environ, self._tokens)
        served = self.default() if asked.model is None else self.served(asked.model, asked.version)
        content = read_content(environ, self._settings.max_body_mb * 2**20)
        with self._turn_for(served, content, environ):
            return self.answer(asked.dialect, served, content, environ)

    def answers_soon(self, asked: Asked, environ: Environ) -> bool:
        """Tell whether a request of JSON or octets has no more rows than a network takes at once.

        By an alias that was asked for before: nothing is loaded then but what was promoted since.
        """
        served = self._models.held(asked.model or self._settings.model, asked.version)
        if served is None:
            return False
        media_type, length = mimetype(environ["CONTENT_TYPE"]), int(environ["CONTENT_LENGTH"])
        return _most_rows(served, media_type, length) <= served.classifier.rows_at_once

    def answer(
        self, dialect: Dialect, served: Served, content: Content, environ: Environ
    ) -> Encoded:
        """Return the answer of a version to a request's body. Raises Problem."""
        served = served.chosen(request_id(environ))
        seen = observation(environ)
        seen.model, seen.version = served.model, str(served.version)
        rows = rows_of(served.classifier.input_shape, self._settings.max_rows)
        started = time.perf_counter_ns()
        try:
            batch = dialect.decode(content, rows).in_shape(rows.shape)
            decoded = time.perf_counter_ns()
            probabilities = served.classifier.probabilities(batch.pixels)
            predicted = time.perf_counter_ns()
            prediction = Prediction(served, batch, probabilities)
            encoded = dialect.encode(prediction)
        except Exception:
            counts = Counts(failures=1, failure_ns=time.perf_counter_ns() - started)
            self._count(served, counts, NO_ANSWERS)
            raise
        ended = time.perf_counter_ns()
        counts = Counts(
            successes=1,
            success_ns=ended - started,
            rows=len(probabilities),
            decode_ns=decoded - started,
            predict_ns=predicted - decoded,
            encode_ns=ended - predicted,
        )
        self._count(served, counts, prediction.answers())
        seen.rows = counts.rows
        self.drift.look_on(served, batch.pixels, probabilities)
        if served.shadow:
            self.shadows.look_on(prediction, served.shadow, request_id(environ))
        headers = {"X-Model-Version": seen.version, "Server-Timing": _timing(counts)}
        return encoded._replace(headers={**encoded.headers, **headers})

    def _turn_for(
        self, served: Served, content: Content, environ: Environ
    ) -> AbstractContextManager[Any]:
        """Return what a request waits for before it is answered."""
        most = _most_rows(served, content.mimetype, len(content.body))
        long = most > ROWS_OF_A_TURN * served.classifier.rows_at_once
        return NO_TURN if long or AT_ONCE in environ else self._turn

    def _count(self, served: Served, counts: Counts, answers: Answers) -> None:
        self.statistics.add(served.model, served.version, served.labels, counts, answers)

    def _get(self, model: str, reference: str) -> Served:
        try:
            return self._models.get(model, reference)
        except NotLiveError as error:
            raise unavailable(NOT_LIVE, str(error)) from None


def _most_rows(served: Served, media_type: str, length: int) -> float:
    """Return how many rows a body has at most, infinity where its length does not tell."""
    if media_type not in BYTES_OF_A_NUMBER:
        return math.inf
    return length / BYTES_OF_A_NUMBER[media_type] / math.prod(served.classifier.input_shape)


def _timing(counts: Counts) -> str:
    return (
        f"decode;dur={counts.decode_ns / 1e6:.3f}, predict;dur={counts.predict_ns / 1e6:.3f}, "
        f"encode;dur={counts.encode_ns / 1e6:.3f}"
    )
