"""The first look at a picture: where in it the digit is, and whether its ink is dark or light."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from nncore.arrays import Pixels
from service.finding import Digit, find_digit, grown, lies_on_one_paper
from service.ink import Ink, find_ink, lightness, plain_paper
from service.lines import Line, without_lines
from service.problems import Problem

COARSE = 160  # pixels of the longer side
SMALL = 32  # of what tells whether ink or paper is lighter
FINE_STROKE, BROAD_STROKE = 1 / 10, 1 / 3  # of the longer side: strokes are narrower
LIKE = 0.7  # as wide and as strong as a stroke is a line that may be one
LONG, GOOD = 2.0, 0.3  # times a digit's size and score: a printed line has more, and has less
WHOLE = 0.7  # of a stroke's score: what has so much and contains the stroke is the digit it is of
AROUND = 2.0  # times as good a digit is what runs around the free paper between its strokes
CLEAR = 0.7  # of lightness: more leaves no doubt which is ink and which paper
FAIR = 0.25  # of the paper's own score as a digit: ink upon it has so much
SURELY = 0.4  # and so much, whatever light tells, where there is no doubt
UNDER_INK, FINE = 0.3, 0.4  # of its own pixels and stroke: ink upon it has less
LEAST_SCORE = 0.15  # of blank sheets, plain ones have less; of 400 faint, small digits one had 0.18


class Sight(NamedTuple):
    """A digit that was seen in a picture; whether its ink is lighter than the paper.

    `lined` tells whether printed lines may be in it; `paper` is the colour that it is drawn on,
    uint8 (3,), None in a photograph.
    """

    score: float
    digit: Digit
    light: bool
    lined: bool
    paper: Pixels | None = None

    def contains(self, other: "Sight") -> bool:
        """Tell whether `other` is a stroke, or less, of this digit."""
        own, others = self.digit, other.digit
        return (
            self.light == other.light
            and not self.lined
            and (others.at_edge or not own.at_edge or self.paper is not None)
            and own.worth > WHOLE * others.worth
            and own.strength > LIKE * others.strength
            and bool(own.mask[others.mask].mean() > 0.9)
        )

    def surrounds(self, other: "Sight") -> bool:
        """Tell whether `other` is what this digit, cut close to its ink, leaves free of ink."""
        own, others = self.digit, other.digit
        return (
            self.light != other.light
            and own.at_edge
            and own.worth > AROUND * others.worth
            and own.left <= others.left
            and own.top <= others.top
            and own.right >= others.right
            and own.bottom >= others.bottom
        )

    def lies_under(self, other: "Sight", *, clear: bool) -> bool:
        """Tell whether this is the paper that `other` is written on."""
        own, others = self.digit.mask, other.digit.mask
        around = grown(others, 2) & ~others
        return (
            self.light != other.light
            and other.score > FAIR * self.score
            and (not clear or other.digit.score > SURELY * self.digit.score)
            and other.digit.stroke < FINE * self.digit.stroke
            and bool(others.sum() < UNDER_INK * own.sum())
            and bool(own[around].mean() > 0.5)
        )


def look(image: Image.Image) -> Sight:
    """Return the best of what may be a digit in the whole picture."""
    picture = np.asarray(resized(image, COARSE))
    small = resized(image, SMALL)
    light = lightness(np.asarray(small, np.float32))
    # Single pixels: means would have no noise, which tells photographs from drawings.
    paper = plain_paper(np.asarray(image.resize(small.size, Image.Resampling.NEAREST), np.float32))
    sights = [sight for sight in _sights(picture, light, paper) if sight.score >= LEAST_SCORE]
    return _best(sights, light)


def _sights(picture: Pixels, light: float, paper: Pixels | None) -> Iterator[Sight]:
    """Yield what may be a digit in the whole picture, with fine and with broad strokes."""
    # Broad strokes are believed less, unless ink is as light or dark as the whole picture says; and
    # what shadows and the edges of a sheet cut out is as broad, but has other paper on each side.
    for window, plain, stoutest, weight, trust, evenness in (
        (round(FINE_STROKE * COARSE), None, 2.0, 1.0, 0.4, 0),
        (round(BROAD_STROKE * COARSE), paper, 3.0 if paper is None else 2.0, 0.33, 0.9, 4),
    ):
        for is_light in (False, True):
            ink = find_ink(picture, window, light=is_light, paper=plain)
            for digit, lined in _digits(ink, stoutest):
                believed = weight * (1 + trust * (light if is_light else -light))
                believed *= lies_on_one_paper(ink, digit.mask) ** evenness
                yield Sight(digit.score * believed, digit, is_light, lined, plain)


def _best(sights: list[Sight], light: float) -> Sight:
    """Return the sight that is the digit. Raises Problem 422 where there is none."""
    clear = abs(light) > CLEAR
    sights = [s for s in sights if not any(s.lies_under(ink, clear=clear) for ink in sights)]
    if not sights:
        raise blank()
    best = max(sights, key=lambda sight: sight.score)
    best = next((sight for sight in sights if sight.surrounds(best)), best)
    # Where strokes are broad, the look for fine ones sees the narrowest parts of them.
    wholes = [sight for sight in sights if sight.contains(best)]
    return max(wholes, key=lambda sight: sight.digit.worth * sight.digit.mask.sum(), default=best)


def _digits(ink: Ink, stoutest: float) -> Iterator[tuple[Digit, bool]]:
    """Yield what may be the digit in the ink of a whole picture: without its lines, and with."""
    cleaned = without_lines(ink)
    digit = find_digit(cleaned.ink, stoutest=stoutest)
    lined = find_digit(ink, stoutest=stoutest) if cleaned.doubtful else None
    if digit and lined and digit.score > GOOD * lined.score and _goes_past(lined, digit):
        lined = None  # a line that is so much longer is no stroke of it
    elif digit and any(_is_stroke(line, digit) for line in cleaned.doubtful):
        digit = None
    if digit:
        yield digit, False
    if lined:
        yield lined, True


def _goes_past(lined: Digit, digit: Digit) -> bool:
    """Tell whether a digit is much longer with lines than without, and at both ends."""
    beyond = digit.size / 4
    upright = lined.top < digit.top - beyond and lined.bottom > digit.bottom + beyond
    level = lined.left < digit.left - beyond and lined.right > digit.right + beyond
    return lined.size > LONG * digit.size and (upright or level)


def _is_stroke(line: Line, digit: Digit) -> bool:
    """Tell whether a line looks like the strokes of a digit: those are as wide and as strong."""
    return line.width > LIKE * digit.stroke and line.strength > LIKE * digit.strength


def blank() -> Problem:
    """Return what is told where no digit is to be seen."""
    return Problem(422, "blank-picture", "Expected a picture of a digit; there is none to be seen.")


def resized(image: Image.Image, side: int) -> Image.Image:
    """Return `image` with `side` pixels along its longer side."""
    scale = side / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    resampling = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    return image.resize(size, resampling, reducing_gap=3 if scale < 1 else None)
