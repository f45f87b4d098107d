"""Optimizers: in-place updates of the one flat parameter array.

Like a layer, an optimizer is a frozen dataclass of hyperparameters. Its moments live in a state
that `start` makes and the training loop keeps, so that a run can be saved and resumed.
"""

from dataclasses import dataclass

import numpy as np

from nncore.arrays import Floats, Views
from nncore.specs import require_number


@dataclass(frozen=True)
class Optimizer:
    """What all optimizers have in common."""

    learning_rate: float

    def __post_init__(self) -> None:
        require_number("learning_rate", self.learning_rate, above=0)

    def start(self, params: Floats) -> Views:
        """Return the state before the first step: named arrays."""
        raise NotImplementedError

    def step(self, params: Floats, grads: Floats, state: Views, *, factor: float = 1.0) -> None:
        """Update `params`, shape (size,), and `state` in place. `grads` is not modified.

        `factor` comes from the schedule: the learning rate is multiplied by it.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent with heavy-ball momentum: v = momentum v + g; params -= rate v.

    Source: Sutskever et al. 2013, equations 1 and 2, with the rate outside the velocity.
    """

    learning_rate: float = 0.1
    momentum: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("momentum", self.momentum, at_least=0, below=1)

    def start(self, params: Floats) -> Views:
        return {"velocity": np.zeros_like(params)} if self.momentum else {}

    def step(self, params: Floats, grads: Floats, state: Views, *, factor: float = 1.0) -> None:
        if self.momentum:
            state["velocity"] *= self.momentum
            state["velocity"] += grads
            grads = state["velocity"]
        params -= grads * (factor * self.learning_rate)


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam. Source: Kingma & Ba 2015, algorithm 1."""

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("beta1", self.beta1, at_least=0, below=1)
        require_number("beta2", self.beta2, at_least=0, below=1)
        require_number("epsilon", self.epsilon, above=0)

    def start(self, params: Floats) -> Views:
        return {
            "steps": np.zeros(1),
            "mean": np.zeros_like(params),
            "variance": np.zeros_like(params),
        }

    def step(self, params: Floats, grads: Floats, state: Views, *, factor: float = 1.0) -> None:
        state["steps"] += 1
        steps = state["steps"].item()
        mean, variance = state["mean"], state["variance"]
        mean *= self.beta1
        scratch = grads * (1 - self.beta1)
        mean += scratch
        variance *= self.beta2
        np.multiply(grads, grads, out=scratch)
        scratch *= 1 - self.beta2
        variance += scratch
        # Both bias corrections in two constants: sqrt(v / c2) + eps = (sqrt(v) + eps sqrt(c2)) / ..
        root = (1 - self.beta2**steps) ** 0.5
        np.sqrt(variance, out=scratch)
        scratch += self.epsilon * root
        np.divide(mean, scratch, out=scratch)
        scratch *= factor * self.learning_rate * root / (1 - self.beta1**steps)
        params -= scratch


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "adam": Adam,
}
