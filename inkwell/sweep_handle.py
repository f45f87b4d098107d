"""A sweep at hand: its trials, its best, waited for, stopped, drawn in a notebook."""

from html import escape
from typing import TYPE_CHECKING, Self

from inkwell.handle import AsyncHandle, Handle, SyncHandle
from inkwell.results import Answer

if TYPE_CHECKING:
    from inkwell.async_client import AsyncClient
    from inkwell.client import Client


class _Drawn(Handle):
    """A sweep as a notebook shows it."""

    kind = "Sweep"

    @property
    def trials(self) -> list[Answer]:
        """A line for each trial, the best first, when it was last looked at."""
        return list(self.answer["trials"])

    @property
    def best(self) -> Answer | None:
        """The line of the best trial, once all have ended."""
        best: Answer | None = self.answer["best"]
        return best

    def _repr_html_(self) -> str:
        metric, names = self.answer["metric"], self.answer["parameters"]
        rows = [["status", *names, metric]]
        for trial in self.trials:
            values = [trial["parameters"].get(name) for name in names]
            reached = "" if trial[metric] is None else f"{trial[metric]:.4f}"
            rows.append([trial["status"], *map(str, values), reached])
        cells = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
        lines = "".join(f"<tr>{line}</tr>" for line in cells)
        return f"<div>{escape(repr(self))}<table>{lines}</table></div>"


class Sweep(_Drawn, SyncHandle):
    """A sweep of the client."""

    def __init__(self, client: "Client", answer: Answer) -> None:
        super().__init__(answer)
        self._client = client

    def refresh(self) -> Self:
        """Look at the sweep again."""
        self.answer = self._client.find_sweep(self.id).answer
        return self

    def stop(self) -> Self:
        """Stop all of its trials."""
        self.answer = self._client.stop_sweep(self.id)
        return self


class AsyncSweep(_Drawn, AsyncHandle):
    """A sweep of the async client."""

    def __init__(self, client: "AsyncClient", answer: Answer) -> None:
        super().__init__(answer)
        self._client = client

    async def refresh(self) -> Self:
        """Look at the sweep again."""
        self.answer = (await self._client.find_sweep(self.id)).answer
        return self

    async def stop(self) -> Self:
        """Stop all of its trials."""
        self.answer = await self._client.stop_sweep(self.id)
        return self
