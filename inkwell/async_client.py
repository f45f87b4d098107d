"""The client for programs that wait for many things at once."""

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from inkwell import calls
from inkwell.calls import Call, part
from inkwell.job_handle import AsyncJob
from inkwell.results import Answer, Predictions, Version
from inkwell.sweep_handle import AsyncSweep
from inkwell.transport import Endpoint, ServiceError, ServiceUnreachable

T = TypeVar("T")


class AsyncClient(Endpoint):
    """Inkwell at one address; as `Client`, whose words it uses, with ``await``."""

    def _open(self, options: dict[str, Any]) -> None:
        self._http = httpx.AsyncClient(**options)

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

    async def jobs(self, **query: str | int) -> Answer:
        """Return a page of jobs, newest first."""
        return await self.send(calls.get("/jobs", **query))

    async def models(self) -> Answer:
        """Return the models with their aliases."""
        return await self.send(calls.get("/models"))

    async def model(self, model: str) -> Answer:
        """Return one model with its aliases."""
        return await self.send(calls.get(f"/models/{part(model)}"))

    async def versions(self, model: str, **query: str | int) -> Answer:
        """Return a page of a model's versions, newest first."""
        return await self.send(calls.get(f"/models/{part(model)}/versions", **query))

    async def export(self, model: str, version: int | str = "live", format: str = "onnx") -> bytes:
        """Return a version as a file: onnx, npz, or safetensors."""
        return await self.send(calls.export(model, version, format))

    async def promote(
        self,
        model: str,
        version: int | None = None,
        alias: str = "live",
        reason: str | None = None,
        actor: str | None = None,
        *,
        split: Mapping[int, float] | None = None,
        shadow: int | None = None,
    ) -> Answer:
        """Point an alias at a version, or at several that share the requests."""
        return await self.send(calls.promote(model, version, alias, reason, actor, split, shadow))

    async def rollback(
        self,
        model: str,
        alias: str = "live",
        reason: str | None = None,
        actor: str | None = None,
    ) -> Answer:
        """Point an alias at what it named before its last move."""
        return await self.send(calls.rollback(model, alias, reason, actor))

    async def aliases(self, model: str) -> Answer:
        """Return the model's aliases: what they name, since when, who moved them, why."""
        return await self.send(calls.get(f"/models/{part(model)}/aliases"))

    async def remove_alias(
        self, model: str, alias: str, reason: str | None = None, actor: str | None = None
    ) -> None:
        """Let an alias name nothing any more."""
        await self.send(calls.remove_alias(model, alias, reason, actor))

    async def shadows(self, model: str) -> Answer:
        """Return what versions in the shadow said of what others answered."""
        return await self.send(calls.get(f"/models/{part(model)}/shadows"))

    async def delete_version(self, model: str, version: int) -> None:
        """Delete a version that no alias names."""
        await self.send(calls.delete(f"/models/{part(model)}/versions/{part(version)}"))

    async def history(self, model: str) -> Answer:
        """Return every move of the model's aliases, oldest first."""
        return await self.send(calls.get(f"/models/{part(model)}/history"))

    async def sweep(
        self,
        base: Answer,
        *,
        grid: Answer | None = None,
        random: Answer | None = None,
        **more: Any,
    ) -> AsyncSweep:
        """Begin a sweep: a job for each of several values of some keys."""
        body = calls.sweep_body(base, grid, random, more)
        return AsyncSweep(self, await self.send(calls.sweep(body)))

    async def find_sweep(self, sweep_id: str) -> AsyncSweep:
        """Return a sweep that was begun before."""
        return AsyncSweep(self, await self.send(calls.get(f"/sweeps/{part(sweep_id)}")))

    async def sweeps(self, **query: str | int) -> Answer:
        """Return a page of sweeps, newest first."""
        return await self.send(calls.get("/sweeps", **query))

    async def stop_sweep(self, sweep_id: str) -> Answer:
        """Stop all trials of a sweep, and return it."""
        return await self.send(calls.stop_sweep(sweep_id))

    async def add_dataset(self, name: str, data: Any) -> Answer:
        """Upload a data set."""
        return await self.send(calls.add_dataset(name, data))

    async def datasets(self) -> Answer:
        """Return the data sets that there are."""
        return await self.send(calls.get("/datasets"))

    async def dataset(self, name: str) -> Answer:
        """Return all that is known of a data set."""
        return await self.send(calls.get(f"/datasets/{part(name)}"))

    async def delete_dataset(self, name: str) -> None:
        """Delete an uploaded data set."""
        await self.send(calls.delete(f"/datasets/{part(name)}"))

    async def add_feedback(
        self,
        images: Any,
        label: int | str | Sequence[int | str],
        *,
        model: str | None = None,
        version: int | str | None = None,
    ) -> Answer:
        """Keep images with the label that is right, or with one each."""
        return await self.send(calls.add_feedback(images, label, model, version))

    async def feedback(self, **query: str | int) -> Answer:
        """Return a page of corrected examples, newest first."""
        return await self.send(calls.get("/feedback", **query))

    async def delete_feedback(self, number: int, *, model: str | None = None) -> None:
        """Delete a corrected example; nothing learns it any more."""
        await self.send(calls.delete_feedback(number, model))

    async def put_schedule(self, name: str, cron: str, job: Answer) -> Answer:
        """Let a job be posted at the times of a cron expression; one of that name is replaced."""
        return await self.send(calls.put_schedule(name, cron, job))

    async def schedules(self) -> Answer:
        """Return the schedules that there are."""
        return await self.send(calls.get("/schedules"))

    async def schedule(self, name: str) -> Answer:
        """Return a schedule."""
        return await self.send(calls.get(f"/schedules/{part(name)}"))

    async def delete_schedule(self, name: str) -> None:
        """Delete a schedule."""
        await self.send(calls.delete(f"/schedules/{part(name)}"))

    async def system(self) -> Answer:
        """Return how busy queue, workers and processes are."""
        return await self.send(calls.get("/system"))

    async def send(self, call: Call[T]) -> T:
        """Return the result of a call; where that is safe it is tried again."""
        attempt = 0
        while True:
            try:
                return call.read(self._read(await self._request(call), call.file))
            except (ServiceError, ServiceUnreachable) as error:
                await asyncio.sleep(self._pause(attempt, call.safe, error))
                attempt += 1

    async def _request(self, call: Call[T]) -> httpx.Response:
        try:
            return await self._http.request(call.method, call.path, **call.options)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None
