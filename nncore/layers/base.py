"""The layer: a frozen dataclass of hyperparameters, which is the saved architecture.

A layer holds no array and no state, so one object may serve many threads. The network gives it
its parameters as named views of flat arrays. What `backward` needs, `forward` returns as `cache`.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nncore.arrays import Floats, Shape, Views
from nncore.specs import Named


@dataclass(frozen=True)
class Layer(Named):
    """A layer without parameters that keeps the shape: the defaults of all layers.

    Shapes named here leave out the batch: ``(784,)`` stands for arrays of shape ``(n, 784)``.
    """

    kind = "layer"
    # What PyTorch saves beyond our tensors and we have no use for: it is not missed, nor refused.
    not_needed: ClassVar[frozenset[str]] = frozenset()

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of one row of output. Raises ShapeError where the input cannot fit."""
        return input_shape

    def param_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """Return the shapes of what is trained, by name; weights are called ``W``."""
        return {}

    def state_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """Return the shapes of what is kept and saved but not trained (running averages)."""
        return {}

    def kept_size(self, input_shape: Shape) -> int:
        """Return how many numbers `forward` keeps of one row, so that memory can be bounded."""
        return math.prod(input_shape)

    def init(self, params: Views, rng: np.random.Generator) -> None:
        """Fill `params`, which has the state too, in place with initial values from `rng`."""

    def forward(self, params: Views, x: Floats) -> tuple[Floats, Any]:
        """Return the output for `x`, shape (n, *input_shape), and the cache for `backward`.

        As in serving: nothing is random and `params` is not modified.
        """
        raise NotImplementedError

    def forward_train(
        self, params: Views, x: Floats, rng: np.random.Generator
    ) -> tuple[Floats, Any]:
        """Return the same as `forward`, as in training: may draw from `rng` and update state."""
        return self.forward(params, x)

    def backward(
        self, params: Views, grads: Views, cache: Any, dy: Floats, *, input_grad: bool = True
    ) -> Floats | None:
        """Write the parameters' gradients into `grads`, in place, and return that of the input.

        Parameters
        ----------
        params, grads : dict of arrays
            Views with the shapes of `param_shapes`; `grads` is overwritten.
        cache : object
            What `forward` or `forward_train` returned beside the output.
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
        """Return parameters and state as they are saved: PyTorch's names, PyTorch's layout."""
        return dict(params)

    def from_tensors(self, params: Views, tensors: dict[str, Floats]) -> None:
        """Fill `params` in place from what `to_tensors` returned."""
        for name, view in params.items():
            view[...] = tensors[name]
