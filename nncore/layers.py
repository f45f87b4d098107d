"""Layers: frozen dataclasses of hyperparameters, which are the saved architecture.

A layer holds no array and no state, so one object may serve many threads. The network gives it
its parameters as named views of one flat array. What `backward` needs, `forward` returns as
`cache`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nncore.arrays import Floats, Shape, Views
from nncore.errors import ShapeError
from nncore.initializers import INITIALIZERS
from nncore.specs import from_spec, require_number, to_spec, unknown, wrong

MAX_UNITS = 100_000


@dataclass(frozen=True)
class Layer:
    """A layer without parameters that keeps the shape: the defaults of all layers.

    Shapes named here leave out the batch: ``(784,)`` stands for arrays of shape ``(n, 784)``.
    """

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of one row of output. Raises ShapeError where the input cannot fit."""
        return input_shape

    def param_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """Return the shapes of the parameters by name; weights are called ``W``."""
        return {}

    def init(self, params: Views, rng: np.random.Generator) -> None:
        """Fill `params` in place with initial values drawn from `rng`."""

    def forward(self, params: Views, x: Floats) -> tuple[Floats, Any]:
        """Return the output for `x`, shape (n, *input_shape), and the cache for `backward`."""
        raise NotImplementedError

    def backward(
        self, params: Views, grads: Views, cache: Any, dy: Floats, *, input_grad: bool = True
    ) -> Floats | None:
        """Write the parameters' gradients into `grads`, in place, and return that of the input.

        Parameters
        ----------
        params, grads : dict of arrays
            Views with the shapes of `param_shapes`; `grads` is overwritten.
        cache : object
            What `forward` returned beside the output.
        dy : float array (n, *output_shape)
            d loss / d output.
        input_grad : bool
            False where nobody needs d loss / d input (the first layer that has parameters): it
            saves a quarter of a training step of a dense network.

        Returns
        -------
        dx : float array (n, *input_shape), or None without `input_grad`
            d loss / d input.
        """
        raise NotImplementedError

    def to_tensors(self, params: Views) -> dict[str, Floats]:
        """Return the parameters as they are saved: by PyTorch's names, in PyTorch's layout."""
        return dict(params)

    def from_tensors(self, params: Views, tensors: dict[str, Floats]) -> None:
        """Fill `params` in place from what `to_tensors` returned."""
        for name, view in params.items():
            view[...] = tensors[name]


@dataclass(frozen=True)
class Dense(Layer):
    """y = x W + b, with W of shape (inputs, units) and b of shape (units,)."""

    units: int
    initializer: str = "he_normal"

    def __post_init__(self) -> None:
        require_number("units", self.units, at_least=1, at_most=MAX_UNITS)
        if self.initializer not in INITIALIZERS:
            raise wrong("/initializer", unknown("initializer", self.initializer, INITIALIZERS))

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise ShapeError(f"A dense layer needs flat rows; got rows of shape {input_shape}.")
        return (self.units,)

    def param_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return {"W": (input_shape[0], self.units), "b": (self.units,)}

    def init(self, params: Views, rng: np.random.Generator) -> None:
        INITIALIZERS[self.initializer](params["W"], rng)
        params["b"][...] = 0

    def forward(self, params: Views, x: Floats) -> tuple[Floats, Any]:
        y = x @ params["W"]
        y += params["b"]
        return y, x

    def backward(
        self, params: Views, grads: Views, cache: Any, dy: Floats, *, input_grad: bool = True
    ) -> Floats | None:
        np.matmul(cache.T, dy, out=grads["W"])
        np.sum(dy, axis=0, out=grads["b"])
        return dy @ params["W"].T if input_grad else None

    def to_tensors(self, params: Views) -> dict[str, Floats]:
        return {"weight": params["W"].T, "bias": params["b"]}

    def from_tensors(self, params: Views, tensors: dict[str, Floats]) -> None:
        params["W"][...] = tensors["weight"].T
        params["b"][...] = tensors["bias"]


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
class Sigmoid(Layer):
    """y = 1 / (1 + exp(-x))."""

    def forward(self, params: Views, x: Floats) -> tuple[Floats, Any]:
        # tanh neither overflows nor warns, however large x is.
        y = np.tanh(x * 0.5)
        y += 1
        y *= 0.5
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


LAYERS: dict[str, type[Layer]] = {
    "dense": Dense,
    "relu": ReLU,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
}


def layer_from_json(spec: object, pointer: str = "") -> Layer:
    """Build a layer from ``{"type": "dense", "units": 128}``. Raises ConfigError."""
    return from_spec(spec, LAYERS, "layer", pointer)


def layer_to_json(layer: Layer) -> dict[str, Any]:
    """Return ``{"type": …}`` and the layer's hyperparameters."""
    return to_spec(layer, LAYERS)
