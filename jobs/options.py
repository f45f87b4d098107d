"""What may be said of a job beside its TrainConfig: it changes nothing about the version."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from nncore.config import TrainConfig
from nncore.errors import ConfigError, FieldError
from nncore.object_store import Store
from nncore.resolve import resolve
from nncore.specs import MAX_ERRORS, escape, from_json, require_number, run_checks, unknown, wrong

NORMAL = "normal"
PRIORITIES = ("high", NORMAL, "low")
DAY = 24 * 3600
MAX_SECONDS = 30 * DAY
MAX_MEMORY_MB = 2**20


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """How a job is queued and run; checks itself (ConfigError).

    Parameters
    ----------
    priority : str
        One of `PRIORITIES`; the first are served first.
    force : bool
        Whether the job is queued even if one that is equal waits or runs.
    time_limit_seconds : int
        How long the run may take, all of its processes together.
    memory_limit_mb : int or None
        How much memory, in MiB, the run may take beside what its worker takes.
    """

    priority: str = NORMAL
    force: bool = False
    time_limit_seconds: int = DAY
    memory_limit_mb: int | None = None

    def __post_init__(self) -> None:
        run_checks(self._check_priority, self._check_time, self._check_memory)

    def _check_priority(self) -> None:
        if self.priority not in PRIORITIES:
            raise wrong("/priority", unknown("priority", self.priority, PRIORITIES))

    def _check_time(self) -> None:
        limit = self.time_limit_seconds
        require_number("time_limit_seconds", limit, at_least=1, at_most=MAX_SECONDS)

    def _check_memory(self) -> None:
        if self.memory_limit_mb is not None:
            limit = self.memory_limit_mb
            require_number("memory_limit_mb", limit, at_least=1, at_most=MAX_MEMORY_MB)


def read_job(body: Mapping[str, Any], store: Store) -> tuple[TrainConfig, JobOptions]:
    """Return what a body asks for: a TrainConfig's keys, and beside them those of JobOptions.

    `store` has the versions and data sets that the body may name.

    Raises
    ------
    ConfigError
        With every error of both.
    """
    config_part, options_part = split_job(body)
    read: list[Any] = []
    run_checks(
        lambda: _refuse_others(body, {*_names(TrainConfig), *_names(JobOptions)}),
        lambda: read.append(resolve(config_part, store)),
        lambda: read.append(from_json(JobOptions, options_part)),
    )
    config, options = read
    return config, options


def split_job(body: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the keys of a TrainConfig, and those of JobOptions."""
    parts = [
        {key: value for key, value in body.items() if key in _names(cls)}
        for cls in (TrainConfig, JobOptions)
    ]
    return parts[0], parts[1]


def _names(cls: Any) -> list[str]:
    return [field.name for field in fields(cls)]


def _refuse_others(body: Mapping[str, Any], known: set[str]) -> None:
    strange = [key for key in body if key not in known][:MAX_ERRORS]
    if strange:
        raise ConfigError(
            [FieldError(f"/{escape(key)}", unknown("key", key, known)) for key in strange]
        )
