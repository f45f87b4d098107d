"""MNIST's framing: a digit in a 20x20 box, its centre of mass in the middle of 28x28.

Source: LeCun, Cortes & Burges, "THE MNIST DATABASE of handwritten digits": size-normalised to fit
a 20x20 box keeping the aspect ratio, grey by anti-aliasing, then centred by mass in 28x28.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from nncore.arrays import Floats, Pixels
from nncore.errors import ShapeError

SIDE = 28
BOX = 20


class Framed(NamedTuple):
    """A digit in MNIST's framing, and how it came there.

    What lay at x pixels from the left, y from the top is now at ``x * scale + shift[0]``,
    ``y * scale + shift[1]``. The box (left, top, width, height) is where the ink was.
    """

    pixels: Pixels
    box: tuple[int, int, int, int]
    scale: float
    shift: tuple[float, float]


def frame_digit(ink: Floats) -> Pixels:
    """Bring one digit to MNIST's framing.

    Parameters
    ----------
    ink : float array (h, w)
        0 for paper; the largest value is full ink.

    Returns
    -------
    pixels : uint8 array (28, 28)
        255 for full ink; all 0 where there is no ink.

    Raises
    ------
    ShapeError
        If `ink` is not two-dimensional.
    """
    return frame(ink).pixels


def frame(ink: Floats) -> Framed:
    """Bring one digit to MNIST's framing, as `frame_digit`, and tell how. Raises ShapeError."""
    if ink.ndim != 2:
        raise ShapeError(f"Expected one picture (h, w); got shape {ink.shape}.")
    framed = np.zeros((SIDE, SIDE))
    if not ink.any():
        return Framed(framed.astype(np.uint8), (0, 0, 0, 0), 1.0, (0.0, 0.0))
    y, x = (np.flatnonzero(ink.any(axis=axis))[[0, -1]] for axis in (1, 0))
    digit = ink[y[0] : y[1] + 1, x[0] : x[1] + 1]
    box = (int(x[0]), int(y[0]), digit.shape[1], digit.shape[0])
    scale = BOX / max(digit.shape)
    height, width = (max(1, round(length * scale)) for length in digit.shape)
    digit = resampling(digit.shape[0], height) @ digit @ resampling(digit.shape[1], width).T
    top, left = (_corner(digit.sum(axis=axis)) for axis in (1, 0))
    framed[top : top + height, left : left + width] = digit
    pixels = np.clip(np.rint(framed * (255 / digit.max())), 0, 255).astype(np.uint8)
    return Framed(pixels, box, scale, (left - box[0] * scale, top - box[1] * scale))


@lru_cache(maxsize=256)  # a data set has few sizes, and many pictures of each
def resampling(length: int, wanted: int) -> Floats:
    """Return the matrix (wanted, length) that resamples a line with a triangle filter.

    The filter is as wide as one wanted pixel where lines shrink, so nothing is skipped. Whoever
    asks for the same gets the same, which nobody can change.
    """
    ratio = length / wanted
    centres = (np.arange(wanted)[:, None] + 0.5) * ratio
    distances = np.abs(np.arange(length) + 0.5 - centres) / max(ratio, 1.0)
    weights = np.maximum(1 - distances, 0)
    weights /= weights.sum(axis=1, keepdims=True)
    weights.flags.writeable = False
    return weights


def _corner(mass: Floats) -> int:
    """Return where to put a line of `mass` so that its centre falls into pixel 14 of 28.

    In all of MNIST's 70,000 images the centre is between 14 and 15.
    """
    centre = (mass * (np.arange(len(mass)) + 0.5)).sum() / mass.sum()
    return int(np.clip(np.ceil(SIDE / 2 - centre), 0, SIDE - len(mass)))
