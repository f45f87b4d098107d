"""Windows that slide over pictures: what convolutions and pools have in common.

Rows are pictures of shape (channels, height, width), as in PyTorch. In memory the batch stands
last, (channels, height, width, n): each step of a window is then one long stretch of numbers, a
convolution is one matrix product, and no layer has to move anything for the next.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nncore.arrays import Floats, Shape
from nncore.errors import ShapeError
from nncore.specs import describe, wrong

Sizes = int | tuple[int, int]  # one number stands for both

MAX_SIZE = 1_000


def require_sizes(name: str, value: object, *, at_least: int) -> None:
    """Raise ConfigError at ``/name`` unless `value` is one or two whole numbers in bounds."""
    sizes = value if isinstance(value, tuple) else (value,)
    whole = all(isinstance(size, int) and at_least <= size <= MAX_SIZE for size in sizes)
    if not whole or len(sizes) > 2:
        raise wrong(
            f"/{name}",
            f"Expected a whole number from {at_least} to {MAX_SIZE}, or two of them for height "
            f"and width; got {describe(value)}.",
        )


def batch_last(x: Floats) -> Floats:
    """Return (n, channels, height, width) as (channels, height, width, n), contiguous."""
    return np.ascontiguousarray(x.transpose(1, 2, 3, 0))


def batch_first(x: Floats) -> Floats:
    """Return a view (n, channels, height, width) of (channels, height, width, n)."""
    return x.transpose(3, 0, 1, 2)


class Windows(NamedTuple):
    """Kernel, stride and padding, each as (height, width). Pictures here have the batch last."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]

    @classmethod
    def of(cls, kernel: Sizes, stride: Sizes, padding: Sizes) -> "Windows":
        return cls(_pair(kernel), _pair(stride), _pair(padding))

    @property
    def overlap(self) -> bool:
        """Whether a number may be in several windows."""
        return self.stride[0] < self.kernel[0] or self.stride[1] < self.kernel[1]

    def grid(self, input_shape: Shape) -> tuple[int, int]:
        """Return how many windows fit below and beside each other into a padded picture.

        Raises
        ------
        ShapeError
            If the rows are no pictures, or smaller than the kernel.
        """
        if len(input_shape) != 3:
            raise ShapeError(
                "Expected rows of shape (channels, height, width), which a reshape layer gives; "
                f"got {input_shape}."
            )
        padded = [size + 2 * pad for size, pad in zip(input_shape[1:], self.padding, strict=True)]
        if padded[0] < self.kernel[0] or padded[1] < self.kernel[1]:
            raise ShapeError(
                f"A kernel of {self.kernel[0]} x {self.kernel[1]} does not fit into pictures of "
                f"{padded[0]} x {padded[1]}, padding included."
            )
        high, wide = (
            (size - kernel) // stride + 1
            for size, kernel, stride in zip(padded, self.kernel, self.stride, strict=True)
        )
        return high, wide

    def pad(self, x: Floats, value: float = 0.0) -> Floats:
        """Return the pictures with `value` around them; themselves where there is no padding."""
        high, wide = self.padding
        if not high and not wide:
            return x
        channels, height, width, n = x.shape
        padded = np.full((channels, height + 2 * high, width + 2 * wide, n), value, x.dtype)
        padded[:, high : high + height, wide : wide + width] = x
        return padded

    def crop(self, padded: Floats) -> Floats:
        """Return a view without the padding."""
        high, wide = self.padding
        return padded[:, high : padded.shape[1] - high, wide : padded.shape[2] - wide]

    def columns(self, padded: Floats) -> Floats:
        """Return what each window covers, (channels x kernel, windows x n), as a copy ("im2col").

        Source: Chellapilla, Puri & Simard 2006, section 4.
        """
        view = sliding_window_view(padded, self.kernel, axis=(1, 2))
        view = view[:, :: self.stride[0], :: self.stride[1]]
        columns = view.transpose(0, 4, 5, 1, 2, 3)
        return columns.reshape(np.prod(columns.shape[:3], dtype=int), -1)

    def places(self, high: int, wide: int) -> Iterator[tuple[int, int, Any]]:
        """Yield, for each place in the kernel, what it covers in all of high x wide windows.

        Yields
        ------
        i, j : int
            The place in the kernel.
        covered : index
            Of padded pictures; gives (channels, high, wide, n), a view.
        """
        down, right = self.stride
        for i in range(self.kernel[0]):
            for j in range(self.kernel[1]):
                rows = slice(i, i + down * high, down)
                yield i, j, (slice(None), rows, slice(j, j + right * wide, right))


def _pair(sizes: Sizes) -> tuple[int, int]:
    return sizes if isinstance(sizes, tuple) else (sizes, sizes)
