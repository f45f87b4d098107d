"""The client: Inkwell's HTTP API over kept-alive connections."""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from inkwell import calls, transport
from inkwell.calls import Call, part
from inkwell.job_handle import Job
from inkwell.results import Answer, Predictions, Version
from inkwell.settings import Settings
from inkwell.sweep_handle import Sweep
from inkwell.transport import Endpoint, ServiceError, ServiceUnreachable

__all__ = ["Answer", "Client", "ServiceError", "ServiceUnreachable"]

LIVE_SECONDS = 2.0  # a service that starts may accept a connection long before it answers
T = TypeVar("T")


class Client(Endpoint):
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

    def _open(self, options: dict[str, Any]) -> None:
        self._http = httpx.Client(**options)

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

    def export(self, model: str, version: int | str = "live", format: str = "onnx") -> bytes:
        """Return a version as a file: onnx, npz, or safetensors, the weights as they are kept."""
        return self.send(calls.export(model, version, format))

    def promote(
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
        """Point an alias at a version; the service answers with it from the next request on.

        Parameters
        ----------
        model, version, alias
            What answers for which name; `version` is not given where there is a `split`.
        reason, actor : str, optional
            Why and by whom, for the history.
        split : dict, optional
            Versions that share the requests, each with its share: ``{1: 0.95, 2: 0.05}``.
        shadow : int, optional
            A version that is asked, too, and compared; it answers nobody.
        """
        return self.send(calls.promote(model, version, alias, reason, actor, split, shadow))

    def rollback(
        self,
        model: str,
        alias: str = "live",
        reason: str | None = None,
        actor: str | None = None,
    ) -> Answer:
        """Point an alias at what it named before its last move."""
        return self.send(calls.rollback(model, alias, reason, actor))

    def aliases(self, model: str) -> Answer:
        """Return the model's aliases: what they name, since when, who moved them, why."""
        return self.send(calls.get(f"/models/{part(model)}/aliases"))

    def remove_alias(
        self, model: str, alias: str, reason: str | None = None, actor: str | None = None
    ) -> None:
        """Let an alias name nothing any more."""
        self.send(calls.remove_alias(model, alias, reason, actor))

    def shadows(self, model: str) -> Answer:
        """Return what versions in the shadow said of what others answered."""
        return self.send(calls.get(f"/models/{part(model)}/shadows"))

    def delete_version(self, model: str, version: int) -> None:
        """Delete a version that no alias names."""
        self.send(calls.delete(f"/models/{part(model)}/versions/{part(version)}"))

    def history(self, model: str) -> Answer:
        """Return every move of the model's aliases, oldest first."""
        return self.send(calls.get(f"/models/{part(model)}/history"))

    def sweep(
        self,
        base: Answer,
        *,
        grid: Answer | None = None,
        random: Answer | None = None,
        **more: Any,
    ) -> Sweep:
        """Begin a sweep: a job for each of several values of some keys.

        Parameters
        ----------
        base : dict
            What all trials have in common: the keys of a job; `model` and `dataset` are digits
            where they are not given.
        grid, random : dict
            One of the two: lists of values for each parameter, such as
            ``{"optimizer.learning_rate": [0.001, 0.01]}``; or, for `random`, also ranges
            ``{"low": 0.0001, "high": 0.01, "log": True}``.
        **more
            ``trials`` (of `random`), ``metric``, ``seed``, ``stop_hopeless``, ``publish``.
        """
        return Sweep(self, self.send(calls.sweep(calls.sweep_body(base, grid, random, more))))

    def find_sweep(self, sweep_id: str) -> Sweep:
        """Return a sweep that was begun before."""
        return Sweep(self, self.send(calls.get(f"/sweeps/{part(sweep_id)}")))

    def sweeps(self, **query: str | int) -> Answer:
        """Return a page of sweeps, newest first; `limit`, `cursor` narrow it."""
        return self.send(calls.get("/sweeps", **query))

    def stop_sweep(self, sweep_id: str) -> Answer:
        """Stop all trials of a sweep, and return it."""
        return self.send(calls.stop_sweep(sweep_id))

    def add_dataset(self, name: str, data: Any) -> Answer:
        """Upload a data set; return its labels, its numbers of rows and its report.

        Parameters
        ----------
        name : str
            By which jobs name it.
        data : path, bytes, or dict of these
            An .npz, CSV or zip of labelled folders; a folder is zipped. A dict names the parts:
            ``train`` and ``test``, or of IDX files ``train_images``, ``train_labels``,
            ``test_images``, ``test_labels``.
        """
        return self.send(calls.add_dataset(name, data))

    def datasets(self) -> Answer:
        """Return the data sets that there are."""
        return self.send(calls.get("/datasets"))

    def dataset(self, name: str) -> Answer:
        """Return all that is known of a data set."""
        return self.send(calls.get(f"/datasets/{part(name)}"))

    def delete_dataset(self, name: str) -> None:
        """Delete an uploaded data set."""
        self.send(calls.delete(f"/datasets/{part(name)}"))

    def add_feedback(
        self,
        images: Any,
        label: int | str | Sequence[int | str],
        *,
        model: str | None = None,
        version: int | str | None = None,
    ) -> Answer:
        """Keep images, as `predict` takes them, with the label that is right, or with one each."""
        return self.send(calls.add_feedback(images, label, model, version))

    def feedback(self, **query: str | int) -> Answer:
        """Return a page of corrected examples, newest first; `model`, `limit`, `cursor` narrow."""
        return self.send(calls.get("/feedback", **query))

    def delete_feedback(self, number: int, *, model: str | None = None) -> None:
        """Delete a corrected example; nothing learns it any more."""
        self.send(calls.delete_feedback(number, model))

    def put_schedule(self, name: str, cron: str, job: Answer) -> Answer:
        """Let a job be posted at the times of a cron expression; one of that name is replaced."""
        return self.send(calls.put_schedule(name, cron, job))

    def schedules(self) -> Answer:
        """Return the schedules that there are."""
        return self.send(calls.get("/schedules"))

    def schedule(self, name: str) -> Answer:
        """Return a schedule."""
        return self.send(calls.get(f"/schedules/{part(name)}"))

    def delete_schedule(self, name: str) -> None:
        """Delete a schedule."""
        self.send(calls.delete(f"/schedules/{part(name)}"))

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
                return call.read(self._read(response, call.file))
            except (ServiceError, ServiceUnreachable) as error:
                time.sleep(self._pause(attempt, call.safe, error))
                attempt += 1

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None
