"""What the client and the async client share: errors, the connection's options, trying again."""

from typing import Any

import httpx

from inkwell.errors import InkwellError
from inkwell.results import Answer
from inkwell.settings import Settings, is_loopback

PASSING = {429, 502, 503, 504}  # statuses of a service that is busy or just coming back
LONGEST_PAUSE = 10.0
NO_CONTENT = 204


class ServiceUnreachable(InkwellError):  # noqa: N818 - reads as the sentence it is
    """Nobody answers at the address, or nobody answers in time."""


class ServiceError(InkwellError):
    """The service refused: what its `application/problem+json` body says."""

    def __init__(self, response: httpx.Response) -> None:
        problem = json_object(response)
        self.status = response.status_code
        self.title = str(problem.get("title") or response.reason_phrase or "error")
        self.detail = str(problem.get("detail") or "")
        self.errors: list[Answer] = [e for e in problem.get("errors") or [] if isinstance(e, dict)]
        self.request_id = problem.get("request_id") or response.headers.get("X-Request-ID")
        self.retry_after: str | None = response.headers.get("Retry-After")
        super().__init__(self._line())

    def _line(self) -> str:
        line = self.detail or f"{self.title} ({self.status})"
        fields = [(str(e.get("pointer", "")), str(e.get("detail", ""))) for e in self.errors]
        # The detail often says the same as the first field's.
        if more := [f"{pointer} {why}".strip() for pointer, why in fields if why not in line]:
            line = f"{line.rstrip('.')}: {'; '.join(more)}"
        return " ".join(line.split())


class Endpoint:
    """Where a client finds the service; made as `Client` and `AsyncClient` are."""

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
        self._open(options(self.url, token, timeout))

    def _open(self, options: dict[str, Any]) -> None:
        """Open the connections with what httpx is to be told."""
        raise NotImplementedError

    def _read(self, response: httpx.Response, file: bool = False) -> Answer | bytes:
        """Return an answer's JSON, or the file. Raises ServiceError, ServiceUnreachable."""
        if not response.is_success:
            raise ServiceError(response)
        if file:
            return response.content
        if response.status_code == NO_CONTENT:
            return {}
        answer = json_object(response)
        if not answer:
            raise ServiceUnreachable(f"What answers at {self.url} is not Inkwell: check the URL")
        return answer

    def _unreachable(self, error: httpx.HTTPError) -> ServiceUnreachable:
        """Return the sentence for what became of the connection."""
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return ServiceUnreachable(
                f"No service at {self.url}: start one with `inkwell up` or set INKWELL_URL"
            )
        if isinstance(error, httpx.TimeoutException):
            return ServiceUnreachable(f"The service at {self.url} did not answer in time")
        what = error or type(error).__name__
        return ServiceUnreachable(f"The connection to {self.url} broke: {what}")

    def _pause(self, attempt: int, safe: bool, error: InkwellError) -> float:
        """Return for how many seconds to wait before the next attempt; else raise the error."""
        wait = pause(attempt, error)
        if wait is None or not safe or attempt >= self._retries:
            raise error
        return wait


def options(url: str, token: str | None, timeout: float) -> dict[str, Any]:
    """Return what an httpx client of the service is made with. Raises InkwellError."""
    headers = httpx.Headers()
    if token:
        # As bytes: a token that is no ASCII is the service's to refuse.
        headers = httpx.Headers({b"Authorization": b"Bearer " + token.encode()})
    return {
        "base_url": _checked(url),
        "headers": headers,
        "timeout": httpx.Timeout(timeout, connect=min(timeout, 5.0)),
        # A proxy of the environment cannot know what this machine calls 127.0.0.1.
        "trust_env": not is_loopback(httpx.URL(url).host),
    }


def pause(attempt: int, error: InkwellError) -> float | None:
    """Return for how many seconds to wait before trying again; None where that is of no use."""
    if isinstance(error, ServiceError):
        if error.status not in PASSING:
            return None
        told = error.retry_after or ""
        wanted = float(told) if told.isdecimal() else 0.0
        return min(max(wanted, 0.1 * 2**attempt), LONGEST_PAUSE)
    return 0.1 * 2**attempt


def _checked(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InkwellError(f"INKWELL_URL (--url) must look like http://127.0.0.1:8000, got {url!r}")
    return url


def json_object(response: httpx.Response) -> Answer:
    """Return a body's JSON object; an empty one where it holds none."""
    try:
        body = response.json()
    except ValueError:  # a proxy's page, or another server
        return {}
    return body if isinstance(body, dict) else {}
