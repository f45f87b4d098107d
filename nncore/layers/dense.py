"""The dense layer."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nncore.arrays import Floats, Shape, Views
from nncore.errors import ShapeError
from nncore.initializers import HeNormal, Initializer, Zeros
from nncore.layers.base import Layer
from nncore.specs import require_number

MAX_UNITS = 100_000
HE_NORMAL, ZEROS = HeNormal(), Zeros()


@dataclass(frozen=True)
class Dense(Layer):
    """y = x W + b, with W of shape (inputs, units) and b of shape (units,); or y = x W."""

    units: int
    bias: bool = True
    initializer: Initializer = HE_NORMAL
    bias_initializer: Initializer = ZEROS

    def __post_init__(self) -> None:
        require_number("units", self.units, at_least=1, at_most=MAX_UNITS)

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise ShapeError(f"A dense layer needs flat rows; got rows of shape {input_shape}.")
        return (self.units,)

    def param_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {"W": (input_shape[0], self.units)}
        return shapes | {"b": (self.units,)} if self.bias else shapes

    def init(self, params: Views, rng: np.random.Generator) -> None:
        self.initializer.fill(params["W"], rng)
        if self.bias:
            self.bias_initializer.fill(params["b"], rng)

    def forward(self, params: Views, x: Floats) -> tuple[Floats, Any]:
        y = x @ params["W"]
        if self.bias:
            y += params["b"]
        return y, x

    def backward(
        self, params: Views, grads: Views, cache: Any, dy: Floats, *, input_grad: bool = True
    ) -> Floats | None:
        np.matmul(cache.T, dy, out=grads["W"])
        if self.bias:
            np.add.reduce(dy, axis=0, out=grads["b"])
        return dy @ params["W"].T if input_grad else None

    def to_tensors(self, params: Views) -> dict[str, Floats]:
        weight = {"weight": params["W"].T}
        return weight | {"bias": params["b"]} if self.bias else weight

    def from_tensors(self, params: Views, tensors: dict[str, Floats]) -> None:
        params["W"][...] = tensors["weight"].T
        if self.bias:
            params["b"][...] = tensors["bias"]
