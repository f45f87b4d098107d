"""Which of the ink in a picture is the digit: the pieces that look most like strokes of a pen."""

from typing import NamedTuple

import numpy as np

from nncore.arrays import Floats, Pixels
from service.components import Components, components_of, running_sums
from service.ink import Ink

FIRST_LEVEL, LAST_LEVEL = 0.1, 0.75  # shares of the strongest ink at which pictures are cut
STEP = 1.6  # from one level to the next
STRONGEST = 99.7  # percentile of the strength that counts as the strongest
LEAST_PIXELS = 20
AT_EDGE = 0.1  # what the edge cuts off is seldom meant
NEAR_EDGE, TILTED = 0.5, 0.0125  # nor is what ends so near to it, if the sheet is held askew
SLENDER = 5.0  # times as long as its strokes are wide: what is at least so counts in full
MEANT = 0.2  # of a piece: so much of it was in the digit at first sight
UNMEANT = 0.5  # of the largest one's size: what was not in it then has less
NEAR = 0.25  # of the larger one's size: how far away from each other two pieces may be
ALIKE = 0.6  # how strong and how sharp a piece must be, as a share of the largest one's
RING = 4  # pixels: how far around a digit its paper is looked at
PIECE = 0.03  # how many pixels it must have, as a share of the largest one's
FILLED = 0.4  # of a frame's size: the digit in it has more
SPECK = 0.15  # of the largest one's size: less is no stroke


class Digit(NamedTuple):
    """The digit in a picture (h, w): its pixels, its box, how wide its strokes are, in pixels.

    `at_edge` tells whether the picture's edge may have cut some of it off.
    """

    score: float
    strength: float
    mask: Pixels
    left: int
    top: int
    right: int
    bottom: int
    stroke: float
    at_edge: bool

    @property
    def size(self) -> int:
        """The longer side of the box."""
        return max(self.right - self.left, self.bottom - self.top)

    @property
    def worth(self) -> float:
        """The score that it would have away from the edge."""
        return self.score / AT_EDGE if self.at_edge else self.score


class Pieces(NamedTuple):
    """Components with what tells strokes from other things: float arrays (n,).

    `meant` is how much of each was in the digit at first sight, 0 to 1.
    """

    found: Components
    strength: Floats
    sharpness: Floats
    stroke: Floats
    meant: Floats
    at_edge: Pixels
    score: Floats


def find_digit(ink: Ink, *, stoutest: float = 2.0, expected: Floats | None = None) -> Digit | None:
    """Return what looks most like a digit, at whichever level of strength it does.

    Parameters
    ----------
    ink : Ink
    stoutest : float
        How many times as long as its strokes are wide a digit is at least.
    expected : float32 array (h, w), optional
        About where it is: 1 there, 0 elsewhere.
    """
    strength = ink.strength
    strongest = float(np.percentile(strength, STRONGEST))
    noise = 1.5 * float(np.median(strength))
    level = max(FIRST_LEVEL * strongest, min(noise, 0.4 * strongest), 0.01)
    sums, cuts = running_sums(strength), []
    while level < LAST_LEVEL * strongest:
        cuts.append(_pieces(strength, sums, level, stoutest, expected))
        level *= STEP
    best = None
    for pieces in sorted(cuts, key=_most, reverse=True):
        if _most(pieces) <= (best.score if best else 0):  # no digit has more than its best piece
            break
        digit = _digit(pieces, ink, expected)
        best = digit if best is None or digit.score > best.score else best
    return best


def _most(pieces: Pieces) -> float:
    return float(pieces.score.max(initial=0))


def _pieces(
    strength: Floats, sums: Floats, level: float, stoutest: float, expected: Floats | None
) -> Pieces:
    """Return the pieces of ink above `level`."""
    height, width = strength.shape
    mask = strength > level
    found = components_of(mask)
    mean = found.total(sums, width) / found.area
    # Ink ends suddenly: little of it is lost at the next level. Noise and shadows are.
    sharpness = found.total(running_sums(strength > STEP * level), width) / found.area
    inner = found.total(running_sums(mask & ~_rim(mask)), width)
    stroke = 2 * found.area / np.maximum(found.area - inner, 1)
    free = np.minimum(np.minimum(found.top, found.left), height - found.bottom)
    free = np.minimum(free, width - found.right)
    at_edge, meant = free == 0, np.ones(len(free))
    if expected is not None:
        meant = found.total(running_sums(expected), width) / found.area
    off_middle = ((found.top + found.bottom) / height - 1) ** 2
    off_middle += ((found.left + found.right) / width - 1) ** 2
    slender = np.clip((found.size / stroke - stoutest) / (SLENDER - stoutest), 0.05, 1)
    score = mean * sharpness**2 * found.size * slender * np.exp(-0.5 * off_middle)
    small = found.size < max(height, width) / 2
    score[small & (free <= TILTED * max(height, width))] *= NEAR_EDGE
    score[at_edge] *= AT_EDGE
    score *= meant**2
    score[found.area < LEAST_PIXELS] = 0
    return Pieces(found, mean, sharpness, stroke, meant, at_edge, score)


