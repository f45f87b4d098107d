"""Something at hand that goes on by itself, a job or a sweep: looked at, and waited for."""

import asyncio
import time
from typing import Self

from inkwell.errors import InkwellError
from inkwell.results import Answer

ENDED = frozenset({"finished", "failed", "stopped", "canceled"})
POLL_SECONDS = 0.3


class NotFinished(InkwellError):  # noqa: N818 - reads as the sentence it is
    """What was waited for has failed, was stopped, or took too long."""


class Handle:
    """What is known of it since it was last looked at."""

    kind = "It"

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.answer["id"])

    @property
    def status(self) -> str:
        """Its status when it was last looked at."""
        return str(self.answer["status"])

    @property
    def result(self) -> Answer | None:
        """Version, test accuracy and verdict, once it has finished."""
        result: Answer | None = self.answer["result"]
        return result

    def __repr__(self) -> str:
        return f"<{self.kind.lower()} {self.id}: {self.status}>"

    def _finished(self, give_up_at: float) -> bool:
        """Tell whether it has finished. Raises NotFinished where it will not in time."""
        if self.status == "finished":
            return True
        if self.status in ENDED:
            raise NotFinished(f"{self.kind} {self.id} {self.status}: {self.answer['error'] or ''}")
        if time.monotonic() > give_up_at:
            raise NotFinished(f"{self.kind} {self.id} is still {self.status}")
        return False


class SyncHandle(Handle):
    """What the client has at hand."""

    def refresh(self) -> Self:
        """Look at it again."""
        raise NotImplementedError

    def wait(self, timeout: float = float("inf")) -> Self:
        """Return when it has finished. Raises NotFinished."""
        give_up_at = time.monotonic() + timeout
        while not self.refresh()._finished(give_up_at):
            time.sleep(POLL_SECONDS)
        return self


class AsyncHandle(Handle):
    """What the async client has at hand."""

    async def refresh(self) -> Self:
        """Look at it again."""
        raise NotImplementedError

    async def wait(self, timeout: float = float("inf")) -> Self:
        """Return when it has finished. Raises NotFinished."""
        give_up_at = time.monotonic() + timeout
        while not (await self.refresh())._finished(give_up_at):
            await asyncio.sleep(POLL_SECONDS)
        return self
