"""Optimizers: in-place updates of the one flat parameter array.

Like a layer, an optimizer is a frozen dataclass of hyperparameters. Its moments live in a state
that `start` makes and the training loop keeps, so that a run can be saved and resumed.
"""

from dataclasses import dataclass

import numpy as np

from nncore.arrays import Floats, Views
from nncore.specs import Named, require_number, wrong


@dataclass(frozen=True)
class Optimizer(Named):
    """What all optimizers have in common."""

    kind = "optimizer"

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
    """Gradient descent with momentum: v = momentum v + g; params -= rate v.

    Source: Sutskever et al. 2013, equations 1 and 2, with the rate outside the velocity. With
    `nesterov` the step looks ahead: params -= rate (g + momentum v), there equations 3 and 4.
    """

    learning_rate: float = 0.1
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("momentum", self.momentum, at_least=0, below=1)
        if self.nesterov and not self.momentum:
            raise wrong("/nesterov", "Nesterov's step needs a momentum above 0.")

    def start(self, params: Floats) -> Views:
        return {"velocity": np.zeros_like(params)} if self.momentum else {}

    def step(self, params: Floats, grads: Floats, state: Views, *, factor: float = 1.0) -> None:
        rate = factor * self.learning_rate
        if not self.momentum:
            params -= grads * rate
            return
        velocity = state["velocity"]
        velocity *= self.momentum
        velocity += grads
        if self.nesterov:
            params -= (grads + velocity * self.momentum) * rate
        else:
            params -= velocity * rate


@dataclass(frozen=True)
class AdaGrad(Optimizer):
    """s += g^2; params -= rate g / (sqrt(s) + epsilon). Source: Duchi, Hazan & Singer 2011."""

    learning_rate: float = 0.01
    epsilon: float = 1e-10

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("epsilon", self.epsilon, above=0)

    def start(self, params: Floats) -> Views:
        return {"squares": np.zeros_like(params)}

    def step(self, params: Floats, grads: Floats, state: Views, *, factor: float = 1.0) -> None:
        scratch = grads * grads
        state["squares"] += scratch
        _scaled(grads, state["squares"], scratch, self.epsilon)
        scratch *= factor * self.learning_rate
        params -= scratch


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """s = decay s + (1 - decay) g^2; params -= rate g / (sqrt(s) + epsilon).

    Source: Tieleman & Hinton 2012, lecture 6.5.
    """

    learning_rate: float = 0.01
    decay: float = 0.99
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("decay", self.decay, at_least=0, below=1)
        require_number("epsilon", self.epsilon, above=0)

    def start(self, params: Floats) -> Views:
        return {"squares": np.zeros_like(params)}

    def step(self, params: Floats, grads: Floats, state: Views, *, factor: float = 1.0) -> None:
        squares = state["squares"]
        squares *= self.decay
        scratch = grads * grads
        scratch *= 1 - self.decay
        squares += scratch
        _scaled(grads, squares, scratch, self.epsilon)
        scratch *= factor * self.learning_rate
        params -= scratch


@dataclass(frozen=True)
class Adam(Optimizer):
    """Momentum and AdaGrad in one. Source: Kingma & Ba 2015, algorithm 1.

    Their moments m and v are kept as the weighted sums m / (1 - beta1) and v / (1 - beta2), so
    that all constants fold into two.
    """

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
            "gradients": np.zeros_like(params),
            "squares": np.zeros_like(params),
        }

    def step(self, params: Floats, grads: Floats, state: Views, *, factor: float = 1.0) -> None:
        state["steps"] += 1
        steps = state["steps"].item()
        gradients, squares = state["gradients"], state["squares"]
        gradients *= self.beta1
        gradients += grads
        squares *= self.beta2
        scratch = grads * grads
        squares += scratch
        # The sums over the weights' sums w are the moments without their bias:
        # (g / w1) / (sqrt(s / w2) + e) = sqrt(w2) / w1 g / (sqrt(s) + e sqrt(w2)).
        weight = (1 - self.beta1**steps) / (1 - self.beta1)
        root = ((1 - self.beta2**steps) / (1 - self.beta2)) ** 0.5
        _scaled(gradients, squares, scratch, self.epsilon * root)
        scratch *= factor * self.learning_rate * root / weight
        params -= scratch


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay: params -= rate weight_decay params, before each step.

    Source: Loshchilov & Hutter 2019, algorithm 2. As in PyTorch, every parameter decays.
    """

    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("weight_decay", self.weight_decay, at_least=0)

    def step(self, params: Floats, grads: Floats, state: Views, *, factor: float = 1.0) -> None:
        params *= 1 - factor * self.learning_rate * self.weight_decay
        super().step(params, grads, state, factor=factor)


def _scaled(direction: Floats, squares: Floats, scratch: Floats, epsilon: float) -> None:
    """Write direction / (sqrt(squares) + epsilon) into `scratch`."""
    np.sqrt(squares, out=scratch)
    scratch += epsilon
    np.divide(direction, scratch, out=scratch)


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "adagrad": AdaGrad,
    "adam": Adam,
    "adamw": AdamW,
    "rmsprop": RMSprop,
    "sgd": SGD,
}
Optimizer.names = OPTIMIZERS
