"""A thin client of Inkwell's HTTP API over one kept-alive connection."""

from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from inkwell.errors import InkwellError
from inkwell.settings import Settings, is_loopback

Answer = dict[str, Any]

LIVE_SECONDS = 2.0  # a service that starts may accept a connection long before it answers


class ServiceUnreachable(InkwellError):  # noqa: N818 - reads as the sentence it is
    """Nobody answers at the address, or nobody answers in time."""


class ServiceError(InkwellError):
    """The service refused: what its `application/problem+json` body says."""

    def __init__(self, response: httpx.Response) -> None:
        problem = _json_object(response)
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


class Client:
    """Inkwell at one address; use as a context manager, or call `close`.

    Raises
    ------
    ServiceUnreachable
        From every call, if the service cannot be reached.
    ServiceError
        From every call, if the service answers with an error.
    """

    def __init__(self, url: str, token: str | None = None, timeout: float = 60.0) -> None:
        self.url = url.rstrip("/")
        headers = httpx.Headers()
        if token:
            # As bytes: a token that is no ASCII is the service's to refuse.
            headers = httpx.Headers({b"Authorization": b"Bearer " + token.encode()})
        self._http = httpx.Client(
            base_url=_checked(self.url),
            headers=headers,
            timeout=httpx.Timeout(timeout, connect=min(timeout, 5.0)),
            # A proxy of the environment cannot know what this machine calls 127.0.0.1.
            trust_env=not is_loopback(httpx.URL(self.url).host),
        )

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return a client of the service that the settings name."""
        return cls(settings.url, settings.token())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def predict(
        self,
        content: bytes,
        content_type: str,
        *,
        model: str | None = None,
        version: int | str | None = None,
    ) -> Answer:
        """Return the predictions for a body as it is: a picture, an array, JSON."""
        path = "/api/v1"
        if model is not None:
            path += f"/models/{_part(model)}"
            if version is not None:
                path += f"/versions/{_part(version)}"
        headers = {"Content-Type": content_type}
        return self._call("POST", f"{path}/predict", content=content, headers=headers)

    def post_job(self, config: Answer) -> Answer:
        """Queue a training job and return it."""
        return self._call("POST", "/api/v1/jobs", json=config)

    def job(self, job_id: str) -> Answer:
        """Return one training job with its progress."""
        return self._call("GET", f"/api/v1/jobs/{_part(job_id)}")

    def jobs(self, **query: str | int) -> Answer:
        """Return a page of jobs, newest first; `status`, `model`, `limit`, `cursor` narrow it."""
        return self._call("GET", "/api/v1/jobs", params=query)

    def order(self, job_id: str, order: str) -> Answer:
        """Give an order about a job, ``stop`` or ``resume``, and return the job."""
        return self._call("POST", f"/api/v1/jobs/{_part(job_id)}/{_part(order)}")

    def models(self) -> Answer:
        """Return the models with their aliases."""
        return self._call("GET", "/api/v1/models")

    def model(self, model: str) -> Answer:
        """Return one model with its aliases."""
        return self._call("GET", f"/api/v1/models/{_part(model)}")

    def versions(self, model: str, **query: str | int) -> Answer:
        """Return a page of a model's versions, newest first; `limit`, `cursor` narrow it."""
        return self._call("GET", f"/api/v1/models/{_part(model)}/versions", params=query)

    def promote(
        self,
        model: str,
        version: int,
        alias: str = "live",
        reason: str | None = None,
        actor: str | None = None,
    ) -> Answer:
        """Point an alias at a version; the service answers with it from the next request on."""
        body = {"version": version} | _given(reason=reason, actor=actor)
        path = f"/api/v1/models/{_part(model)}/aliases/{_part(alias)}"
        return self._call("PUT", path, json=body)

    def rollback(
        self,
        model: str,
        alias: str = "live",
        reason: str | None = None,
        actor: str | None = None,
    ) -> Answer:
        """Point an alias at what it named before its last move."""
        body = {"alias": alias} | _given(reason=reason, actor=actor)
        return self._call("POST", f"/api/v1/models/{_part(model)}/rollback", json=body)

    def history(self, model: str) -> Answer:
        """Return every move of the model's aliases, oldest first."""
        return self._call("GET", f"/api/v1/models/{_part(model)}/history")

    def live(self) -> bool:
        """Tell whether the service answers at all."""
        try:
            return self._send("GET", "/livez", timeout=LIVE_SECONDS).is_success
        except ServiceUnreachable:
            return False

    def ready(self) -> bool:
        """Tell whether the service has a version to answer with."""
        return self._send("GET", "/readyz").is_success

    def readiness(self) -> Answer:
        """Return what the service says of its readiness, whether it is ready or not."""
        return _json_object(self._send("GET", "/readyz"))

    def system(self) -> Answer:
        """Return how busy queue, workers and processes are."""
        return self._call("GET", "/api/v1/system")

    def _call(self, method: str, path: str, **request: Any) -> Answer:
        response = self._send(method, path, **request)
        if not response.is_success:
            raise ServiceError(response)
        answer = _json_object(response)
        if not answer:
            raise ServiceUnreachable(f"What answers at {self.url} is not Inkwell: check the URL")
        return answer

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **request)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise ServiceUnreachable(
                f"No service at {self.url}: start one with `inkwell up` or set INKWELL_URL"
            ) from None
        except httpx.TimeoutException:
            raise ServiceUnreachable(f"The service at {self.url} did not answer in time") from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise ServiceUnreachable(
                f"The connection to {self.url} broke: {error or type(error).__name__}"
            ) from None


def _given(**texts: str | None) -> dict[str, str]:
    return {key: text for key, text in texts.items() if text}


def _part(segment: int | str) -> str:
    # A dot segment would be resolved away, and another address called.
    text = quote(str(segment), safe="")
    return text if text.strip(".") else text.replace(".", "%2E")


def _checked(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InkwellError(f"INKWELL_URL (--url) must look like http://127.0.0.1:8000, got {url!r}")
    return url


def _json_object(response: httpx.Response) -> Answer:
    try:
        body = response.json()
    except ValueError:  # a proxy's page, or another server
        return {}
    return body if isinstance(body, dict) else {}
