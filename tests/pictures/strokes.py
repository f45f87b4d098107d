"""Digits as ink: MNIST's, thinned and thickened, and digits drawn by program with a pen's strokes.

Ink is a float32 array (side, side): the share of each pixel that ink covers.
"""

from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

# Ways to write each digit: strokes of points (x, y) in a box of 1 x 1, y downwards. A stroke's
# points are joined by a smooth curve, unless it is marked as straight.
CURVE, STRAIGHT = "curve", "straight"
ZERO = (
    CURVE,
    [
        (0.55, 0.02),
        (0.2, 0.15),
        (0.08, 0.5),
        (0.2, 0.88),
        (0.5, 0.98),
        (0.82, 0.85),
        (0.92, 0.5),
        (0.8, 0.13),
        (0.5, 0.02),
    ],
)
WAYS = {
    0: [
        [ZERO],
        [
            (
                CURVE,
                [
                    (0.6, 0.05),
                    (0.3, 0.1),
                    (0.12, 0.5),
                    (0.25, 0.9),
                    (0.5, 0.97),
                    (0.78, 0.8),
                    (0.86, 0.45),
                    (0.75, 0.12),
                    (0.45, 0.0),
                ],
            )
        ],
        [
            (
                CURVE,
                [
                    (0.4, 0.0),
                    (0.1, 0.3),
                    (0.1, 0.7),
                    (0.45, 1.0),
                    (0.85, 0.7),
                    (0.85, 0.3),
                    (0.45, 0.02),
                ],
            )
        ],
    ],
    1: [
        [(STRAIGHT, [(0.5, 0.0), (0.5, 1.0)])],
        [(STRAIGHT, [(0.25, 0.25), (0.52, 0.0), (0.52, 1.0)])],
        [
            (STRAIGHT, [(0.25, 0.22), (0.52, 0.0), (0.52, 1.0)]),
            (STRAIGHT, [(0.25, 1.0), (0.8, 1.0)]),
        ],
        [(CURVE, [(0.6, 0.0), (0.52, 0.5), (0.45, 1.0)])],
    ],
    2: [
        [
            (
                CURVE,
                [
                    (0.12, 0.25),
                    (0.3, 0.04),
                    (0.65, 0.03),
                    (0.85, 0.25),
                    (0.7, 0.5),
                    (0.35, 0.78),
                    (0.1, 0.98),
                ],
            ),
            (STRAIGHT, [(0.1, 0.98), (0.92, 0.98)]),
        ],
        [
            (
                CURVE,
                [
                    (0.15, 0.2),
                    (0.45, 0.0),
                    (0.8, 0.18),
                    (0.72, 0.5),
                    (0.35, 0.85),
                    (0.14, 0.92),
                    (0.12, 0.8),
                    (0.3, 0.78),
                    (0.6, 0.95),
                    (0.95, 0.9),
                ],
            )
        ],
        [
            (
                CURVE,
                [
                    (0.1, 0.3),
                    (0.25, 0.05),
                    (0.6, 0.0),
                    (0.82, 0.2),
                    (0.75, 0.45),
                    (0.45, 0.7),
                    (0.12, 1.0),
                    (0.5, 0.97),
                    (0.9, 1.0),
                ],
            )
        ],
    ],
    3: [
        [
            (
                CURVE,
                [
                    (0.15, 0.12),
                    (0.45, 0.0),
                    (0.8, 0.15),
                    (0.75, 0.38),
                    (0.42, 0.48),
                    (0.8, 0.58),
                    (0.88, 0.82),
                    (0.5, 1.0),
                    (0.1, 0.88),
                ],
            )
        ],
        [
            (STRAIGHT, [(0.15, 0.03), (0.85, 0.03), (0.45, 0.42)]),
            (CURVE, [(0.45, 0.42), (0.8, 0.5), (0.88, 0.75), (0.6, 0.98), (0.1, 0.9)]),
        ],
        [
            (CURVE, [(0.2, 0.05), (0.6, 0.02), (0.8, 0.2), (0.6, 0.42), (0.35, 0.47)]),
            (CURVE, [(0.35, 0.47), (0.75, 0.5), (0.85, 0.78), (0.5, 1.0), (0.15, 0.93)]),
        ],
    ],
    4: [
        [
            (STRAIGHT, [(0.62, 0.0), (0.08, 0.68), (0.95, 0.68)]),
            (STRAIGHT, [(0.68, 0.3), (0.66, 1.0)]),
        ],
        [
            (CURVE, [(0.2, 0.0), (0.14, 0.3), (0.16, 0.5), (0.5, 0.52), (0.85, 0.48)]),
            (STRAIGHT, [(0.8, 0.02), (0.74, 1.0)]),
        ],
        [(STRAIGHT, [(0.7, 1.0), (0.7, 0.0), (0.08, 0.66), (0.95, 0.66)])],
        [
            (STRAIGHT, [(0.25, 0.0), (0.12, 0.55), (0.92, 0.55)]),
            (STRAIGHT, [(0.68, 0.2), (0.62, 1.0)]),
        ],
    ],
    5: [
        [
            (STRAIGHT, [(0.25, 0.03), (0.2, 0.42)]),
            (CURVE, [(0.2, 0.42), (0.55, 0.36), (0.85, 0.6), (0.75, 0.88), (0.4, 1.0), (0.1, 0.9)]),
            (STRAIGHT, [(0.25, 0.03), (0.85, 0.02)]),
        ],
        [
            (
                CURVE,
                [(0.28, 0.12), (0.22, 0.45), (0.6, 0.42), (0.82, 0.65), (0.6, 0.95), (0.12, 0.95)],
            ),
            (STRAIGHT, [(0.38, 0.02), (0.95, 0.0)]),
        ],
        [
            (STRAIGHT, [(0.85, 0.02), (0.28, 0.04), (0.22, 0.45)]),
            (CURVE, [(0.22, 0.45), (0.6, 0.4), (0.85, 0.65), (0.6, 0.97), (0.1, 0.92)]),
        ],
    ],
    6: [
        [
            (
                CURVE,
                [
                    (0.7, 0.0),
                    (0.35, 0.25),
                    (0.15, 0.6),
                    (0.2, 0.88),
                    (0.5, 1.0),
                    (0.82, 0.85),
                    (0.78, 0.6),
                    (0.5, 0.52),
                    (0.2, 0.7),
                ],
            )
        ],
        [
            (
                CURVE,
                [
                    (0.45, 0.0),
                    (0.18, 0.4),
                    (0.12, 0.75),
                    (0.35, 0.98),
                    (0.72, 0.92),
                    (0.85, 0.7),
                    (0.6, 0.55),
                    (0.3, 0.62),
                    (0.14, 0.78),
                ],
            )
        ],
        [
            (
                CURVE,
                [
                    (0.85, 0.08),
                    (0.5, 0.05),
                    (0.2, 0.4),
                    (0.15, 0.75),
                    (0.45, 1.0),
                    (0.8, 0.82),
                    (0.7, 0.55),
                    (0.35, 0.58),
                    (0.18, 0.8),
                ],
            )
        ],
    ],
    7: [
        [(STRAIGHT, [(0.1, 0.04), (0.9, 0.02), (0.4, 1.0)])],
        [
            (STRAIGHT, [(0.1, 0.04), (0.9, 0.02), (0.4, 1.0)]),
            (STRAIGHT, [(0.3, 0.5), (0.85, 0.48)]),
        ],
        [(CURVE, [(0.1, 0.15), (0.15, 0.05), (0.5, 0.08), (0.88, 0.03), (0.65, 0.4), (0.45, 1.0)])],
        [
            (STRAIGHT, [(0.1, 0.16), (0.12, 0.03), (0.88, 0.03), (0.45, 1.0)]),
            (STRAIGHT, [(0.28, 0.52), (0.8, 0.5)]),
        ],
    ],
    8: [
        [
            (
                CURVE,
                [
                    (0.8, 0.12),
                    (0.45, 0.0),
                    (0.18, 0.2),
                    (0.45, 0.45),
                    (0.82, 0.7),
                    (0.55, 1.0),
                    (0.15, 0.8),
                    (0.4, 0.5),
                    (0.78, 0.28),
                    (0.72, 0.06),
                ],
            )
        ],
        [
            (CURVE, [(0.5, 0.0), (0.2, 0.2), (0.5, 0.45), (0.8, 0.22), (0.5, 0.0)]),
            (CURVE, [(0.5, 0.45), (0.12, 0.72), (0.5, 1.0), (0.88, 0.72), (0.5, 0.45)]),
        ],
    ],
    9: [
        [
            (CURVE, [(0.8, 0.2), (0.5, 0.0), (0.15, 0.2), (0.3, 0.48), (0.65, 0.45), (0.8, 0.2)]),
            (CURVE, [(0.8, 0.15), (0.78, 0.6), (0.7, 1.0)]),
        ],
        [
            (
                CURVE,
                [
                    (0.8, 0.18),
                    (0.45, 0.0),
                    (0.15, 0.25),
                    (0.4, 0.5),
                    (0.78, 0.3),
                    (0.82, 0.2),
                    (0.8, 0.65),
                    (0.6, 0.97),
                    (0.2, 0.92),
                ],
            )
        ],
        [
            (
                CURVE,
                [
                    (0.75, 0.25),
                    (0.5, 0.02),
                    (0.2, 0.2),
                    (0.35, 0.47),
                    (0.72, 0.3),
                    (0.76, 0.05),
                    (0.72, 0.5),
                    (0.68, 1.0),
                ],
            )
        ],
    ],
}
WIDTHS = {1: (0.25, 0.6)}  # of the box; other digits are broader


