"""Schedules: how the learning rate changes in the course of a run."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """What all schedules have in common."""

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
class Cosine(Schedule):
    """Half a cosine, from the learning rate down to 0.

    Source: Loshchilov & Hutter 2017, equation 5, without restarts.
    """

    def factor(self, progress: float) -> float:
        return (1 + math.cos(math.pi * progress)) / 2


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "cosine": Cosine,
}
