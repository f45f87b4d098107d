"""Printed lines: taken out of the ink of ruled and squared paper; what crosses them stays.

A printed line is thin, straight, and goes on where the digit has ended. Of each nearly level line
through a picture it is asked how strong at least most of it is; the same for upright ones.
"""

from typing import Any, NamedTuple

import numpy as np

from nncore.arrays import Floats, Ints, Pixels
from service.ink import Ink

STEEPEST = 0.2  # pixels up or down for each pixel along
BLOCK = 8  # pixels along a line that are looked at as one
COVERED = 0.65  # of its way a line is seen at least
STRONGEST = 99.7  # percentile of the strength that counts as the strongest
WEAKEST = 0.1  # as a share of that; weaker lines do no harm
STANDS_OUT = 1.7  # times as strong as what a line through nothing in particular is
WIDEST = 0.045  # of the picture's longer side
NEARLY = 0.9  # as good as a row itself is the next one
SURE = 3  # lines side by side are no strokes
UNLIKE = 1.6  # times as much ink as the others is no line of theirs
LEANING = 0.08  # further up or down for each pixel along than they, it is none either
SHORT = 0.85  # of their length: is shorter than they are
LEAST_BLOCKS = 4  # that must be seen of a line
APART = 3  # pixels from one line to the next, at least
DARKER = 1.5  # times as strong as the line: is ink, even along it


class Line(NamedTuple):
    """A nearly level line: its row in the middle, its slope, its strength and its width."""

    row: int
    slope: float
    strength: float
    width: int


class Cleaned(NamedTuple):
    """Ink without the printed lines that were in it, and those of them that may be strokes."""

    ink: Ink
    doubtful: list[Line]


def without_lines(ink: Ink, *, beside: Floats | None = None) -> Cleaned:
    """Return `ink` without printed lines.

    Parameters
    ----------
    ink : Ink
    beside : float array (h, w), optional
        Where the digit is: lines are looked for beside that. Where it is not known, lines that
        are fewer than three side by side are doubtful.
    """
    strength, doubtful = ink.strength, []
    for turn in (np.asarray, np.transpose):
        turned = turn(strength)
        free = np.full(turned.shape, True)
        if beside is not None:
            free = _free(turn(beside) >= 0.5)
        lines = _lines(turned, free)
        if beside is None:
            lines = [line for line in lines if not _is_stroke(line, lines, turned)]
            doubtful += lines if len(lines) < SURE else []
        for line in lines:
            turned = _without(turned, line)
        strength = turn(turned)
    return Cleaned(ink._replace(strength=strength), doubtful)


def _free(digit: Pixels) -> Pixels:
    """Return where lines are looked for: beside the digit, or, if it fills the picture, all around.

    A line goes on above and below a digit, too; but so does many a stroke of its own.
    """
    beside = ~digit.any(axis=0)
    if _blocks(beside).all(axis=-1).sum() >= LEAST_BLOCKS:
        return np.broadcast_to(beside, digit.shape)
    return ~digit


def _blocks(values: Any) -> Any:
    """Return an array (..., w) with the pixels of each block on an axis of their own."""
    count = values.shape[-1] // BLOCK
    return values[..., : count * BLOCK].reshape(*values.shape[:-1], count, BLOCK)


def _is_stroke(line: Line, lines: list[Line], strength: Floats) -> bool:
    """Tell whether a line has more ink than those beside it, and leans or ends otherwise."""
    if len(lines) < SURE:
        return False
    ink = np.median([other.strength * other.width for other in lines])
    if line.strength * line.width < UNLIKE * ink:
        return False
    if abs(line.slope - np.median([other.slope for other in lines])) > LEANING:
        return True
    usual = np.median([_length(other, strength) for other in lines])
    return bool(_length(line, strength) < SHORT * usual)


