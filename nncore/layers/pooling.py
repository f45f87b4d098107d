"""Pools: what each window of a picture comes to, channel by channel."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nncore.arrays import Floats, Shape, Views
from nncore.layers.base import Layer
from nncore.layers.windows import (
    Sizes,
    Windows,
    batch_first,
    batch_last,
    require_sizes,
)
from nncore.specs import wrong


@dataclass(frozen=True)
class Pool2D(Layer):
    """What both pools have in common. Rows are pictures (channels, height, width).

    Without a `stride` windows lie side by side. As in PyTorch, a rest at the right or below that
    fills no window is left out, and at most half a kernel may be padding.
    """

    kernel_size: Sizes = 2
    stride: Sizes | None = None
    padding: Sizes = 0

    def __post_init__(self) -> None:
        require_sizes("kernel_size", self.kernel_size, at_least=1)
        if self.stride is not None:
            require_sizes("stride", self.stride, at_least=1)
        require_sizes("padding", self.padding, at_least=0)
        kernel, _, padding = self.windows
        if 2 * padding[0] > kernel[0] or 2 * padding[1] > kernel[1]:
            raise wrong("/padding", "Expected at most half of kernel_size.")

    @property
    def windows(self) -> Windows:
        """Kernel, stride and padding."""
        stride = self.kernel_size if self.stride is None else self.stride
        return Windows.of(self.kernel_size, stride, self.padding)

    def output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *self.windows.grid(input_shape))


@dataclass(frozen=True)
class MaxPool2D(Pool2D):
    """The largest number of each window. Source: Ranzato, Huang, Boureau & LeCun 2007."""

    def forward(self, params: Views, x: Floats) -> tuple[Floats, Any]:
        windows = self.windows
        padded = windows.pad(batch_last(x), -np.inf)
        (_, _, first), *others = windows.places(*windows.grid(x.shape[1:]))
        y = padded[first].copy()
        for _, _, covered in others:
            np.maximum(y, padded[covered], out=y)
        return batch_first(y), (padded, y)

    def backward(
        self, params: Views, grads: Views, cache: Any, dy: Floats, *, input_grad: bool = True
    ) -> Floats | None:
        padded, y = cache
        dy = batch_last(dy)
        dx = np.zeros_like(padded)
        # Of several largest numbers the first gets the gradient, as in PyTorch.
        without = np.ones(y.shape, bool)
        for _, _, covered in self.windows.places(*y.shape[1:3]):
            largest = padded[covered] == y
            largest &= without
            without ^= largest
            if self.windows.overlap:
                dx[covered] += dy * largest
            else:
                np.multiply(dy, largest, out=dx[covered])
        return batch_first(self.windows.crop(dx))


@dataclass(frozen=True)
class AveragePool2D(Pool2D):
    """The mean of each window, in which padding counts as 0. Source: LeCun et al. 1998, II.A."""

    def forward(self, params: Views, x: Floats) -> tuple[Floats, Any]:
        windows = self.windows
        padded = windows.pad(batch_last(x))
        (_, _, first), *others = windows.places(*windows.grid(x.shape[1:]))
        y = padded[first].copy()
        for _, _, covered in others:
            y += padded[covered]
        y *= self._share
        return batch_first(y), padded.shape

    def backward(
        self, params: Views, grads: Views, cache: Any, dy: Floats, *, input_grad: bool = True
    ) -> Floats | None:
        share = batch_last(dy) * self._share
        dx = np.zeros(cache, dy.dtype)
        for _, _, covered in self.windows.places(*dy.shape[2:]):
            dx[covered] += share
        return batch_first(self.windows.crop(dx))

    @property
    def _share(self) -> float:
        high, wide = self.windows.kernel
        return 1 / (high * wide)
