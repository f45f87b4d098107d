"""Golden vectors: a few inputs and what the worker measured for them, kept with a version.

They prove that a version answers here as it did where it was measured: its weights, its manifest
and this program's arithmetic together.
"""

from typing import NamedTuple

import numpy as np

from nncore.arrays import Floats, Pixels
from nncore.classifier import Classifier
from nncore.errors import CorruptVersionError
from nncore.weights import decode_weights, encode_weights

ROWS = 32
TOLERANCE = 1e-4  # of a probability; another processor's sums differ by some 1e-6


class Golden(NamedTuple):
    """Inputs, uint8 (n, *input_shape) of 0-255, and probabilities, float32 (n, classes)."""

    inputs: Pixels
    probabilities: Floats

    @classmethod
    def of(cls, classifier: Classifier, pixels: Pixels) -> "Golden":
        """Take `ROWS` of `pixels`, evenly spread, or all of fewer, and what is answered to them."""
        rows = np.linspace(0, len(pixels) - 1, min(ROWS, len(pixels))).round().astype(int)
        return cls(pixels[rows], classifier.probabilities(pixels[rows]))

    @classmethod
    def decode(cls, content: bytes) -> "Golden":
        """Read what `encode` returned. Raises CorruptVersionError."""
        arrays = decode_weights(content)
        if set(arrays) != set(cls._fields):
            raise CorruptVersionError(f"Golden vectors with arrays {sorted(arrays)[:5]}.")
        return cls(**arrays)

    def encode(self) -> bytes:
        """Return them as a safetensors file."""
        return encode_weights(self._asdict())

    def check(self, classifier: Classifier) -> None:
        """Raise CorruptVersionError unless `classifier` answers as was measured."""
        if self.inputs.shape[1:] != classifier.input_shape:
            raise CorruptVersionError(
                f"The golden inputs have shape {self.inputs.shape[1:]}; the network takes "
                f"{classifier.input_shape}."
            )
        answers = classifier.probabilities(self.inputs)
        if answers.shape != self.probabilities.shape:
            raise CorruptVersionError(
                f"The golden probabilities have shape {self.probabilities.shape}; the network "
                f"gives {answers.shape}."
            )
        off = np.abs(answers - self.probabilities).max(axis=1)
        wrong = ~(off <= TOLERANCE)  # NaN is wrong too
        if wrong.any():
            raise CorruptVersionError(
                f"It answers otherwise than when it was made: {int(wrong.sum())} of {len(off)} "
                f"golden inputs get other probabilities, by up to {off.max():.2g}."
            )