def _length(line: Line, strength: Floats) -> int:
    """Return how many blocks there are from where a line is first seen to where it is last."""
    band = _band(strength.shape, line.row, line.slope, line.width // 2 + 2)
    along = _blocks(strength[band, np.arange(strength.shape[1])].max(axis=0)).mean(axis=-1)
    return int(np.ptp(np.flatnonzero(along > line.strength / 2)))


def _lines(strength: Floats, free: Pixels) -> list[Line]:
    """Return the nearly level lines through the pixels that are `free`."""
    height, width = strength.shape
    reach = int(STEEPEST * width / 2) + 1
    open_blocks = _blocks(free).all(axis=2)
    chosen = open_blocks.any(axis=0)
    if chosen.sum() < LEAST_BLOCKS:
        return []
    blocks = np.where(open_blocks, _blocks(strength).mean(axis=2), np.nan)[:, chosen]
    blocks = np.pad(blocks, ((reach + 1, reach + 1), (0, 0)))
    # A line may lie across two rows, and bend a little; yet the straight one fits best.
    blocks = np.maximum(np.fmax(blocks[:-2], blocks[2:]) * NEARLY, blocks[1:-1])
    along = (np.flatnonzero(chosen) + 0.5) * BLOCK - width / 2
    slopes = np.arange(-STEEPEST, STEEPEST, 2 / width)
    rows = reach + np.arange(height)[:, None] + np.rint(slopes[:, None, None] * along).astype(int)
    covered = _covered(blocks[rows, np.arange(len(along))])
    slope, profile = slopes[covered.argmax(axis=0)], covered.max(axis=0)
    strongest = float(np.percentile(strength, STRONGEST))
    paper = float(np.percentile(profile, 25))
    found = []
    for row in _peaks(profile, max(WEAKEST * strongest, STANDS_OUT * paper)):
        half = (profile[row] + paper) / 2
        width = _width(strength, row, slope[row], free, half)
        found.append(Line(row, slope[row], profile[row], width))
    return [line for line in found if line.width <= WIDEST * max(strength.shape)]


def _covered(seen: Floats) -> Floats:
    """Return how strong at least each line (slopes, rows, blocks) is where it is seen, mostly."""
    unknown = np.isnan(seen).sum(axis=2)
    if not unknown.any():
        weak = int((1 - COVERED) * seen.shape[2])  # blocks that may be weaker
        strongest: Floats = np.partition(seen, weak, axis=2)[..., weak]
        return strongest
    known = seen.shape[2] - unknown
    weak = ((1 - COVERED) * known).astype(int)  # NaN are sorted behind all numbers
    covered = np.take_along_axis(np.sort(seen, axis=2), weak[..., None], axis=2)[..., 0]
    return np.where(known >= max(LEAST_BLOCKS, seen.shape[2] / 3), covered, 0)


def _peaks(profile: Floats, limit: float) -> Ints:
    """Return where `profile` is above `limit` and highest of its neighbours."""
    around = np.pad(profile, APART, constant_values=0)
    highest = np.max([around[i : i + len(profile)] for i in range(2 * APART + 1)], axis=0)
    peaks = np.flatnonzero((profile > limit) & (profile == highest))
    return peaks[np.diff(peaks, prepend=-APART - 1) > APART]


def _band(shape: tuple[int, ...], row: int, slope: float, reach: int) -> Ints:
    """Return the rows up to `reach` above and below a line, for each column: (2 reach + 1, w)."""
    height, width = shape
    line = np.rint(row + slope * (np.arange(width) + 0.5 - width / 2)).astype(int)
    return np.clip(line + np.arange(-reach, reach + 1)[:, None], 0, height - 1)


def _width(strength: Floats, row: int, slope: float, free: Pixels, level: float) -> int:
    """Return how many rows side by side are stronger than `level` along the line."""
    reach = int(WIDEST * max(strength.shape)) + 2
    rows, columns = _band(strength.shape, row, slope, reach), np.arange(strength.shape[1])
    seen = free[rows[reach], columns]
    return int((np.median(strength[rows, columns][:, seen], axis=1) > level).sum())


def _without(strength: Floats, line: Line) -> Floats:
    """Return `strength` with what crosses the line, or is stronger, and nothing else on it."""
    half = line.width // 2 + 2
    rows, columns = (
        _band(strength.shape, line.row, line.slope, half + 1),
        np.arange(strength.shape[1]),
    )
    band = strength[rows, columns]
    # Strokes cross a line aslant too.
    crossing = np.minimum(_widened(band[0], half), _widened(band[-1], half))
    kept = np.where(band > DARKER * line.strength, band, np.minimum(band, crossing))
    cleaned = strength.copy()
    cleaned[rows[1:-1], columns] = kept[1:-1]
    return cleaned


def _widened(values: Floats, by: int) -> Floats:
    """Return the most of each value and of those up to `by` away."""
    around = np.pad(values, by)
    return np.max([around[i : i + len(values)] for i in range(2 * by + 1)], axis=0)
