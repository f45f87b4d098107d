"""A training job: RQ's record of a job, and what we tell of it besides."""

import copy
import json
from typing import Any

from redis.client import Pipeline
from rq.exceptions import DeserializationError
from rq.job import Job, JobStatus

from jobs.options import JobOptions
from nncore.manifest import now
from nncore.specs import from_json
from nncore.traces import Trace

# By name: who enqueues needs no code of the worker.
TRAIN_TASK = "worker.tasks.train_model"
TASKS = (TRAIN_TASK,)

WAITING = (JobStatus.QUEUED, JobStatus.SCHEDULED, JobStatus.DEFERRED)
UNFINISHED = (*WAITING, JobStatus.STARTED)
ENDED = (JobStatus.FINISHED, JobStatus.FAILED, JobStatus.STOPPED, JobStatus.CANCELED)
STATUSES = (*UNFINISHED, *ENDED)

MAX_STORY = 200  # events that are kept

_UNTOLD: dict[str, Any] = {
    "progress": None,
    "outcome": None,
    "error": None,
    "story": [],
    "deaths": [],
    "retries": 0,
    "seconds": 0.0,
    "stop_requested": False,
    "publishing": False,
    "execution_id": None,
    "publishes": True,
}


class RefusedJobError(Exception):
    """The job names another function than those that our workers run."""


class TrainingJob(Job):
    """A job that can only be one of `TASKS`.

    RQ runs whatever dotted name lies in Redis; the JSON serializer alone does not stop a person
    who reaches Redis from naming ``os.system``. Here no other name is even imported.

    Beside RQ's own fields its record has, each as JSON:

    ``progress``
        What the run told last; None before.
    ``outcome``
        What came out of it: version, test_accuracy, promoted, reason.
    ``error``
        Why it failed: a sentence.
    ``story``
        What happened to it, oldest first: ``{"at", "event"}``.
    ``deaths``
        What its processes died of.
    ``retries``
        How often it was put off because of what may pass.
    ``seconds``
        How long its processes have run, but for the one that runs.
    ``stop_requested``
        Whether somebody wants it to stop.
    ``publishing``
        Whether it has trained, and its version may be there: it is not stopped any more.
    ``publishes``
        Whether it makes a version: a trial of a sweep does when it has turned out to be the best.
    ``execution_id``
        Whose it is while it is started: RQ's id of the execution.
    """

    progress: dict[str, Any] | None
    outcome: dict[str, Any] | None
    error: str | None
    story: list[dict[str, str]]
    deaths: list[str]
    retries: int
    seconds: float
    stop_requested: bool
    publishing: bool
    execution_id: str | None
    publishes: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.__dict__ |= copy.deepcopy(_UNTOLD)

    def restore(self, raw_data: dict[bytes, bytes]) -> None:
        """Take over what stands in Redis."""
        super().restore(raw_data)
        told = {name: raw_data.get(name.encode()) for name in _UNTOLD}
        self.__dict__ |= {name: json.loads(text) for name, text in told.items() if text is not None}

    def tell(self, pipeline: Pipeline, event: str, **fields: Any) -> None:
        """Add `event` to the story and set `fields`."""
        story = [*self.story, {"at": now(), "event": event}][-MAX_STORY:]
        self.note(pipeline, story=story, **fields)

    def note(self, pipeline: Pipeline, **fields: Any) -> None:
        """Set `fields`."""
        self.__dict__ |= fields
        told: Any = {name: json.dumps(value) for name, value in fields.items()}
        pipeline.hset(self.key, mapping=told)

    @property
    def status(self) -> JobStatus:
        """The status as it was read."""
        return self.get_status(refresh=False)

    @property
    def is_ours(self) -> bool:
        """Whether `JobQueue` enqueued it: anybody's job may lie in Redis."""
        try:
            return self.func_name in TASKS and "sequence" in self.meta
        except DeserializationError:
            return False

    @property
    def config(self) -> dict[str, Any]:
        """The TrainConfig, as JSON."""
        config: dict[str, Any] = self.args[0]
        return config

    @property
    def options(self) -> JobOptions:
        """What was said of the job beside its config."""
        options: JobOptions = from_json(JobOptions, self.meta["options"])
        return options

    @property
    def trace(self) -> Trace | None:
        """The span of the request that posted the job, None where nobody's did."""
        return Trace.read(self.meta.get("traceparent") or "")

    @property
    def log_fields(self) -> dict[str, str]:
        """What stands in each line about the job: its id, and those of the request it came from."""
        fields = {"job_id": self.id, "request_id": self.meta.get("request_id")}
        if self.trace:
            fields["trace_id"] = self.trace.trace_id
        return {name: value for name, value in fields.items() if value}

    @property
    def model(self) -> str:
        """The model that is to get a version."""
        return str(self.config["model"])

    @property
    def func(self) -> Any:
        """The task. Raises RefusedJobError where the job names another."""
        if not self.is_ours:
            raise RefusedJobError(f"Only {' and '.join(TASKS)} are run; this is another job.")
        return super().func

    @property
    def success_callback(self) -> None:
        """None: callbacks are names of functions too."""

    @property
    def failure_callback(self) -> None:
        """None: callbacks are names of functions too."""

    @property
    def stopped_callback(self) -> None:
        """None: callbacks are names of functions too."""

    def send_webhooks(self, status: Any, *, exc_string: str | None = None) -> None:
        """Send nothing: whoever reaches Redis must not make the worker call addresses."""
