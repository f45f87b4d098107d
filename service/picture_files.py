"""Picture files: from bytes to an upright picture in colours, no larger than is needed."""

import contextlib
import threading
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from nncore.arrays import Floats, Pixels
from service import libtiff
from service.picture_parts import PictureFile, check_parts
from service.problems import Problem

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
KNOWN = ", ".join(FORMATS)
MEDIA_TYPES = tuple(f"image/{kind}" for kind in ("png", "jpeg", "webp", "bmp", "gif", "tiff"))
LEAST_SIDE = 8
MOST_PIXELS = 40_000_000
LONGEST_SIDE = 16_384
SIDE = 1024  # pixels that a picture's longer side has at least, where it had as many
TURNS = {  # by Exif's orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
RUN_LENGTHS = (1, 2)  # of a BMP's compressions
DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")

# Of more pixels than LARGE two at once are unpacked in a process, and as many wait.
LARGE = 4_000_000
_large_unpack, _large_wait = threading.BoundedSemaphore(2), threading.BoundedSemaphore(4)

# What is odd in a file is its sender's business; Python would keep each warning for ever.
warnings.filterwarnings("ignore", module=r"PIL\.")
libtiff.silence()

# Our own, smaller limit is checked before anything is decoded.
Image.MAX_IMAGE_PIXELS = None


class TooManyLargePictures(Problem):
    """More large pictures at once than are unpacked: a matter of the moment, not of the file."""

    def __init__(self) -> None:
        detail = "More large pictures at once than are unpacked; smaller ones are taken."
        super().__init__(429, "too-many-large-pictures", detail, headers={"Retry-After": "1"})


class Picture(NamedTuple):
    """A picture as it is to be seen: RGB, upright; and its size before it was made smaller."""

    image: Image.Image
    width: int
    height: int


def open_picture(content: bytes) -> Picture:
    """Return the picture in a file; of several frames or pages, the first.

    Raises
    ------
    Problem
        400 where it is no whole picture of a known format; 413 where it has too many pixels; 422
        where it has too few.
    TooManyLargePictures
        where it is one of them.
    """
    try:
        check_parts(content)
        with Image.open(PictureFile(content), formats=FORMATS) as image:
            check_size(*image.size)
            _check_runs(image)
            return _upright(image)
    except Problem:
        raise
    except UnidentifiedImageError:
        raise Problem(400, "not-a-picture", f"Expected a whole picture ({KNOWN}).") from None
    except Exception as error:  # Pillow hands on whatever its decoders meet
        detail = f"Expected a whole picture ({KNOWN}): {error}."
        raise Problem(400, "not-a-picture", detail) from None


def check_size(width: int, height: int) -> None:
    """Raise Problem where a picture is too large or too small."""
    if width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE:
        expected = f"at most {MOST_PIXELS:,} pixels, {LONGEST_SIDE:,} along a side"
        detail = f"Expected {expected}; got {width} x {height}."
        raise Problem(413, "picture-too-large", detail)
    if min(width, height) < LEAST_SIDE:
        detail = f"Expected at least {LEAST_SIDE} x {LEAST_SIDE} pixels; got {width} x {height}."
        raise Problem(422, "picture-too-small", detail)


def _check_runs(image: Image.Image) -> None:
    """Raise Problem where a picture is large and unpacked pixel by pixel: BMP in runs of pixels."""
    if image.width * image.height > LARGE and image.info.get("compression") in RUN_LENGTHS:
        detail = f"Expected at most {LARGE:,} pixels of a run-length encoded BMP."
        raise Problem(413, "picture-too-large", detail)


def _upright(image: Image.Image) -> Picture:
    size = image.size
    image.draft(None, (SIDE, SIDE))  # JPEG decodes at half, a quarter, an eighth of the size
    orientation = image.getexif().get(0x0112, 1)
    with _unpacking(image.width * image.height):
        small = _small(image)
    width, height = size[::-1] if orientation in (5, 6, 7, 8) else size
    # Pillow's own function for this writes all that the file's Exif holds anew, number by number.
    if orientation in TURNS:
        small = small.transpose(TURNS[orientation])
    return Picture(_in_colours(small), width, height)


@contextlib.contextmanager
def _unpacking(pixels: int) -> Iterator[None]:
    """Let no more than a few unpack large pictures at once. Raises TooManyLargePictures.

    A file of 80 KB may become some 300 MB here.
    """
    if pixels <= LARGE:
        yield
        return
    if not _large_wait.acquire(blocking=False):
        raise TooManyLargePictures
    try:
        with _large_unpack:
            yield
    finally:
        _large_wait.release()


def _small(image: Image.Image) -> Image.Image:
    """Return `image` at about SIDE pixels, in a mode that has grey or colours of 8 bits."""
    image.load()
    if image.mode in DEEP_MODES:
        return Image.fromarray(_stretched(np.asarray(_reduced(image.convert("F")))))
    mode = "RGBA" if image.has_transparency_data else "L" if image.mode in ("1", "L") else "RGB"
    return _reduced(image if image.mode in (mode, "LA") else image.convert(mode)).convert(mode)


def _reduced(image: Image.Image) -> Image.Image:
    factor = max(image.size) // SIDE
    return image.reduce(factor) if factor > 1 and min(image.size) >= 2 * factor else image


def _stretched(values: Floats) -> Pixels:
    """Return grey of 16 or more bits, or of floats, as 0-255 from its darkest to its lightest."""
    values = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    darkest, lightest = values.min(), values.max()
    stretched = (values - darkest) * (255 / max(lightest - darkest, 1e-300))
    return np.rint(stretched).astype(np.uint8)


def _in_colours(image: Image.Image) -> Image.Image:
    """Return RGB; what is transparent lies on white, or on black where white shows nothing."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    on_white = _on("white", image)
    one_colour = not np.ptp(np.asarray(on_white), axis=(0, 1)).any()
    return _on("black", image) if one_colour else on_white


def _on(paper: str, image: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", image.size, paper), image).convert("RGB")
