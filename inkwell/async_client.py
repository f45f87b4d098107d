"""The client for programs that wait for many things at once."""

import asyncio
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from inkwell import calls, transport
from inkwell.calls import Call, part
from inkwell.job_handle import AsyncJob
from inkwell.results import Answer, Predictions, Version
from inkwell.settings import Settings
from inkwell.transport import ServiceError, ServiceUnreachable

T = TypeVar("T")


class AsyncClient:
    """Inkwell at one address; as `Client`, whose words it uses, with ``await``."""

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        timeout: float = 60.0,
        retries: int = 2,
    ) -> None:
        if url is None:
            settings = Settings.from_env()
            url, token = settings.url, token or settings.token()
        self.url = url.rstrip("/")
        self._retries = retries
        self._http = httpx.AsyncClient(**transport.options(self.url, token, timeout))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def predict(
        self, images: Any, *, model: str | None = None, version: int | str | None = None
    ) -> Predictions:
        """Return what a version says of images."""
        return await self.send(calls.predict(images, model, version))

    async def train(self, model: str = "digits", **config: Any) -> AsyncJob:
        """Queue a training job; `config` are the keys of a TrainConfig."""
        return AsyncJob(self, await self.send(calls.train(calls.job_config(model, config))))

    async def version(self, model: str, version: int | str = "live") -> Version:
        """Return a version with its manifest."""
        return await self.send(calls.version(model, version))

    async def find_job(self, job_id: str) -> AsyncJob:
        """Return a job that was queued before."""
        return AsyncJob(self, await self.job(job_id))

    async def job(self, job_id: str) -> Answer:
        """Return one training job with its progress."""
        return await self.send(calls.get(f"/jobs/{part(job_id)}"))

    async def order(self, job_id: str, order: str) -> Answer:
        """Give an order about a job, ``stop`` or ``resume``, and return the job."""
        return await self.send(calls.order(job_id, order))

    async def models(self) -> Answer:
        """Return the models with their aliases."""
        return await self.send(calls.get("/models"))

    async def versions(self, model: str, **query: str | int) -> Answer:
        """Return a page of a model's versions, newest first."""
        return await self.send(calls.get(f"/models/{part(model)}/versions", **query))

    async def promote(
        self, model: str, version: int, alias: str = "live", reason: str | None = None
    ) -> Answer:
        """Point an alias at a version."""
        return await self.send(calls.promote(model, version, alias, reason, None))

    async def rollback(self, model: str, alias: str = "live", reason: str | None = None) -> Answer:
        """Point an alias at what it named before its last move."""
        return await self.send(calls.rollback(model, alias, reason, None))

    async def send(self, call: Call[T]) -> T:
        """Return the result of a call; where that is safe it is tried again."""
        attempt = 0
        while True:
            try:
                response = await self._request(call)
                return call.read(transport.read(self.url, response))
            except (ServiceError, ServiceUnreachable) as error:
                wait = transport.pause(attempt, error)
                if wait is None or not call.safe or attempt >= self._retries:
                    raise
                attempt += 1
                await asyncio.sleep(wait)

    async def _request(self, call: Call[T]) -> httpx.Response:
        try:
            return await self._http.request(call.method, call.path, **call.options)
        except httpx.HTTPError as error:
            raise transport.unreachable(self.url, error) from None
