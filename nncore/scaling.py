"""From pixels, 0-255, to what the network sees."""

from dataclasses import dataclass

import numpy as np

from nncore.arrays import Floats, Pixels


@dataclass(frozen=True)
class PixelScaler:
    """x = pixels * scale + offset. Its two numbers go into the manifest.

    A service must scale as the training did; it does so by what the manifest says.
    """

    scale: float = 1 / 255
    offset: float = 0.0

    def __call__(self, pixels: Pixels) -> Floats:
        """Return float32 of the shape of `pixels`, which are uint8 or float, 0-255."""
        x: Floats = np.multiply(pixels, np.float32(self.scale), dtype=np.float32)
        if self.offset:
            x += np.float32(self.offset)
        return x