def draw_digit(label, side, thickness, rng):
    """Return a digit written with a pen whose stroke is `thickness` of the side, as ink."""
    way = WAYS[label][rng.integers(len(WAYS[label]))]
    tall = rng.uniform(0.68, 0.8)
    wide = tall * rng.uniform(*WIDTHS.get(label, (0.55, 0.95)))
    turn, slant = np.radians(rng.normal(0, 5)), rng.normal(0.08, 0.14)
    place = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) @ np.array(
        [[wide, -slant * tall], [0, tall]]
    )
    image = Image.new("L", (2 * side, 2 * side))
    pen = ImageDraw.Draw(image)
    wobble = rng.uniform(0, 0.3)
    for kind, points in way:
        corners = np.array(points) + rng.normal(0, 0.022, (len(points), 2))
        path = (smooth(corners) if kind == CURVE else straight(corners)) - 0.5
        path = (path @ place.T + 0.5) * 2 * side
        pressure = 1 + wobble * np.sin(
            np.linspace(rng.uniform(0, 6), rng.uniform(6, 12), len(path))
        )
        for (x, y), radius in zip(path, np.maximum(thickness * side * pressure, 0.7), strict=True):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(image.resize((side, side), Image.Resampling.BOX), np.float32) / 255


def smooth(points):
    """Return a path through `points` (Catmull-Rom): float array (m, 2)."""
    ends = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.linspace(0, 1, 40, endpoint=False)[:, None]
    pieces = [
        0.5
        * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * (b - c) + d - a) * t**3)
        for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False)
    ]
    return np.concatenate([*pieces, points[-1:]])


