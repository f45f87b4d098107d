"""Requests that carry a key: sent again, they get the answer of the first."""

import json
from typing import Any, NamedTuple

from redis import Redis
from redis.client import Pipeline

from jobs.records import digest

KEPT_SECONDS = 24 * 3600  # for which an answer is remembered


class Idempotency(NamedTuple):
    """The key that came with a request, and the hash of its body."""

    key: str
    body: str


class KeyReusedError(Exception):
    """The idempotency key came with another request before."""


class Answered:
    """What was made for requests, by their keys; below `prefix` in Redis."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix

    def place(self, idempotency: Idempotency) -> str:
        """Return where it is kept: to be watched by who looks and then writes."""
        return f"{self._prefix}:answered:{digest(idempotency.key)}"

    def earlier(self, idempotency: Idempotency) -> str | None:
        """Return the id of what the first request made. Raises KeyReusedError."""
        told: Any = self._redis.get(self.place(idempotency))
        if not told:
            return None
        answer = json.loads(told)
        if answer["body"] != idempotency.body:
            raise KeyReusedError
        return str(answer["made"])

    def remember(self, idempotency: Idempotency, made: str, pipeline: Pipeline) -> None:
        """Keep the id of what a request made."""
        answer = json.dumps({"body": idempotency.body, "made": made})
        pipeline.set(self.place(idempotency), answer, ex=KEPT_SECONDS)
