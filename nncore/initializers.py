"""Initial values of weights and biases."""

import math
from dataclasses import dataclass

import numpy as np

from nncore.arrays import Floats
from nncore.specs import Named, require_number, wrong


@dataclass(frozen=True)
class Initializer(Named):
    """What all initializers have in common."""

    kind = "initializer"

    def fill(self, array: Floats, rng: np.random.Generator) -> None:
        """Fill `array` in place.

        Weights are (inputs, units), those of a convolution (channels, height, width, filters).
        """
        raise NotImplementedError


@dataclass(frozen=True)
class HeNormal(Initializer):
    """N(0, 2 / inputs), for ReLU. Source: He et al. 2015, equation 10."""

    def fill(self, array: Floats, rng: np.random.Generator) -> None:
        array[...] = rng.normal(0.0, np.sqrt(2.0 / _fans(array)[0]), array.shape)


@dataclass(frozen=True)
class HeUniform(Initializer):
    """U(-a, a) with the variance of HeNormal: a = sqrt(6 / inputs)."""

    def fill(self, array: Floats, rng: np.random.Generator) -> None:
        bound = np.sqrt(6.0 / _fans(array)[0])
        array[...] = rng.uniform(-bound, bound, array.shape)


@dataclass(frozen=True)
class GlorotNormal(Initializer):
    """N(0, 2 / (inputs + units)), for sigmoid and tanh. Source: Glorot & Bengio 2010, eq. 12."""

    def fill(self, array: Floats, rng: np.random.Generator) -> None:
        array[...] = rng.normal(0.0, np.sqrt(2.0 / sum(_fans(array))), array.shape)


@dataclass(frozen=True)
class GlorotUniform(Initializer):
    """U(-a, a), a = sqrt(6 / (inputs + units)). Source: Glorot & Bengio 2010, equation 16."""

    def fill(self, array: Floats, rng: np.random.Generator) -> None:
        bound = np.sqrt(6.0 / sum(_fans(array)))
        array[...] = rng.uniform(-bound, bound, array.shape)


@dataclass(frozen=True)
class LeCunNormal(Initializer):
    """N(0, 1 / inputs). Source: LeCun, Bottou, Orr & Müller 1998, "Efficient BackProp", eq. 16."""

    def fill(self, array: Floats, rng: np.random.Generator) -> None:
        array[...] = rng.normal(0.0, np.sqrt(1.0 / _fans(array)[0]), array.shape)


@dataclass(frozen=True)
class Normal(Initializer):
    """N(0, std^2)."""

    std: float = 1.0

    def __post_init__(self) -> None:
        require_number("std", self.std, at_least=0)

    def fill(self, array: Floats, rng: np.random.Generator) -> None:
        array[...] = rng.normal(0.0, self.std, array.shape)


@dataclass(frozen=True)
class NormalByUnits(Initializer):
    """N(0, 1 / units): scaled by the layer's outputs, as the article of `one-at-a-time` does."""

    def fill(self, array: Floats, rng: np.random.Generator) -> None:
        array[...] = rng.normal(0.0, np.sqrt(1.0 / array.shape[-1]), array.shape)


@dataclass(frozen=True)
class Uniform(Initializer):
    """U[low, high)."""

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        require_number("low", self.low, at_least=-1e6)
        require_number("high", self.high, at_most=1e6)
        if self.low > self.high:
            raise wrong("/low", f"Expected at most high, {self.high}; got {self.low}.")

    def fill(self, array: Floats, rng: np.random.Generator) -> None:
        array[...] = rng.uniform(self.low, self.high, array.shape)


@dataclass(frozen=True)
class Zeros(Initializer):
    """0."""

    def fill(self, array: Floats, rng: np.random.Generator) -> None:
        array[...] = 0


def _fans(array: Floats) -> tuple[int, int]:
    """Return how many inputs each output has, and how many outputs each input goes into."""
    covered = math.prod(array.shape[1:-1])  # of a convolution's kernel
    return array.shape[0] * covered, array.shape[-1] * covered


INITIALIZERS: dict[str, type[Initializer]] = {
    "he_normal": HeNormal,
    "he_uniform": HeUniform,
    "glorot_normal": GlorotNormal,
    "glorot_uniform": GlorotUniform,
    "lecun_normal": LeCunNormal,
    "normal": Normal,
    "normal_by_units": NormalByUnits,
    "uniform": Uniform,
    "zeros": Zeros,
}
Initializer.names = INITIALIZERS
