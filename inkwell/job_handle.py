"""A training job at hand: waited for, stopped, looked at, drawn in a notebook."""

from html import escape
from typing import TYPE_CHECKING, Any, Self

from inkwell.handle import AsyncHandle, Handle, SyncHandle
from inkwell.results import Answer, curve

if TYPE_CHECKING:
    from inkwell.async_client import AsyncClient
    from inkwell.client import Client


class _Drawn(Handle):
    """A job as a notebook shows it."""

    kind = "Job"

    def _repr_html_(self) -> str:
        config, result = self.answer["config"], self.result or {}
        line = f"<b>{escape(config['model'])}</b> on {escape(datasets(config))}: {self.status}"
        if result.get("test_accuracy") is not None:
            line += f", version {result['version']} reads {result['test_accuracy']:.2%} right"
        if self.answer["error"]:
            line += f": {escape(self.answer['error'])}"
        return f"<div>{line}<br>{curve(self.answer.get('history') or [])}</div>"


class Job(_Drawn, SyncHandle):
    """A job of the client."""

    def __init__(self, client: "Client", answer: Answer) -> None:
        super().__init__(answer)
        self._client = client

    @property
    def history(self) -> list[dict[str, Any]]:
        """What each epoch brought until now, asked for anew."""
        return list(self.refresh().answer["history"])

    def refresh(self) -> Self:
        """Look at the job again."""
        self.answer = self._client.job(self.id)
        return self

    def stop(self) -> Self:
        """Stop the job; it keeps a checkpoint."""
        self.answer = self._client.order(self.id, "stop")
        return self

    def resume(self) -> Self:
        """Let a job that was stopped go on."""
        self.answer = self._client.order(self.id, "resume")
        return self


class AsyncJob(_Drawn, AsyncHandle):
    """A job of the async client."""

    def __init__(self, client: "AsyncClient", answer: Answer) -> None:
        super().__init__(answer)
        self._client = client

    async def history(self) -> list[dict[str, Any]]:
        """Return what each epoch brought until now."""
        return list((await self.refresh()).answer["history"])

    async def refresh(self) -> Self:
        """Look at the job again."""
        self.answer = await self._client.job(self.id)
        return self

    async def stop(self) -> Self:
        """Stop the job; it keeps a checkpoint."""
        self.answer = await self._client.order(self.id, "stop")
        return self

    async def resume(self) -> Self:
        """Let a job that was stopped go on."""
        self.answer = await self._client.order(self.id, "resume")
        return self


def datasets(config: Answer) -> str:
    """Return the names of the data that a job is trained on: one, or several with plus signs."""
    names = config["dataset"]
    return names if isinstance(names, str) else "+".join(names)
