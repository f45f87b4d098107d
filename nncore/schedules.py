"""Schedules: how the learning rate changes in the course of a run."""

import math
from dataclasses import dataclass

from nncore.specs import Named, require_number


@dataclass(frozen=True)
class Schedule(Named):
    """What all schedules have in common."""

    kind = "schedule"

    def factor(self, progress: float) -> float:
        """Return what the optimizer's learning rate is multiplied by.

        `progress` is the share of all steps that are done, 0 <= progress < 1.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Constant(Schedule):
    """The learning rate stays."""

    def factor(self, progress: float) -> float:
        return 1.0


@dataclass(frozen=True)
class Step(Schedule):
    """The run is cut into equal `parts`; from one to the next the rate is multiplied by `drop`."""

    parts: int = 3
    drop: float = 0.1

    def __post_init__(self) -> None:
        require_number("parts", self.parts, at_least=1, at_most=1000)
        require_number("drop", self.drop, above=0, at_most=1)

    def factor(self, progress: float) -> float:
        return self.drop ** math.floor(progress * self.parts)


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine, from the learning rate down to 0.

    Source: Loshchilov & Hutter 2017, equation 5, without restarts.
    """

    def factor(self, progress: float) -> float:
        return _half_cosine(1.0, 0.0, progress)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Warm up from `start` to the learning rate in the first `warm_up` of the run, then down.

    Both ways follow half a cosine; `start` and `end` are shares of the learning rate. Source:
    Smith & Topin 2019, with the cosine of PyTorch's ``OneCycleLR``.
    """

    warm_up: float = 0.3
    start: float = 0.04
    end: float = 4e-6

    def __post_init__(self) -> None:
        require_number("warm_up", self.warm_up, above=0, below=1)
        require_number("start", self.start, at_least=0, at_most=1)
        require_number("end", self.end, at_least=0, at_most=1)

    def factor(self, progress: float) -> float:
        if progress < self.warm_up:
            return _half_cosine(self.start, 1.0, progress / self.warm_up)
        return _half_cosine(1.0, self.end, (progress - self.warm_up) / (1 - self.warm_up))


def _half_cosine(begin: float, end: float, share: float) -> float:
    return end + (begin - end) * (1 + math.cos(math.pi * share)) / 2


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "cosine": Cosine,
    "one_cycle": OneCycle,
    "step": Step,
}
Schedule.names = SCHEDULES
