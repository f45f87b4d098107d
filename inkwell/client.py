"""The client: Inkwell's HTTP API over kept-alive connections."""

import time
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from inkwell import calls, transport
from inkwell.calls import Call, part
from inkwell.job_handle import Job
from inkwell.results import Answer, Predictions, Version
from inkwell.settings import Settings
from inkwell.transport import ServiceError, ServiceUnreachable

__all__ = ["Answer", "Client", "ServiceError", "ServiceUnreachable"]

LIVE_SECONDS = 2.0  # a service that starts may accept a connection long before it answers
T = TypeVar("T")


class Client:
    """Inkwell at one address; use as a context manager, or call `close`. Threads may share it.

    Parameters
    ----------
    url : str, optional
        Address of the service; with the token from INKWELL_URL, INKWELL_ADMIN_TOKEN and the store
        of this machine where it is not given.
    token : str, optional
        The admin token, for what changes something.
    timeout : float
        Seconds until an answer is given up.
    retries : int
        How often what may safely be sent twice is sent again where the service is away or busy.

    Raises
    ------
    ServiceUnreachable
        From every call, if the service cannot be reached.
    ServiceError
        From every call, if the service answers with an error; it carries the problem.
    """

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
        self._http = httpx.Client(**transport.options(self.url, token, timeout))

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return a client of the service that the settings name; it tells at once what is wrong."""
        return cls(settings.url, settings.token(), retries=0)

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
        """Close the connections."""
        self._http.close()

    def predict(
        self,
        images: Any,
        *,
        model: str | None = None,
        version: int | str | None = None,
    ) -> Predictions:
        """Return what a version says of images.

        Parameters
        ----------
        images : array, path, bytes, PIL picture, or a list of these
            As `inkwell.bodies.encode` takes them; arrays travel as bytes.
        model : str, optional
            The service's default else.
        version : int or str, optional
            A number or an alias, of `model`; the live one else.
        """
        return self.send(calls.predict(images, model, version))

    def train(self, model: str = "digits", **config: Any) -> Job:
        """Queue a training job; `config` are keys of a TrainConfig: dataset, epochs and so on."""
        return Job(self, self.send(calls.train(calls.job_config(model, config))))

    def version(self, model: str, version: int | str = "live") -> Version:
        """Return a version with its manifest."""
        return self.send(calls.version(model, version))

    def find_job(self, job_id: str) -> Job:
        """Return a job that was queued before."""
        return Job(self, self.job(job_id))

    def post_pixels(
        self,
        content: bytes,
        content_type: str,
        *,
        model: str | None = None,
        version: int | str | None = None,
    ) -> Answer:
        """Return the answer for a body as it is: a picture, an array, JSON."""
        options = {"content": content, "headers": {"Content-Type": content_type}}
        return self.send(Call("POST", calls.predict_path(model, version), calls.plain, options))

    def post_job(self, config: Answer) -> Answer:
        """Queue a training job and return it."""
        return self.send(calls.train(config))

    def job(self, job_id: str) -> Answer:
        """Return one training job with its progress."""
        return self.send(calls.get(f"/jobs/{part(job_id)}"))

    def jobs(self, **query: str | int) -> Answer:
        """Return a page of jobs, newest first; `status`, `model`, `limit`, `cursor` narrow it."""
        return self.send(calls.get("/jobs", **query))

    def order(self, job_id: str, order: str) -> Answer:
        """Give an order about a job, ``stop`` or ``resume``, and return the job."""
        return self.send(calls.order(job_id, order))

    def models(self) -> Answer:
        """Return the models with their aliases."""
        return self.send(calls.get("/models"))

    def model(self, model: str) -> Answer:
        """Return one model with its aliases."""
        return self.send(calls.get(f"/models/{part(model)}"))

    def versions(self, model: str, **query: str | int) -> Answer:
        """Return a page of a model's versions, newest first; `limit`, `cursor` narrow it."""
        return self.send(calls.get(f"/models/{part(model)}/versions", **query))

    def promote(
        self,
        model: str,
        version: int,
        alias: str = "live",
        reason: str | None = None,
        actor: str | None = None,
    ) -> Answer:
        """Point an alias at a version; the service answers with it from the next request on."""
        return self.send(calls.promote(model, version, alias, reason, actor))

    def rollback(
        self,
        model: str,
        alias: str = "live",
        reason: str | None = None,
        actor: str | None = None,
    ) -> Answer:
        """Point an alias at what it named before its last move."""
        return self.send(calls.rollback(model, alias, reason, actor))

    def history(self, model: str) -> Answer:
        """Return every move of the model's aliases, oldest first."""
        return self.send(calls.get(f"/models/{part(model)}/history"))

    def system(self) -> Answer:
        """Return how busy queue, workers and processes are."""
        return self.send(calls.get("/system"))

    def live(self) -> bool:
        """Tell whether the service answers at all."""
        try:
            return self._request("GET", "/livez", timeout=LIVE_SECONDS).is_success
        except ServiceUnreachable:
            return False

    def ready(self) -> bool:
        """Tell whether the service has a version to answer with."""
        return self._request("GET", "/readyz").is_success

    def readiness(self) -> Answer:
        """Return what the service says of its readiness, whether it is ready or not."""
        return transport.json_object(self._request("GET", "/readyz"))

    def send(self, call: Call[T]) -> T:
        """Return the result of a call; where that is safe it is tried again."""
        attempt = 0
        while True:
            try:
                response = self._request(call.method, call.path, **call.options)
                return call.read(transport.read(self.url, response))
            except (ServiceError, ServiceUnreachable) as error:
                wait = transport.pause(attempt, error)
                if wait is None or not call.safe or attempt >= self._retries:
                    raise
                attempt += 1
                time.sleep(wait)

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise transport.unreachable(self.url, error) from None
