"""What a sweep is to try: a configuration, and values for some of its keys."""

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from jobs.options import read_job
from nncore.errors import ConfigError, FieldError
from nncore.object_store import Store
from nncore.resolve import resolve
from nncore.specs import describe, escape, from_json, require_number, run_checks, unknown, wrong

MAX_TRIALS = 1_000
HIGHER_IS_BETTER = {"validation_accuracy": True, "validation_loss": False, "loss": False}


@dataclass(frozen=True, kw_only=True)
class Range:
    """Numbers from `low` to `high`, drawn evenly, or evenly by their logarithm."""

    low: float
    high: float
    log: bool = False
    integer: bool = False

    def __post_init__(self) -> None:
        require_number("low", self.low, **({"above": 0} if self.log else {"at_least": -1e12}))
        require_number("high", self.high, above=self.low, at_most=1e12)

    def ends(self) -> tuple[float, float]:
        """Return the least and the greatest of the numbers."""
        return self.rounded(self.low), self.rounded(self.high)

    def rounded(self, number: float) -> float:
        """Return `number` as it is to be written."""
        return round(number) if self.integer else float(number)


@dataclass(frozen=True, kw_only=True)
class SweepRequest:
    """A sweep as it was posted; checks itself (ConfigError).

    Parameters
    ----------
    base : dict
        What every trial has in common: a job as it is posted.
    grid : dict or None
        Values to try for each parameter, all with all. A parameter is a key of the configuration,
        with dots where it is further inside: ``optimizer.learning_rate``, ``network.0.units``.
    random : dict or None
        Values to draw from for each parameter: a list, or a `Range`.
    trials : int or None
        How many are drawn; a grid has as many as it has points.
    metric : str
        One of `HIGHER_IS_BETTER`.
    seed : int
        Of what is drawn.
    stop_hopeless : bool
        Whether trials are stopped that will hardly be the best.
    publish : bool
        Whether the best trial becomes a version.
    """

    base: dict[str, Any]
    grid: dict[str, Any] | None = None
    random: dict[str, Any] | None = None
    trials: int | None = None
    metric: str = "validation_accuracy"
    seed: int = 0
    stop_hopeless: bool = False
    publish: bool = True

    def __post_init__(self) -> None:
        run_checks(self._check_space, self._check_trials, self._check_metric, self._check_seed)

    @property
    def kind(self) -> Literal["grid", "random"]:
        """Which of the two ways to try it is."""
        return "random" if self.grid is None else "grid"

    @property
    def space(self) -> dict[str, Any]:
        """What is tried for each parameter."""
        return (self.random if self.grid is None else self.grid) or {}

    def _check_space(self) -> None:
        if (self.grid is None) == (self.random is None):
            raise wrong("", "Expected one of the keys 'grid' and 'random'.")
        if not self.space:
            raise wrong(f"/{self.kind}", "Expected at least one parameter.")
        run_checks(*[_check(self._check_values, name) for name in self.space])
        points = math.prod(len(values) for values in (self.grid or {}).values())
        if points > MAX_TRIALS:
            raise wrong("/grid", f"Expected at most {MAX_TRIALS:,} trials; got {points:,}.")

    def _check_values(self, name: str) -> None:
        values, pointer = self.space[name], f"/{self.kind}/{escape(name)}"
        if self.kind == "random" and isinstance(values, Mapping):
            from_json(Range, values, pointer)
        elif not isinstance(values, list) or not 1 <= len(values) <= MAX_TRIALS:
            raise wrong(
                pointer, f"Expected a list of 1 to {MAX_TRIALS:,} values; got {describe(values)}."
            )

    def _check_trials(self) -> None:
        if self.random is not None:
            require_number("trials", self.trials, at_least=1, at_most=MAX_TRIALS)
        elif self.trials is not None:
            raise wrong("/trials", "A grid has as many trials as it has points: leave it out.")

    def _check_metric(self) -> None:
        if self.metric not in HIGHER_IS_BETTER:
            raise wrong("/metric", unknown("metric", self.metric, HIGHER_IS_BETTER))

    def _check_seed(self) -> None:
        require_number("seed", self.seed, at_least=0, below=2**32)


def read_sweep(body: object, store: Store) -> SweepRequest:
    """Return the sweep that a body asks for, its base whole.

    Each value is tried alone in the base; that some do not go together shows when they meet.

    Raises
    ------
    ConfigError
        With every error found.
    """
    request: SweepRequest = from_json(SweepRequest, body)
    try:
        config, _ = read_job(request.base, store)
    except ConfigError as error:
        inside = [FieldError(f"/base{e.pointer}", e.detail) for e in error.errors]
        raise ConfigError(inside) from None
    if not config.validation_fraction and request.metric.startswith("validation"):
        raise wrong("/base/validation_fraction", f"{request.metric} needs one above 0.")
    whole = config.to_dict()
    run_checks(
        *[
            _check(_try, store, whole, name, value, f"/{request.kind}/{escape(name)}{place}")
            for name, values in request.space.items()
            for place, value in _samples(values)
        ]
    )
    return SweepRequest(**{**vars(request), "base": {**request.base, **whole}})


def with_parameters(config: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with other values at some places; what is outside goes first.

    Raises
    ------
    ConfigError
        If there is no such place.
    """
    changed = copy.deepcopy(dict(config))
    for name in sorted(parameters, key=lambda name: name.count(".")):
        *steps, last = name.split(".")
        inside: Any = changed
        for step in steps:
            inside = inside[_key(inside, step, name)]
        inside[_key(inside, last, name)] = copy.deepcopy(parameters[name])
    return changed


def _key(inside: Any, step: str, name: str) -> str | int:
    """Return what `step` is in an object or a list."""
    if isinstance(inside, list) and step.isdecimal() and int(step) < len(inside):
        return int(step)
    if isinstance(inside, dict) and step in inside:
        return step
    known = [*inside] if isinstance(inside, dict) else []
    if isinstance(inside, list):
        known = [str(place) for place in range(len(inside))]
    raise wrong("", f"{name[:80]!r} leads nowhere: {unknown('key', step, known)}")


def _samples(values: Any) -> list[tuple[str, Any]]:
    """Return what is to be tried of a list or a range, and where each stands."""
    if isinstance(values, Mapping):
        drawn: Range = from_json(Range, values)
        return [("", end) for end in drawn.ends()]
    return [(f"/{i}", value) for i, value in enumerate(values)]


def _try(store: Store, whole: dict[str, Any], name: str, value: Any, pointer: str) -> None:
    if name == "preset":
        raise wrong(pointer, "A preset belongs into the base; what it stands for can be tried.")
    if name == "start_from" and isinstance(value, str):
        raise wrong(pointer, f"Expected the number of a version; got {describe(value)}.")
    try:
        resolve(with_parameters(whole, {name: value}), store)
    except ConfigError as error:
        raise wrong(pointer, str(error).removeprefix("/: ")) from None


def _check(check: Callable[..., None], *arguments: Any) -> Callable[[], None]:
    return lambda: check(*arguments)
