"""Layers that change the shape of a row and none of its numbers."""

import math
from dataclasses import dataclass
from typing import Any

from nncore.arrays import Floats, Shape, Views
from nncore.errors import ShapeError
from nncore.layers.base import Layer
from nncore.specs import wrong

MAX_AXES = 8
MAX_LENGTH = 100_000_000


@dataclass(frozen=True)
class Flatten(Layer):
    """A row of any shape as one list of numbers, channels first, as PyTorch's."""

    def output_shape(self, input_shape: Shape) -> Shape:
        return (math.prod(input_shape),)

    def forward(self, params: Views, x: Floats) -> tuple[Floats, Any]:
        return x.reshape(len(x), math.prod(x.shape[1:])), x.shape

    def backward(
        self, params: Views, grads: Views, cache: Any, dy: Floats, *, input_grad: bool = True
    ) -> Floats | None:
        return dy.reshape(cache)


@dataclass(frozen=True)
class Reshape(Layer):
    """A row in another `shape`: (1, 28, 28) makes pictures of 784 pixels."""

    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        whole = all(isinstance(n, int) and 1 <= n <= MAX_LENGTH for n in self.shape)
        if not whole or not 1 <= len(self.shape) <= MAX_AXES:
            raise wrong(
                "/shape",
                f"Expected 1 to {MAX_AXES} whole numbers from 1 to {MAX_LENGTH:,}; "
                f"got {list(self.shape)}.",
            )

    def output_shape(self, input_shape: Shape) -> Shape:
        if math.prod(self.shape) != math.prod(input_shape):
            raise ShapeError(f"Rows of shape {input_shape} cannot get the shape {self.shape}.")
        return self.shape

    def forward(self, params: Views, x: Floats) -> tuple[Floats, Any]:
        return x.reshape(len(x), *self.shape), x.shape

    def backward(
        self, params: Views, grads: Views, cache: Any, dy: Floats, *, input_grad: bool = True
    ) -> Floats | None:
        return dy.reshape(cache)
