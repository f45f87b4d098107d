"""Augmentation: random changes of pictures that leave their labels true.

Where a pixel of the new picture comes from is linear in everything that is drawn: the affine map
weighs row, column and 1; the elastic field is a weighted sum of smooth modes. So one matrix
product gives all source positions of a batch, and one bilinear resampling the pictures.
"""

import math
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np

from nncore.arrays import Floats, Ints, Pixels, Shape
from nncore.errors import ShapeError
from nncore.specs import require_number

CHUNK = 1 << 16  # pixels resampled at once: they stay in the cache, and float32 counts them exactly
KEPT_VARIANCE = 0.99  # share of the elastic field that its modes carry


@dataclass(frozen=True)
class Augmentation:
    """Random changes of pictures: each is turned, sheared, scaled, bent and moved anew.

    All is drawn for each picture and uniformly between minus and plus what the field says, unless
    said otherwise. What stands outside a picture is paper, 0.

    Parameters
    ----------
    shift : float
        Pixels, along each axis.
    rotate : float
        Degrees, about the middle.
    scale : float
        Largest relative change: each axis has its factor between 1 / (1 + scale) and 1 + scale,
        and the factors' logarithms are uniform.
    shear : float
        Degrees by which upright strokes come to slant.
    elastic : float
        Root mean square displacement, in pixels along each axis, of a smooth random field.
        Source: Simard, Steinkraus & Platt 2003, section 2: white noise smoothed by a Gaussian.
        Their best strength for MNIST, 34 times noise between -1 and 1, is 1.4 in this measure.
    smoothing : float
        Standard deviation of that Gaussian in pixels; theirs is 4.
    thickness : float
        Pixels, at most 1, by which strokes become thinner or thicker at each side.
    """

    shift: float = 0.0
    rotate: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    elastic: float = 0.0
    smoothing: float = 4.0
    thickness: float = 0.0

    def __post_init__(self) -> None:
        require_number("shift", self.shift, at_least=0, at_most=1000)
        require_number("rotate", self.rotate, at_least=0, at_most=180)
        require_number("scale", self.scale, at_least=0, at_most=10)
        require_number("shear", self.shear, at_least=0, at_most=80)
        require_number("elastic", self.elastic, at_least=0, at_most=1000)
        require_number("smoothing", self.smoothing, at_least=1, at_most=1000)
        require_number("thickness", self.thickness, at_least=0, at_most=1)

    @property
    def changes_nothing(self) -> bool:
        """Whether all strengths are 0."""
        return not any(getattr(self, f.name) for f in fields(self) if f.name != "smoothing")

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Pixels:
        """Return changed pictures.

        Parameters
        ----------
        pixels : uint8 array (n, side * side) or (n, side, side)
            It is not modified.
        rng : numpy.random.Generator
            Same state, same pixels, same machine: same changes.

        Returns
        -------
        changed : uint8 array of the same shape
            A new array; where all strengths are 0, `pixels` itself, and nothing is drawn.

        Raises
        ------
        ShapeError
            If the pictures are not square.
        """
        side = square_side(pixels.shape)
        if self.changes_nothing:
            return pixels
        pictures = pixels.reshape(-1, side, side)
        weights = self.draw(len(pictures), side, rng)
        basis = affine_basis(side) if not self.elastic else elastic_basis(side, self.smoothing)
        changed = np.empty(pictures.shape, np.uint8)
        step = max(1, CHUNK // side**2)
        for start in range(0, len(pictures), step):
            rows = slice(start, start + step)
            changed[rows] = resample(pictures[rows], weights[:, rows] @ basis)
        if self.thickness:
            changed = thicken(changed, self.thickness * rng.uniform(-1, 1, len(changed)))
        return changed.reshape(pixels.shape)

    def draw(self, count: int, side: int, rng: np.random.Generator) -> Floats:
        """Return the weights of `count` random changes: float32 (2, count, 3 or 3 + modes).

        The first axis is row and column, the last that of `affine_basis` or `elastic_basis`.
        """
        # All six are drawn whatever the strengths: one strength does not change another's draws.
        uniform = rng.uniform(-1, 1, (6, count))
        weights = inverse_affine(
            turn=np.radians(self.rotate) * uniform[0],
            slant=np.tan(np.radians(self.shear) * uniform[1]),
            factors=(1 + self.scale) ** uniform[2:4],
            shift=self.shift * uniform[4:6],
            middle=(side - 1) / 2,
        )
        if not self.elastic:
            return weights
        modes = len(elastic_basis(side, self.smoothing)) - 3
        bend = rng.standard_normal((2, count, modes), dtype=np.float32)
        bend *= np.float32(self.elastic)
        return np.concatenate([weights, bend], axis=2)


def inverse_affine(
    *, turn: Floats, slant: Floats, factors: Floats, shift: Floats, middle: float
) -> Floats:
    """Return where pixels come from when pictures are scaled, sheared, turned and then moved.

    Parameters
    ----------
    turn : float array (n,)
        Radians, counter-clockwise as one looks at the picture.
    slant : float array (n,)
        Pixels to the right for each pixel up.
    factors : float array (2, n)
        Of height and width; above 1 the picture grows.
    shift : float array (2, n)
        Pixels down and to the right.
    middle : float
        The row and column that scaling, shearing and turning leave in place.

    Returns
    -------
    weights : float32 array (2, n, 3)
        Row and column of the source as sums of `affine_basis`.
    """
    sine, cosine = np.sin(turn), np.cos(turn)
    # The inverse of turn after shear after scale, row by row: undo the turn, then the shear, then
    # the scaling. Rows count downwards, hence the signs.
    row = np.stack([cosine, sine]) / factors[0]
    column = np.stack([slant * cosine - sine, slant * sine + cosine]) / factors[1]
    linear = np.stack([row, column])  # (2 of the source, 2 of the target, n)
    constant = middle - (linear * shift).sum(axis=1)
    return np.concatenate([linear.swapaxes(1, 2), constant[:, :, None]], axis=2, dtype=np.float32)


@lru_cache(maxsize=8)
def affine_basis(side: int) -> Floats:
    """Return row, column (both from the middle) and 1 of each pixel: float32 (3, side * side)."""
    from_middle = np.arange(side) - (side - 1) / 2
    rows, columns = np.meshgrid(from_middle, from_middle, indexing="ij")
    return _constant(np.stack([rows.ravel(), columns.ravel(), np.ones(side**2)]))


@lru_cache(maxsize=8)
def elastic_basis(side: int, smoothing: float) -> Floats:
    """Return `affine_basis` and, below it, the modes of the elastic field.

    The modes are the field's principal components, so that standard normal weights give it. Far
    fewer than pixels are enough (27 of 784 for a side of 28 and a smoothing of 4): smooth fields
    have few degrees of freedom. They are scaled to a mean square of 1 over the picture.

    Returns
    -------
    basis : float32 array (3 + modes, side * side)
    """
    positions = np.arange(side)
    distances = positions[:, None] - positions
    # White noise smoothed by a Gaussian has a Gaussian covariance, sqrt(2) times as wide. It is a
    # product over rows and columns, and so are its eigenvalues and its eigenvectors.
    values, vectors = np.linalg.eigh(np.exp(-((distances / (2 * smoothing)) ** 2)))
    products = np.outer(values, values).ravel()
    order = products.argsort()[::-1]
    shares = products[order].cumsum() / products.sum()
    kept = order[: np.searchsorted(shares, KEPT_VARIANCE) + 1]
    of_rows, of_columns = np.divmod(kept, side)
    modes = np.einsum("ik,jk->kij", vectors[:, of_rows], vectors[:, of_columns])
    sizes = np.sqrt(products[kept] / products[kept].sum()) * side
    modes = (modes * sizes[:, None, None]).reshape(-1, side**2)
    return _constant(np.concatenate([affine_basis(side), modes]))


def resample(pictures: Pixels, sources: Floats) -> Pixels:
    """Fetch each pixel from a place between four pixels, by bilinear interpolation.

    Parameters
    ----------
    pictures : uint8 array (n, side, side)
        Paper, 0, all around.
    sources : float32 array (2, n, side * side)
        Row and column where each pixel comes from; it is overwritten. ``n * (side + 3) ** 2`` must
        stay below 2**24, up to which float32 counts.

    Returns
    -------
    pixels : uint8 array (n, side, side)
    """
    count, side, _ = pictures.shape
    # A margin instead of masks: whatever lies outside comes from its paper. One pixel before, two
    # after, as places are cut to -1 ... side and the four pixels begin at the place rounded down.
    width = side + 3
    padded = np.zeros((count, width, width), np.float32)
    padded[:, 1:-2, 1:-2] = pictures
    np.clip(sources, -1, side, out=sources)
    corners = np.floor(sources)
    sources -= corners
    down, right = sources
    places, columns = corners
    places *= width
    places += columns
    places += np.arange(count, dtype=np.float32)[:, None] * width**2 + (width + 1)
    index = places.astype(np.intp)
    flat = padded.ravel()
    upper = _between(_take(flat, index), _take(flat[1:], index), right)
    lower = _between(_take(flat[width:], index), _take(flat[width + 1 :], index), right)
    pixels = _between(upper, lower, down)
    pixels += 0.5  # the conversion cuts off
    return pixels.astype(np.uint8).reshape(pictures.shape)


def thicken(pictures: Pixels, pixels: Floats) -> Pixels:
    """Return pictures with thicker strokes, or thinner ones where `pixels` is below 0.

    Each pixel goes part of the way to the lightest, or darkest, of the nine around it.

    Parameters
    ----------
    pictures : uint8 array (n, side, side)
    pixels : float array (n,)
        -1 to 1, at each side of a stroke.

    Returns
    -------
    changed : uint8 array (n, side, side)
    """
    thicker = pixels > 0
    goal = np.empty_like(pictures)
    for chosen, most in ((thicker, np.maximum), (~thicker, np.minimum)):
        padded = np.pad(pictures[chosen], ((0, 0), (1, 1), (1, 1)))
        lines = most(most(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
        goal[chosen] = most(most(lines[..., :-2], lines[..., 1:-1]), lines[..., 2:])
    share = np.abs(pixels)[:, None, None].astype(np.float32)
    changed = pictures + (goal.astype(np.float32) - pictures) * share
    changed += 0.5  # the conversion cuts off
    return changed.astype(np.uint8)


def square_side(shape: Shape) -> int:
    """Return the side of the pictures in an array of this shape. Raises ShapeError."""
    if len(shape) == 2 and math.isqrt(shape[1]) ** 2 == shape[1] > 0:
        return math.isqrt(shape[1])
    if len(shape) == 3 and shape[1] == shape[2] > 0:
        return shape[1]
    raise ShapeError(
        f"Expected square pictures, (n, side * side) or (n, side, side); got shape {shape}."
    )


def _take(flat: Floats, index: Ints) -> Floats:
    # No index is outside; saying what to do with such ones spares the check, a third of the time.
    return np.take(flat, index, mode="wrap")


def _between(first: Floats, second: Floats, share: Floats) -> Floats:
    """Return first + share (second - first), in the memory of `second`."""
    second -= first
    second *= share
    second += first
    return second


def _constant(array: Floats) -> Floats:
    array = array.astype(np.float32)
    array.setflags(write=False)  # it is cached, for all callers
    return array
