"""Connected components of a mask, by its runs."""

from typing import Any, NamedTuple

import numpy as np

from nncore.arrays import Floats, Ints, Pixels


class Components(NamedTuple):
    """The components of a mask (h, w), pixels that touch, also at corners; numbered from 0.

    The first four hold one number a run, row after row: in which row, from where up to before
    where, and of which component. The others hold one a component: pixels, and the box around it.
    """

    row: Ints
    start: Ints
    stop: Ints
    component: Ints
    area: Ints
    top: Ints
    left: Ints
    bottom: Ints
    right: Ints

    @property
    def size(self) -> Ints:
        """The longer side of each component's box."""
        return np.maximum(self.bottom - self.top, self.right - self.left)

    def total(self, sums: Any, width: int) -> Floats:
        """Return the sum over each component of an image `width` wide, given as running sums."""
        row = self.row * width
        of_runs = sums[row + self.stop] - sums[row + self.start]
        totals: Floats = np.bincount(self.component, of_runs, len(self.area)).astype(np.float64)
        return totals

    def mask(self, chosen: Pixels, shape: tuple[int, int]) -> Pixels:
        """Return the chosen components (bool, one a component) as a mask, bool (h, w)."""
        mask = np.zeros(shape, bool)
        for run in np.flatnonzero(chosen[self.component]):
            mask[self.row[run], self.start[run] : self.stop[run]] = True
        return mask


def running_sums(image: Pixels) -> Any:
    """Return what `Components.total` takes: the sums of the pixels before each, row after row."""
    sums = np.zeros(image.size + 1, np.int64 if image.dtype == bool else np.float64)
    np.cumsum(image, out=sums[1:])
    return sums


def components_of(mask: Pixels) -> Components:
    """Return the components of a bool array (h, w)."""
    height, width = mask.shape
    padded = np.zeros((height, width + 2), np.int8)
    padded[:, 1:-1] = mask
    edges = np.flatnonzero(np.diff(padded, axis=1))
    row, start = np.divmod(edges[::2], width + 1)
    stop = edges[1::2] % (width + 1)
    above, below = _touching(row, start, stop, width)
    component = _connected(len(row), above, below)
    count = int(component.max(initial=-1)) + 1
    top, left = np.full(count, height), np.full(count, width)
    bottom, right = np.zeros((2, count), np.int64)
    np.minimum.at(top, component, row)
    np.minimum.at(left, component, start)
    np.maximum.at(bottom, component, row + 1)
    np.maximum.at(right, component, stop)
    area = np.bincount(component, stop - start, minlength=count).astype(np.int64)
    return Components(row, start, stop, component, area, top, left, bottom, right)


def _touching(row: Ints, start: Ints, stop: Ints, width: int) -> tuple[Ints, Ints]:
    """Return pairs of runs that touch, one row apart."""
    # Where runs begin and end on a line of all rows, far enough apart that rows never touch on it.
    pitch = width + 2
    begins, ends = row * pitch + start, row * pitch + stop
    first = np.searchsorted(ends, begins - pitch, side="left")
    last = np.searchsorted(begins, ends - pitch, side="right")
    counts = np.maximum(last - first, 0)
    below = np.repeat(np.arange(len(row)), counts)
    above = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts) + first[below]
    return above, below


def _connected(count: int, above: Ints, below: Ints) -> Ints:
    """Return the component of each of `count` runs: all take the smallest number within reach."""
    smallest = np.arange(count)
    while True:
        before = smallest.copy()
        lowest = np.minimum(smallest[above], smallest[below])
        np.minimum.at(smallest, smallest[above], lowest)
        np.minimum.at(smallest, smallest[below], lowest)
        smallest = smallest[smallest]
        if np.array_equal(before, smallest):
            return np.unique(smallest, return_inverse=True)[1]
