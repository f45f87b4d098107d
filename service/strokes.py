"""The digit on its own, as frame_digit takes it: even ink, strokes as thick as MNIST's."""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from nncore.arrays import Floats
from service.finding import Digit
from service.ink import Ink

FULL = 60  # percentile of the digit's strength that is full ink
NO_INK, ALL_INK = 0.25, 0.75  # of that
THIN, THICK = 0.105, 0.2  # of the digit's size: strokes are made at least, and at most, so wide


class Alone(NamedTuple):
    """The ink of a digit, 0 to 1, nothing else around it: float32 (h, w); where it was cut out."""

    ink: Floats
    left: int
    top: int


def digit_alone(ink: Ink, digit: Digit) -> Alone:
    """Return the ink of `digit` with even strokes, about as thick as MNIST's."""
    room = round(THIN * digit.size) + 2
    rows, columns = slice(digit.top, digit.bottom), slice(digit.left, digit.right)
    strength = np.pad(ink.strength[rows, columns], room, mode="edge")
    full = float(np.percentile(ink.strength[digit.mask], FULL))
    even = np.clip((strength / full - NO_INK) / (ALL_INK - NO_INK), 0, 1)
    near = _spread(np.pad(digit.mask[rows, columns], room).astype(np.float32), 2)
    return Alone(_as_thick_as_mnist(even * near, digit.size), digit.left - room, digit.top - room)


def _as_thick_as_mnist(ink: Floats, size: int) -> Floats:
    mask = ink > 0.5
    around = np.pad(mask, 1)
    inner = mask & around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    stroke = 2 * mask.sum() / max(mask.sum() - inner.sum(), 1)
    return _spread(ink, round((np.clip(stroke, THIN * size, THICK * size) - stroke) / 2))


def _spread(ink: Floats, pixels: int) -> Floats:
    """Return `ink` with each stroke so many pixels wider, or narrower, on both sides."""
    image = Image.fromarray((ink * 255).astype(np.uint8))
    most = ImageFilter.MaxFilter(3) if pixels > 0 else ImageFilter.MinFilter(3)
    for _ in range(abs(pixels)):
        image = image.filter(most)
    return np.asarray(image, np.float32) / 255
