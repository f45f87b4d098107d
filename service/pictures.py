"""A picture of a digit, read: any ink on any paper, to 28 x 28 pixels as MNIST's were made.

First the whole picture is looked at coarsely, with fine and with broad strokes in mind and for ink
darker and lighter than its paper, to see where the digit is. Then it is looked at closely there;
the digit's ink is taken from its paper, brought to MNIST's thickness of strokes, and framed.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from nncore.arrays import Floats, Pixels
from nncore.framing import BOX, SIDE, frame
from service.finding import Digit, find_digit, grown
from service.ink import Ink, find_ink, lightness
from service.lines import Line, without_lines
from service.picture_files import Picture
from service.problems import Problem
from service.strokes import digit_alone

COARSE, CLOSE = 160, 256  # pixels of the longer side at the first and at the second look
SMALL = 32  # of what tells whether ink or paper is lighter
ROOM = 0.85  # of the digit's size: from its middle to the edge of the second look
FINE_STROKE, BROAD_STROKE = 1 / 10, 1 / 3  # of the longer side: strokes are narrower
LIKE = 0.7  # as wide and as strong as a stroke is a line that may be one
LONG, GOOD = 2.0, 0.3  # times a digit's size and score: a printed line has more, and has less
STROKES = 4  # how many of the digit's strokes side by side are taken for paper
WHOLE = 0.5  # of a stroke's score: what has so much and contains the stroke is the digit it is of
AROUND = 2.0  # times as good a digit is what runs around the free paper between its strokes
CLEAR = 0.7  # of lightness: more leaves no doubt which is ink and which paper
FAIR = 0.25  # of the paper's own score as a digit: ink upon it has so much
UNDER_INK = 0.1  # of its own pixels: what has so little ink of the other kind on it is paper
LEAST_SCORE = 0.15  # of blank sheets, plain ones have less; of 400 faint, small digits one had 0.18

MNIST_INK = 40  # grey levels; below is what a lossy format leaves around the digit
MNIST_SIZES = range(17, BOX + 1)  # of the longer side: all of MNIST's have 18 to 20
MNIST_CENTRE = 13.5, 15.5


class Reading(NamedTuple):
    """What a network is to see, uint8 (28, 28), and what was done to the picture for it.

    `picture` has: inverted, whether the ink was darker than its paper; box, where the digit was:
    left, top, width and height in pixels of the upright picture; scale and shift: what was at
    (x, y) there is now at (x * scale + shift[0], y * scale + shift[1]).
    """

    pixels: Pixels
    picture: dict[str, Any]


class Sight(NamedTuple):
    """A digit that was seen in a picture; whether its ink is lighter than the paper.

    `lined` tells whether printed lines may be in it.
    """

    score: float
    digit: Digit
    light: bool
    lined: bool

    def contains(self, other: "Sight") -> bool:
        """Tell whether `other` is a stroke, or less, of this digit."""
        own, others = self.digit, other.digit
        return (
            self.light == other.light
            and not self.lined
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

    def lies_under(self, other: "Sight") -> bool:
        """Tell whether this is the paper that `other` is written on."""
        own, others = self.digit.mask, other.digit.mask
        around = grown(others, 2) & ~others
        return (
            self.light != other.light
            and other.score > FAIR * self.score
            and bool(others.sum() < UNDER_INK * own.sum())
            and bool(own[around].mean() > 0.5)
        )


def read_picture(picture: Picture) -> Reading:
    """Return the digit in a picture. Raises Problem 422 where none is to be seen."""
    return _in_mnist_form(picture) or _read(picture)


def _in_mnist_form(picture: Picture) -> Reading | None:
    """Return a picture as it is that has been framed already; light on dark or dark on light."""
    if (picture.width, picture.height) != (SIDE, SIDE):
        return None
    grey = np.asarray(picture.image.convert("L"))
    for inverted, pixels in ((False, grey), (True, 255 - grey)):
        ink = np.where(pixels > MNIST_INK, pixels, 0)
        if not ink.any() or pixels.max() < 128:
            continue
        _, box, _, _ = framed = frame(ink)
        rows, columns = ink.sum(axis=1), ink.sum(axis=0)
        middles = np.arange(SIDE) + 0.5
        centres = rows @ middles / rows.sum(), columns @ middles / columns.sum()
        centred = all(MNIST_CENTRE[0] <= centre <= MNIST_CENTRE[1] for centre in centres)
        if max(box[2:]) in MNIST_SIZES and centred:
            return _reading(pixels, inverted, framed.box, 1.0, (0.0, 0.0))
    return None


def _read(picture: Picture) -> Reading:
    image = picture.image
    sight = _look(image)
    scale = max(image.size) / COARSE
    area = _area(sight.digit, scale, image.size)
    closer = CLOSE / max(area[2] - area[0], area[3] - area[1])
    close_up = np.asarray(_resized(image.crop(area), CLOSE))
    window = np.clip(
        STROKES * sight.digit.stroke * scale * closer, FINE_STROKE * CLOSE, BROAD_STROKE * CLOSE
    )
    expected = _expected(sight.digit, area, scale, close_up.shape)
    ink = find_ink(close_up, int(window), light=sight.light)
    ink = without_lines(ink, beside=expected).ink
    digit = find_digit(ink, expected=expected)
    if digit is None:
        raise _blank()
    alone, left, top = digit_alone(ink, digit)
    framed = frame(alone)
    # From pixels of the close-up to those of the file.
    larger = max(picture.width, picture.height) / max(image.size)
    full = larger / closer
    x, y = area[0] * larger + left * full, area[1] * larger + top * full
    box = (
        round(area[0] * larger + digit.left * full),
        round(area[1] * larger + digit.top * full),
        round((digit.right - digit.left) * full),
        round((digit.bottom - digit.top) * full),
    )
    shift = framed.shift[0] - x * framed.scale / full, framed.shift[1] - y * framed.scale / full
    return _reading(framed.pixels, not sight.light, box, framed.scale / full, shift)


def _look(image: Image.Image) -> Sight:
    """Return the best of what may be a digit in the whole picture."""
    picture = np.asarray(_resized(image, COARSE))
    light = lightness(np.asarray(_resized(image, SMALL), np.float32))
    sights = []
    # Broad strokes are believed less, unless ink is as light or dark as the whole picture says.
    for window, stoutest, weight, trust in (
        (round(FINE_STROKE * COARSE), 2.0, 1.0, 0.4),
        (round(BROAD_STROKE * COARSE), 3.0, 0.33, 0.9),
    ):
        for is_light in (False, True):
            for digit, lined in _digits(find_ink(picture, window, light=is_light), stoutest):
                believed = weight * (1 + trust * (light if is_light else -light))
                sights.append(Sight(digit.score * believed, digit, is_light, lined))
    sights = [sight for sight in sights if sight.score >= LEAST_SCORE]
    if abs(light) < CLEAR:
        sights = [sight for sight in sights if not any(sight.lies_under(ink) for ink in sights)]
    if not sights:
        raise _blank()
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
    if digit and lined and lined.size > LONG * digit.size and digit.score > GOOD * lined.score:
        lined = None  # a line that is so much longer is no stroke of it
    elif digit and any(_is_stroke(line, digit) for line in cleaned.doubtful):
        digit = None
    if digit:
        yield digit, False
    if lined:
        yield lined, True


def _is_stroke(line: Line, digit: Digit) -> bool:
    """Tell whether a line looks like the strokes of a digit: those are as wide and as strong."""
    return line.width > LIKE * digit.stroke and line.strength > LIKE * digit.strength


def _area(digit: Digit, scale: float, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return what to look at closely, in pixels of the picture: left, top, right, bottom."""
    half = (ROOM * digit.size + 2) * scale
    x, y = (digit.left + digit.right) / 2 * scale, (digit.top + digit.bottom) / 2 * scale
    return (
        max(0, int(x - half)),
        max(0, int(y - half)),
        min(size[0], int(x + half) + 1),
        min(size[1], int(y + half) + 1),
    )


def _expected(
    digit: Digit, area: tuple[int, int, int, int], scale: float, shape: tuple[int, ...]
) -> Floats:
    """Return where in the close-up of `area` the digit of the first look is: float32, 0 to 1."""
    mask = Image.fromarray(digit.mask.astype(np.float32))
    left, top, right, bottom = (edge / scale for edge in area)
    place = left, top, min(right, mask.width), min(bottom, mask.height)
    return np.asarray(mask.resize((shape[1], shape[0]), Image.Resampling.BILINEAR, box=place))


def _blank() -> Problem:
    return Problem(422, "blank-picture", "Expected a picture of a digit; there is none to be seen.")


def _resized(image: Image.Image, side: int) -> Image.Image:
    """Return `image` with `side` pixels along its longer side."""
    scale = side / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    resampling = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    return image.resize(size, resampling, reducing_gap=3 if scale < 1 else None)


def _reading(
    pixels: Pixels,
    inverted: bool,
    box: tuple[int, ...],
    scale: float,
    shift: tuple[float, float],
) -> Reading:
    return Reading(
        pixels,
        {
            "inverted": inverted,
            "box": list(box),
            "scale": round(scale, 4),
            "shift": [round(along, 2) for along in shift],
        },
    )
