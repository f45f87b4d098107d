"""Ones with a flag, as much of Europe writes them, drawn by program: MNIST has hardly any.

A network that has not seen them takes them for sevens.
"""

from itertools import pairwise

import numpy as np

from nncore.arrays import Floats, Pixels
from nncore.framing import frame_digit

TALL = 32  # pixels from the top of the stem to its foot
LEAN = 4, 7  # degrees to the right: mean and standard deviation
FALL = 32, 65  # degrees below the horizontal: how steeply the flag falls; a seven's does less
FLAG, WIDTH, BAR = (0.15, 0.6), (0.055, 0.155), (0.15, 0.4)  # of the stem's length
WITH_BAR = 0.15  # of all have one at the foot
BEND = 0.025  # of a stroke's length: standard deviation of how far it is bent
EDGE = 1.7  # pixels from ink to paper
POINTS = 6  # of a stroke, joined by straight lines


def drawn_ones(count: int, rng: np.random.Generator) -> Pixels:
    """Return that many of them in MNIST's framing: uint8 (count, 784)."""
    return np.stack([frame_digit(drawn_one(rng)).reshape(-1) for _ in range(count)])


def drawn_one(rng: np.random.Generator) -> Floats:
    """Return the ink of one, 0 to 1: float64 (1.5 TALL, 2 TALL)."""
    foot = np.array([TALL, 1.25 * TALL])
    lean, fall = np.radians(rng.normal(*LEAN)), np.radians(rng.uniform(*FALL))
    top = foot + TALL * np.array([np.sin(lean), -np.cos(lean)])
    flag = top + TALL * rng.uniform(*FLAG) * np.array([-np.cos(fall), np.sin(fall)])
    strokes = [_stroke(flag, top, rng), _stroke(top, foot, rng)]
    if rng.random() < WITH_BAR:
        left, right = TALL * rng.uniform(*BAR, 2)
        strokes.append(foot + np.array([(-left, 0), (right, 0)]))
    return _ink(strokes, TALL * rng.uniform(*WIDTH))


def _stroke(start: Floats, end: Floats, rng: np.random.Generator) -> Floats:
    """Return the points of a stroke that is a little bent: (n, 2), x before y."""
    way = np.linspace(0, 1, POINTS)[:, None]
    along = end - start
    across = np.array([along[1], -along[0]])
    points: Floats = start + way * along + 4 * way * (1 - way) * rng.normal(0, BEND) * across
    return points


def _ink(strokes: list[Floats], width: float) -> Floats:
    lines = [line for points in strokes for line in pairwise(points)]
    distance = np.min([_distance(*line) for line in lines], axis=0)
    ink: Floats = np.clip((width / 2 - distance) / EDGE + 0.5, 0, 1)
    return ink


def _distance(start: Floats, end: Floats) -> Floats:
    """Return how far each pixel is from a straight line, float64 (1.5 TALL, 2 TALL)."""
    y, x = np.ogrid[: 3 * TALL // 2, : 2 * TALL]
    along_x, along_y = end - start
    x, y = x - start[0], y - start[1]
    way = np.clip((x * along_x + y * along_y) / (along_x**2 + along_y**2), 0, 1)
    away: Floats = np.hypot(x - way * along_x, y - way * along_y)
    return away