def straight(points):
    """Return a path along straight lines between `points`."""
    t = np.linspace(0, 1, 80, endpoint=False)[:, None]
    pieces = [a + (b - a) * t for a, b in pairwise(points)]
    return np.concatenate([*pieces, points[-1:]])


def trace_digit(image, side, thickness, rng):
    """Return an MNIST image written again: with its own strokes, or thinned to a pen's line.

    Parameters
    ----------
    image : uint8 array (28, 28)
    thickness : float or None
        Of the pen, as a share of the side; None: about its own, a little thinner or thicker.
    """
    big = Image.fromarray(image).resize((112, 112), Image.Resampling.BICUBIC)
    line = None if thickness is None else thin(np.asarray(big) > 110)
    if line is None or _lost(line, np.asarray(big)):
        shares = np.asarray(big.resize((side, side), Image.Resampling.BICUBIC), np.float32) / 255
        level, edge = rng.uniform(0.3, 0.58), rng.uniform(0.1, 0.4)
        return np.clip((shares - level) / edge + 0.5, 0, 1)
    dots = Image.fromarray((line * 255).astype(np.uint8)).resize((side, side), Image.Resampling.BOX)
    # The line, blurred to the pen's width and cut at the level that stands half of it away.
    blur = max(thickness * side / 2, side / 112)
    blurred = np.asarray(dots.filter(ImageFilter.GaussianBlur(blur)), np.float32)
    level = np.percentile(blurred[blurred > 4], 75) if (blurred > 4).any() else 1
    return np.clip(blurred / level * 1.6 - 0.5, 0, 1)


def _lost(line, ink):
    """Tell whether a line no longer shows the digit: its loop was a blot, or a stroke was faint."""
    image = Image.fromarray((line * 255).astype(np.uint8))
    near = np.asarray(image.filter(ImageFilter.BoxBlur(14))) > 0  # 3.5 of MNIST's pixels
    return ((ink > 60) & ~near).sum() > 8


def thin(mask):
    """Return the one pixel wide skeleton of a mask. Source: Zhang & Suen 1984."""
    mask = np.pad(mask, 1).astype(np.uint8)
    while True:
        before = mask.sum()
        for first in (True, False):
            p = [np.roll(mask, shift, (0, 1)) for shift in RING]
            neighbours = sum(p)
            turns = sum((p[i] == 0) & (p[(i + 1) % 8] == 1) for i in range(8))
            north, east, south, west = p[0], p[2], p[4], p[6]
            if first:
                free = (north * east * south == 0) & (east * south * west == 0)
            else:
                free = (north * east * west == 0) & (north * south * west == 0)
            mask[(mask == 1) & (neighbours >= 2) & (neighbours <= 6) & (turns == 1) & free] = 0
        if mask.sum() == before:
            return mask[1:-1, 1:-1].astype(bool)


RING = [(1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1)]
