"""Ink from paper: how strongly each pixel of a picture stands out from the paper around it.

Strokes are thin, and have paper on both sides: that tells them from the edge of a sheet or of a
shadow, which have it on one. A closing (the brightest spot around each pixel, then the darkest of
those) fills whatever dark is thinner than its window and leaves the rest as it is; what it has
filled is the ink. Source: Serra 1982, "Image Analysis and Mathematical Morphology", top-hat.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nncore.arrays import Floats, Pixels

GREY = 40  # added to brightness that is divided by, so that noise in the dark counts little
STRONG = 99.5  # percentile of the pixels that stand out as ink does
MEDIAN_WINDOW = 15  # of the small picture that `lightness` looks at
PLAIN = 2  # grey levels: no more are between two places of a screen's background
PLAIN_RIM, PLAIN_AREA = 0.6, 0.25  # so much of a picture's rim, and of all of it, is background


class Ink(NamedTuple):
    """How strong ink is, the paper under it, and what is seen of both.

    float32 (h, w) each, as shares of the light that falls there.
    """

    strength: Floats
    paper: Floats
    seen: Floats


def find_ink(picture: Pixels, window: int, *, light: bool, paper: Pixels | None = None) -> Ink:
    """Return the ink of a picture.

    Parameters
    ----------
    picture : uint8 array (h, w, 3)
    window : int
        Pixels; what is wider is paper.
    light : bool
        Whether the ink is lighter than the paper.
    paper : uint8 array (3,), optional
        The colour of all paper, if that is known; strokes may be of any width then.
    """
    if paper is None:
        under, brightest = _paper(picture, window, light=light)
    else:
        under = (np.minimum if light else np.maximum)(picture, paper)
        brightest = np.full(picture.shape[:2], max(picture.max(), paper.max()))
    difference = (picture - under if light else under - picture).astype(np.float32)
    bright = brightest.astype(np.float32) + GREY
    difference /= bright[..., None]
    strength = difference @ _colour(difference)
    return Ink(strength, _mean(under) / bright, _mean(picture) / bright)


def _paper(picture: Pixels, window: int, *, light: bool) -> tuple[Pixels, Pixels]:
    """Return the paper under the ink (h, w, 3), and how bright it is at most around (h, w)."""
    window |= 1
    # What lies at the edge goes on beyond it: a table around the paper is no stroke.
    around = np.pad(picture, ((window, window), (window, window), (0, 0)), mode="edge")
    brightest = _running(np.maximum, around, window)
    if light:
        darkest = _running(np.minimum, around, window)
        paper = _running(np.maximum, darkest, window)
    else:
        paper = brightest = _running(np.minimum, brightest, window)
    inner = (slice(window, -window),) * 2
    return paper[inner], _brightest(brightest[inner])


def plain_paper(small: Floats) -> Pixels | None:
    """Return the colour uint8 (3,) of a screen's background, None for photographs.

    Parameters
    ----------
    small : float32 array (h, w, 3)
        Every so many pixels of a picture: some 32 a side.
    """
    paper = np.median(_rim(small), axis=0)
    plain = np.abs(small - paper).max(axis=2, keepdims=True) <= PLAIN
    if _rim(plain).mean() < PLAIN_RIM or plain.mean() < PLAIN_AREA:
        return None
    return paper.astype(np.uint8)


def lightness(small: Floats) -> float:
    """Tell whether ink is lighter (up to 1) or darker (down to -1) than what there is most of.

    Parameters
    ----------
    small : float32 array (h, w, 3)
        A picture of some 32 pixels a side.
    """
    rim = _rim(small)
    paper = np.median(rim, axis=0)
    drawn = (np.abs(rim - paper).max(axis=1) < 4).mean() > 0.8
    if not (drawn and (np.abs(small - paper).max(axis=2) < 8).mean() > 0.5):
        paper = _running_median(_running_median(small, 0), 1)
    difference = small - paper
    size = np.abs(difference).max(axis=2)
    strong = size > 0.5 * np.percentile(size, 98)
    lighter = (difference.sum(axis=2) * middle(size.shape))[strong]
    return float(lighter.sum() / max(np.abs(lighter).sum(), 1e-9))


def _rim(small: Any) -> Any:
    """Return the outermost pixels of a picture (h, w, n): (2 h + 2 w, n)."""
    return np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])


def middle(shape: tuple[int, ...]) -> Floats:
    """Return how near each pixel is to the middle: 1 there, 0.02 in the corners."""
    y, x = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    return np.exp(-2 * (x * x + y * y)).astype(np.float32)


# NumPy takes forty times as long to go along an axis of three.


def _brightest(picture: Any) -> Any:
    """Return the most of the three colours of each pixel."""
    red, green, blue = np.moveaxis(picture, 2, 0)
    return np.maximum(np.maximum(red, green), blue)


def _mean(picture: Pixels) -> Floats:
    """Return the mean of the three colours of each pixel."""
    red, green, blue = np.moveaxis(picture, 2, 0)
    return (red.astype(np.float32) + green + blue) / np.float32(3)


def _colour(difference: Floats) -> Floats:
    """Return the direction (3,) in which the ink's colour differs from the paper's."""
    size = _brightest(difference)
    strong = size >= 0.5 * np.percentile(size, STRONG)
    weights = (size * middle(size.shape))[strong]
    total = weights @ difference[strong]
    return total / max(float(np.linalg.norm(total)), 1e-9)


def _running(most: Any, picture: Pixels, window: int) -> Pixels:
    """Return the most of the square of `window` pixels around each pixel."""
    for axis in (0, 1):
        margin = [(0, 0)] * 3
        margin[axis] = (window // 2, window // 2)
        line = np.moveaxis(np.pad(picture, margin, mode="edge"), axis, 0)
        reach = 1
        while reach < window:  # of the most of `reach` pixels, two make that of up to twice as many
            step = min(reach, window - reach)
            line = most(line[:-step], line[step:])
            reach += step
        picture = np.moveaxis(line, 0, axis)
    return picture


def _running_median(small: Floats, axis: int) -> Floats:
    margin = [(0, 0)] * 3
    margin[axis] = (MEDIAN_WINDOW // 2, MEDIAN_WINDOW // 2)
    padded = np.pad(small, margin, mode="edge")
    medians: Floats = np.median(sliding_window_view(padded, MEDIAN_WINDOW, axis=axis), axis=-1)
    return medians
