"""From pixels, 0-255, to what the network sees."""

from dataclasses import dataclass

import numpy as np

from nncore.arrays import Floats, Pixels
from nncore.specs import require_number


@dataclass(frozen=True)
class PixelScaler:
    """x = pixels * scale + offset. Its two numbers go into the manifest.

    A service must scale as the training did; it does so by what the manifest says.
    """

    scale: float = 1 / 255
    offset: float = 0.0

    def __post_init__(self) -> None:
        require_number("scale", self.scale, at_least=-1e6, at_most=1e6)
        require_number("offset", self.offset, at_least=-1e6, at_most=1e6)

    def __call__(self, pixels: Pixels) -> Floats:
        """Return float32 of the shape of `pixels`, which are uint8 or float, 0-255."""
        x: Floats = pixels.astype(np.float32)
        x *= np.float32(self.scale)
        if self.offset:
            x += np.float32(self.offset)
        return x
