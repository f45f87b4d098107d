"""A training job at hand: waited for, stopped, looked at, drawn in a notebook."""

import asyncio
import time
from html import escape
from typing import TYPE_CHECKING, Any

from inkwell.errors import InkwellError
from inkwell.results import Answer, curve

if TYPE_CHECKING:
    from inkwell.async_client import AsyncClient
    from inkwell.client import Client

ENDED = frozenset({"finished", "failed", "stopped", "canceled"})
POLL_SECONDS = 0.3


class JobNotFinished(InkwellError):  # noqa: N818 - reads as the sentence it is
    """A job that was waited for has failed, was stopped, or took too long."""


class _Handle:
    """What is known of a job since it was last looked at."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    @property
    def id(self) -> str:
        """The job's id."""
        return str(self.answer["id"])

    @property
    def status(self) -> str:
        """Its status when it was last looked at."""
        return str(self.answer["status"])

    @property
    def result(self) -> Answer | None:
        """Version, test accuracy and verdict of a job that has finished."""
        result: Answer | None = self.answer["result"]
        return result

    def __repr__(self) -> str:
        return f"<job {self.id}: {self.status}>"

    def _repr_html_(self) -> str:
        config, result = self.answer["config"], self.result or {}
        line = f"<b>{escape(config['model'])}</b> on {escape(config['dataset'])}: {self.status}"
        if result.get("test_accuracy") is not None:
            line += f", version {result['version']} reads {result['test_accuracy']:.2%} right"
        if self.answer["error"]:
            line += f": {escape(self.answer['error'])}"
        return f"<div>{line}<br>{curve(self.answer.get('history') or [])}</div>"

    def _ended(self, give_up_at: float) -> bool:
        """Tell whether the job has finished. Raises JobNotFinished where it will not in time."""
        if self.status == "finished":
            return True
        if self.status in ENDED:
            raise JobNotFinished(f"Job {self.id} {self.status}: {self.answer['error'] or ''}")
        if time.monotonic() > give_up_at:
            raise JobNotFinished(f"Job {self.id} is still {self.status}")
        return False


class Job(_Handle):
    """A job of the client."""

    def __init__(self, client: "Client", answer: Answer) -> None:
        super().__init__(answer)
        self._client = client

    @property
    def history(self) -> list[dict[str, Any]]:
        """What each epoch brought until now, asked for anew."""
        return list(self.refresh().answer["history"])

    def refresh(self) -> "Job":
        """Look at the job again."""
        self.answer = self._client.job(self.id)
        return self

    def wait(self, timeout: float = float("inf")) -> "Job":
        """Return when the job has finished. Raises JobNotFinished."""
        give_up_at = time.monotonic() + timeout
        while not self.refresh()._ended(give_up_at):
            time.sleep(POLL_SECONDS)
        return self

    def stop(self) -> "Job":
        """Stop the job; it keeps a checkpoint."""
        self.answer = self._client.order(self.id, "stop")
        return self

    def resume(self) -> "Job":
        """Let a job that was stopped go on."""
        self.answer = self._client.order(self.id, "resume")
        return self


class AsyncJob(_Handle):
    """A job of the async client."""

    def __init__(self, client: "AsyncClient", answer: Answer) -> None:
        super().__init__(answer)
        self._client = client

    async def history(self) -> list[dict[str, Any]]:
        """Return what each epoch brought until now."""
        return list((await self.refresh()).answer["history"])

    async def refresh(self) -> "AsyncJob":
        """Look at the job again."""
        self.answer = await self._client.job(self.id)
        return self

    async def wait(self, timeout: float = float("inf")) -> "AsyncJob":
        """Return when the job has finished. Raises JobNotFinished."""
        give_up_at = time.monotonic() + timeout
        while not (await self.refresh())._ended(give_up_at):
            await asyncio.sleep(POLL_SECONDS)
        return self

    async def stop(self) -> "AsyncJob":
        """Stop the job; it keeps a checkpoint."""
        self.answer = await self._client.order(self.id, "stop")
        return self

    async def resume(self) -> "AsyncJob":
        """Let a job that was stopped go on."""
        self.answer = await self._client.order(self.id, "resume")
        return self