def _rim(mask: Pixels) -> Pixels:
    """Return the pixels of `mask` that have one outside it above, below, to the left or right."""
    around = np.pad(mask, 1)
    inner = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    return mask & ~inner


def _digit(pieces: Pieces, ink: Ink, expected: Floats | None) -> Digit:
    """Return the digit whose largest piece has the best score."""
    found = pieces.found
    main = _within_frame(pieces, int(pieces.score.argmax()))
    chosen = _with_loose_pieces(pieces, main)
    left, top = int(found.left[chosen].min()), int(found.top[chosen].min())
    right, bottom = int(found.right[chosen].max()), int(found.bottom[chosen].max())
    strength = float(pieces.strength[main])
    mask = found.mask(chosen, ink.strength.shape)
    score = float(pieces.score[main]) * _lies_on_paper(ink, mask) ** 3
    if expected is not None:
        score *= float(expected[mask].sum() / expected.sum()) ** 2
    return Digit(
        score,
        strength,
        mask,
        left,
        top,
        right,
        bottom,
        float(pieces.stroke[main]),
        bool(pieces.at_edge[main]),
    )


def _lies_on_paper(ink: Ink, mask: Pixels) -> float:
    """Return how much of what lies around `mask` is the paper that it lies on, 0 to 1.

    A stroke has the same paper all around. What lies between a digit and the edge of its sheet
    has the sheet on one side and the table on another.
    """
    paper = float(ink.paper[mask].mean())
    depth = float(np.abs(ink.paper[mask] - ink.seen[mask]).mean())
    alike = np.abs(ink.seen[_ring(mask)] - paper) < depth / 2
    return float(alike.mean()) if alike.size else 1.0


def lies_on_one_paper(ink: Ink, mask: Pixels) -> float:
    """Return how much of what lies around `mask` is of one brightness, 0 to 1."""
    around = ink.seen[_ring(mask)]
    if not around.size:
        return 1.0
    paper = np.median(around)
    depth = abs(ink.seen[mask].mean() - paper)
    return float((np.abs(around - paper) < depth / 4).mean())


def _ring(mask: Pixels) -> Pixels:
    edge = grown(mask, RING // 2)
    return grown(edge, RING - RING // 2) & ~edge


def grown(mask: Pixels, pixels: int) -> Pixels:
    """Return the pixels that are at most so many steps away from one of `mask`."""
    for _ in range(pixels):
        around = np.pad(mask, 1)
        mask = mask | around[:-2, 1:-1] | around[2:, 1:-1] | around[1:-1, :-2] | around[1:-1, 2:]
    return mask


def _within_frame(pieces: Pieces, main: int) -> int:
    """Return the best piece of those inside `main`, if there are any: it is a frame, or a net."""
    found = pieces.found
    inside = (
        (found.top > found.top[main])
        & (found.left > found.left[main])
        & (found.bottom < found.bottom[main])
        & (found.right < found.right[main])
        & (found.size > 0.15 * found.size[main])
    )
    return int(np.where(inside, pieces.score, 0).argmax()) if inside.any() else main


def _frames(pieces: Pieces, main: int) -> Pixels:
    """Tell which pieces are frames that are drawn around `main`: bool, one a piece."""
    found = pieces.found
    return (
        (found.top < found.top[main])
        & (found.left < found.left[main])
        & (found.bottom > found.bottom[main])
        & (found.right > found.right[main])
        & (found.size < found.size[main] / FILLED)
        & (pieces.strength * ALIKE < pieces.strength[main])
    )


def _with_loose_pieces(pieces: Pieces, main: int) -> Pixels:
    """Return `main` and what belongs to it, such as the upper stroke of a 5: bool, one a piece."""
    found = pieces.found
    alike = (
        ~pieces.at_edge
        & ~_frames(pieces, main)
        & ((pieces.meant >= MEANT) | (found.size < UNMEANT * found.size[main]))
        & (found.area > PIECE * found.area[main])
        & (found.size > SPECK * found.size[main])
        & (pieces.strength > ALIKE * pieces.strength[main])
        & (pieces.sharpness > ALIKE * pieces.sharpness[main])
    )
    chosen = np.arange(len(found.area)) == main
    while True:
        left, right = found.left[chosen].min(), found.right[chosen].max()
        top, bottom = found.top[chosen].min(), found.bottom[chosen].max()
        across = np.maximum(np.maximum(found.left - right, left - found.right), 0)
        down = np.maximum(np.maximum(found.top - bottom, top - found.bottom), 0)
        near = np.hypot(across, down) < NEAR * np.maximum(
            found.size, max(right - left, bottom - top)
        )
        more = chosen | (alike & near)
        if (more == chosen).all():
            return chosen
        chosen = more
