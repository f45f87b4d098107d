"""The convolution."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from nncore.arrays import Floats, Shape, Views
from nncore.initializers import HeNormal, Initializer, Zeros
from nncore.layers.base import Layer
from nncore.layers.windows import Sizes, Windows, batch_first, batch_last, require_sizes
from nncore.specs import require_number

MAX_FILTERS = 10_000
HE_NORMAL, ZEROS = HeNormal(), Zeros()


@dataclass(frozen=True)
class Conv2D(Layer):
    """y[f] = sum over channels c of x[c] * W[c, :, :, f] + b[f], where * is cross-correlation.

    Rows are pictures (channels, height, width), outputs (filters, high, wide). Forward and
    backward are one matrix product each over all windows of all rows. Source: LeCun et al. 1998,
    section II.A; as in PyTorch, kernels are not flipped.
    """

    filters: int
    kernel_size: Sizes
    stride: Sizes = 1
    padding: Sizes = 0
    bias: bool = True
    initializer: Initializer = HE_NORMAL
    bias_initializer: Initializer = ZEROS

    def __post_init__(self) -> None:
        require_number("filters", self.filters, at_least=1, at_most=MAX_FILTERS)
        require_sizes("kernel_size", self.kernel_size, at_least=1)
        require_sizes("stride", self.stride, at_least=1)
        require_sizes("padding", self.padding, at_least=0)

    @property
    def windows(self) -> Windows:
        """Kernel, stride and padding."""
        return Windows.of(self.kernel_size, self.stride, self.padding)

    def output_shape(self, input_shape: Shape) -> Shape:
        return (self.filters, *self.windows.grid(input_shape))

    def param_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {"W": (input_shape[0], *self.windows.kernel, self.filters)}
        return shapes | {"b": (self.filters,)} if self.bias else shapes

    def kept_size(self, input_shape: Shape) -> int:
        high, wide = self.windows.grid(input_shape)
        return input_shape[0] * math.prod(self.windows.kernel) * high * wide

    def init(self, params: Views, rng: np.random.Generator) -> None:
        self.initializer.fill(params["W"], rng)
        if self.bias:
            self.bias_initializer.fill(params["b"], rng)

    def forward(self, params: Views, x: Floats) -> tuple[Floats, Any]:
        windows = self.windows
        padded = windows.pad(batch_last(x))
        high, wide = windows.grid(x.shape[1:])
        columns = windows.columns(padded)
        y = self._matrix(params).T @ columns
        if self.bias:
            y += params["b"][:, None]
        return batch_first(y.reshape(self.filters, high, wide, -1)), (columns, padded.shape)

    def backward(
        self, params: Views, grads: Views, cache: Any, dy: Floats, *, input_grad: bool = True
    ) -> Floats | None:
        columns, padded_shape = cache
        by_filter = batch_last(dy).reshape(self.filters, -1)
        np.matmul(columns, by_filter.T, out=self._matrix(grads))
        if self.bias:
            np.add.reduce(by_filter, axis=1, out=grads["b"])
        if not input_grad:
            return None
        windows, (_, _, high, wide) = self.windows, dy.shape
        dcolumns = (self._matrix(params) @ by_filter).reshape(
            padded_shape[0], *windows.kernel, high, wide, -1
        )
        dx = np.zeros(padded_shape, dy.dtype)
        for i, j, covered in windows.places(high, wide):
            dx[covered] += dcolumns[:, i, j]
        return batch_first(windows.crop(dx))

    def to_tensors(self, params: Views) -> dict[str, Floats]:
        weight = {"weight": params["W"].transpose(3, 0, 1, 2)}
        return weight | {"bias": params["b"]} if self.bias else weight

    def from_tensors(self, params: Views, tensors: dict[str, Floats]) -> None:
        params["W"][...] = tensors["weight"].transpose(1, 2, 3, 0)
        if self.bias:
            params["b"][...] = tensors["bias"]

    def _matrix(self, views: Views) -> Floats:
        """Return weights or their gradients as a view (channels x kernel, filters)."""
        return views["W"].reshape(-1, self.filters)
