"""Activations: layers without parameters, applied to each number by itself."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nncore.arrays import Floats, Views
from nncore.layers.base import Layer
from nncore.specs import require_number


@dataclass(frozen=True)
class Linear(Layer):
    """y = x."""

    def forward(self, params: Views, x: Floats) -> tuple[Floats, Any]:
        return x, None

    def backward(
        self, params: Views, grads: Views, cache: Any, dy: Floats, *, input_grad: bool = True
    ) -> Floats | None:
        return dy


@dataclass(frozen=True)
class ReLU(Layer):
    """y = max(x, 0)."""

    def forward(self, params: Views, x: Floats) -> tuple[Floats, Any]:
        y = np.maximum(x, 0)
        return y, y

    def backward(
        self, params: Views, grads: Views, cache: Any, dy: Floats, *, input_grad: bool = True
    ) -> Floats | None:
        return dy * (cache > 0)


@dataclass(frozen=True)
class LeakyReLU(Layer):
    """y = x where x > 0, else slope x. Source: Maas, Hannun & Ng 2013, equation 2."""

    slope: float = 0.01

    def __post_init__(self) -> None:
        require_number("slope", self.slope, at_least=0, below=1)

    def forward(self, params: Views, x: Floats) -> tuple[Floats, Any]:
        y = np.maximum(x, self.slope * x)
        return y, x > 0

    def backward(
        self, params: Views, grads: Views, cache: Any, dy: Floats, *, input_grad: bool = True
    ) -> Floats | None:
        return np.where(cache, dy, self.slope * dy)


@dataclass(frozen=True)
class Sigmoid(Layer):
    """y = 1 / (1 + exp(-x))."""

    def forward(self, params: Views, x: Floats) -> tuple[Floats, Any]:
        y = sigmoid(x)
        return y, y

    def backward(
        self, params: Views, grads: Views, cache: Any, dy: Floats, *, input_grad: bool = True
    ) -> Floats | None:
        return dy * cache * (1 - cache)


@dataclass(frozen=True)
class Tanh(Layer):
    """y = tanh(x)."""

    def forward(self, params: Views, x: Floats) -> tuple[Floats, Any]:
        y = np.tanh(x)
        return y, y

    def backward(
        self, params: Views, grads: Views, cache: Any, dy: Floats, *, input_grad: bool = True
    ) -> Floats | None:
        return dy * (1 - cache * cache)


@dataclass(frozen=True)
class Softplus(Layer):
    """y = log(1 + exp(x)). Source: Dugas et al. 2001."""

    def forward(self, params: Views, x: Floats) -> tuple[Floats, Any]:
        return softplus(x), x

    def backward(
        self, params: Views, grads: Views, cache: Any, dy: Floats, *, input_grad: bool = True
    ) -> Floats | None:
        return dy * sigmoid(cache)


@dataclass(frozen=True)
class GELU(Layer):
    """y = x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.

    Source: Hendrycks & Gimpel 2016, section 2; PyTorch's ``GELU(approximate="tanh")``.
    """

    def forward(self, params: Views, x: Floats) -> tuple[Floats, Any]:
        t = np.tanh(_ROOT * (x + _CUBIC * x * x * x))
        return 0.5 * x * (1 + t), (x, t)

    def backward(
        self, params: Views, grads: Views, cache: Any, dy: Floats, *, input_grad: bool = True
    ) -> Floats | None:
        x, t = cache
        inner = _ROOT * (1 + 3 * _CUBIC * x * x)
        return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner)


# Python's floats: they leave float32 arrays float32.
_ROOT = float(np.sqrt(2 / np.pi))
_CUBIC = 0.044715


def sigmoid(x: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)) without overflow: tanh knows none."""
    y = np.tanh(x * 0.5)
    y += 1
    y *= 0.5
    return y


def softplus(x: Floats) -> Floats:
    """Return log(1 + exp(x)) without overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
