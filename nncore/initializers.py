"""Initial weights. Each function fills `W` in place, shape (inputs, units), from `rng`."""

from collections.abc import Callable

import numpy as np

from nncore.arrays import Floats

Initializer = Callable[[Floats, np.random.Generator], None]


def he_normal(W: Floats, rng: np.random.Generator) -> None:
    """Fill `W` in place from N(0, 2 / inputs), for ReLU. Source: He et al. 2015, equation 10."""
    W[...] = rng.normal(0.0, np.sqrt(2.0 / W.shape[0]), W.shape)


def glorot_uniform(W: Floats, rng: np.random.Generator) -> None:
    """Fill `W` in place from U(-a, a), a = sqrt(6 / (inputs + units)), for sigmoid and tanh.

    Source: Glorot & Bengio 2010, equation 16.
    """
    bound = np.sqrt(6.0 / (W.shape[0] + W.shape[1]))
    W[...] = rng.uniform(-bound, bound, W.shape)


INITIALIZERS: dict[str, Initializer] = {
    "he_normal": he_normal,
    "glorot_uniform": glorot_uniform,
}
