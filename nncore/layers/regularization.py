"""Layers that behave otherwise in training than in serving."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nncore.arrays import Floats, Shape, Views
from nncore.layers.base import Layer
from nncore.specs import require_number


@dataclass(frozen=True)
class Dropout(Layer):
    """In training, each number is 0 with probability `rate`, else divided by 1 - rate.

    Source: Srivastava et al. 2014, section 10 ("inverted" scaling, so that serving does nothing).
    """

    rate: float = 0.5

    def __post_init__(self) -> None:
        require_number("rate", self.rate, at_least=0, below=1)

    def forward(self, params: Views, x: Floats) -> tuple[Floats, Any]:
        return x, None

    def forward_train(
        self, params: Views, x: Floats, rng: np.random.Generator
    ) -> tuple[Floats, Any]:
        kept = rng.random(x.shape, dtype=np.float32) >= self.rate
        mask = kept.astype(x.dtype)
        mask /= 1 - self.rate
        return x * mask, mask

    def backward(
        self, params: Views, grads: Views, cache: Any, dy: Floats, *, input_grad: bool = True
    ) -> Floats | None:
        return dy if cache is None else dy * cache


@dataclass(frozen=True)
class BatchNorm(Layer):
    """y = gamma (x - mean) / sqrt(variance + epsilon) + beta, for each feature or channel.

    In training mean and variance are the batch's, and the running ones move towards them by
    `momentum`; in serving they are the running ones. Source: Ioffe & Szegedy 2015, algorithms 1
    and 2; the running variance is the unbiased one, as there and in PyTorch.
    """

    momentum: float = 0.1
    epsilon: float = 1e-5

    # PyTorch counts batches; it uses the count only where it is given no momentum.
    not_needed: ClassVar[frozenset[str]] = frozenset({"num_batches_tracked"})

    def __post_init__(self) -> None:
        require_number("momentum", self.momentum, above=0, at_most=1)
        require_number("epsilon", self.epsilon, above=0)

    def param_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return {"gamma": input_shape[:1], "beta": input_shape[:1]}

    def state_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return {"mean": input_shape[:1], "variance": input_shape[:1]}

    def init(self, params: Views, rng: np.random.Generator) -> None:
        for name, value in (("gamma", 1), ("beta", 0), ("mean", 0), ("variance", 1)):
            params[name][...] = value

    def forward(self, params: Views, x: Floats) -> tuple[Floats, Any]:
        centred = _by_feature(x) - params["mean"][:, None]
        y, cache = self._scale(params, centred, params["variance"])
        return _by_row(y, x.shape), (*cache, False)

    def forward_train(
        self, params: Views, x: Floats, rng: np.random.Generator
    ) -> tuple[Floats, Any]:
        features = _by_feature(x)
        numbers = features.shape[1]
        mean = features.mean(axis=1)
        centred = features - mean[:, None]
        variance = np.einsum("ij,ij->i", centred, centred) / numbers
        self._move(params, mean, variance, numbers)
        y, cache = self._scale(params, centred, variance)
        return _by_row(y, x.shape), (*cache, True)

    def backward(
        self, params: Views, grads: Views, cache: Any, dy: Floats, *, input_grad: bool = True
    ) -> Floats | None:
        normal, scale, of_batch = cache
        shape, dy = dy.shape, _by_feature(dy)
        np.einsum("ij,ij->i", dy, normal, out=grads["gamma"])
        np.add.reduce(dy, axis=1, out=grads["beta"])
        if not input_grad:
            return None
        rate = (params["gamma"] * scale)[:, None]
        if not of_batch:
            return _by_row(dy * rate, shape)
        # Mean and variance depend on every row of the batch.
        numbers = dy.shape[1]
        dx = normal * (grads["gamma"] / -numbers)[:, None]
        dx += dy
        dx -= (grads["beta"] / numbers)[:, None]
        dx *= rate
        return _by_row(dx, shape)

    def to_tensors(self, params: Views) -> dict[str, Floats]:
        return {torch: params[ours] for torch, ours in _TORCH_NAMES.items()}

    def from_tensors(self, params: Views, tensors: dict[str, Floats]) -> None:
        for torch, ours in _TORCH_NAMES.items():
            params[ours][...] = tensors[torch]

    def _scale(self, params: Views, centred: Floats, variance: Floats) -> tuple[Floats, Any]:
        """Return the output, and what `backward` needs, of features less their mean, in place."""
        scale = 1 / np.sqrt(variance + self.epsilon)
        centred *= scale[:, None]
        y = centred * params["gamma"][:, None]
        y += params["beta"][:, None]
        return y, (centred, scale)

    def _move(self, params: Views, mean: Floats, variance: Floats, rows: int) -> None:
        unbiased = variance * (rows / max(rows - 1, 1))
        for name, value in (("mean", mean), ("variance", unbiased)):
            params[name] *= 1 - self.momentum
            params[name] += self.momentum * value


def _by_feature(x: Floats) -> Floats:
    """Return (n, features, …) as (features, numbers): every feature's numbers of the batch."""
    return np.moveaxis(x, 0, -1).reshape(x.shape[1], -1)


def _by_row(features: Floats, shape: Shape) -> Floats:
    """Return what `_by_feature` made of an array of `shape` in that shape again, as a view."""
    return np.moveaxis(features.reshape(*shape[1:], shape[0]), -1, 0)


_TORCH_NAMES = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "mean",
    "running_var": "variance",
}
