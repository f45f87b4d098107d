"""A picture of a digit, read: any ink on any paper, to 28 x 28 pixels as MNIST's were made.

First the whole picture is looked at coarsely, with fine and with broad strokes in mind and for ink
darker and lighter than its paper, to see where the digit is. Then it is looked at closely there;
the digit's ink is taken from its paper, brought to MNIST's thickness of strokes, and framed.
"""

from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from nncore.arrays import Floats, Pixels
from nncore.framing import BOX, SIDE, frame
from service.finding import Digit, find_digit
from service.ink import Ink, find_ink
from service.lines import without_lines
from service.picture_files import Picture
from service.sights import BROAD_STROKE, COARSE, FINE_STROKE, Sight, blank, look, resized
from service.strokes import digit_alone

CLOSE = 256  # pixels of the longer side at the second look
ROOM = 0.85  # of the digit's size: from its middle to the edge of the second look
ALIKE = 0.4  # of the digits of both looks: those with less in common are not the same
STROKES = 4  # how many of the digit's strokes side by side are taken for paper

MNIST_INK = 40  # grey levels; below is what a lossy format leaves around the digit
MNIST_SIZES = range(17, BOX + 1)  # of the longer side: all of MNIST's have 18 to 20
MNIST_CENTRE = 13.5, 15.5

Area = tuple[int, int, int, int]  # left, top, right, bottom


class Reading(NamedTuple):
    """What a network is to see, uint8 (28, 28), and what was done to the picture for it.

    `picture` has: inverted, whether the ink was darker than its paper; box, where the digit was:
    left, top, width and height in pixels of the upright picture; scale and shift: what was at
    (x, y) there is now at (x * scale + shift[0], y * scale + shift[1]).
    """

    pixels: Pixels
    picture: dict[str, Any]


class CloseUp(NamedTuple):
    """The digit as it is looked at closely; how many of these pixels there are to the picture's.

    `alike` tells how much it is the digit of the first look, 0 to 1.
    """

    ink: Ink
    digit: Digit | None
    closer: float
    alike: float


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
    sight = look(image)
    area = _area(sight.digit, max(image.size) / COARSE, image.size)
    close_up = _close_up(image, sight, area, CLOSE)
    if close_up.alike < ALIKE:  # in noise, a faint digit is seen from farther away only
        close_up = _close_up(image, sight, area, COARSE)
    ink, digit, closer, _ = close_up
    if digit is None:
        raise blank()
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


def _close_up(image: Image.Image, sight: Sight, area: Area, side: int) -> CloseUp:
    """Look at `area` of a picture with `side` pixels along its longer side."""
    scale = max(image.size) / COARSE
    closer = side / max(area[2] - area[0], area[3] - area[1])
    pixels = np.asarray(resized(image.crop(area), side))
    window = np.clip(
        STROKES * sight.digit.stroke * scale * closer, FINE_STROKE * side, BROAD_STROKE * side
    )
    expected = _expected(sight.digit, area, scale, pixels.shape)
    ink = find_ink(pixels, int(window), light=sight.light, paper=sight.paper)
    ink = without_lines(ink, beside=expected).ink
    digit = find_digit(ink, expected=expected)
    return CloseUp(ink, digit, closer, _alike(digit, expected) if digit else 0.0)


def _alike(digit: Digit, expected: Floats) -> float:
    """Return how much of either is in both, whichever has less of itself there: 0 to 1."""
    both = float(expected[digit.mask].sum())
    return min(both / float(digit.mask.sum()), both / float(expected.sum()))


def _area(digit: Digit, scale: float, size: tuple[int, int]) -> Area:
    """Return what to look at closely, in pixels of the picture: left, top, right, bottom."""
    half = (ROOM * digit.size + 2) * scale
    x, y = (digit.left + digit.right) / 2 * scale, (digit.top + digit.bottom) / 2 * scale
    return (
        max(0, int(x - half)),
        max(0, int(y - half)),
        min(size[0], int(x + half) + 1),
        min(size[1], int(y + half) + 1),
    )


def _expected(digit: Digit, area: Area, scale: float, shape: tuple[int, ...]) -> Floats:
    """Return where in the close-up of `area` the digit of the first look is: float32, 0 to 1."""
    mask = Image.fromarray(digit.mask.astype(np.float32))
    left, top, right, bottom = (edge / scale for edge in area)
    place = left, top, min(right, mask.width), min(bottom, mask.height)
    return np.asarray(mask.resize((shape[1], shape[0]), Image.Resampling.BILINEAR, box=place))


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
