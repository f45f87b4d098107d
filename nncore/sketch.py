"""What a version's data looked like, in a few shares: whether what comes later looks so too.

The worker keeps a sketch with a version; the service tallies what it is asked in the same bins.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from nncore.arrays import Floats, Ints, Pixels
from nncore.errors import CorruptVersionError
from nncore.weights import decode_weights, encode_weights

TENTHS = 10
CELLS = 7  # a picture of 28 x 28 is cut into 7 x 7 cells of 4 x 4 pixels
SIDE = 28
CONFIDENCES = np.array([0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999], np.float32)
SMALLEST = 1e-3  # of a share, where it is compared: nothing at all is never infinitely unlikely
ROWS = 10_000

Tally = dict[str, Floats]  # by feature: how many rows are in each bin, float64


class Sketch(NamedTuple):
    """Shares of rows, or of their ink, that fall into each bin; float32, each sums to 1.

    Attributes
    ----------
    ink : (10,)
        By the mean of a row's pixels; the bins are tenths of the training rows.
    pixels : (49,), or as many as a row has pixels where that are fewer
        In which cell of the picture a row's ink lies, on average over the rows.
    confidence : (8,)
        By the probability of the answer, on rows that were not trained on.
    labels : (k,)
        By the answer, on these rows.
    ink_edges : (9,)
        Between the bins of ``ink``: mean grey levels, 0-255.
    """

    ink: Floats
    pixels: Floats
    confidence: Floats
    labels: Floats
    ink_edges: Floats

    @classmethod
    def of(cls, pixels: Pixels, probabilities: Floats) -> "Sketch":
        """Sketch data.

        Parameters
        ----------
        pixels : uint8 or float array (n, *input_shape)
            Training rows, 0-255; at most `ROWS` of them, evenly spread, are looked at.
        probabilities : float32 array (m, k)
            What the version answers to rows that were not trained on.
        """
        pixels = spread(pixels, ROWS)
        tenths = np.quantile(_ink(pixels), np.arange(1, TENTHS) / TENTHS).astype(np.float32)
        counts = _of_pixels(tenths, pixels) | _of_answers(probabilities)
        shares = {name: _shares(of).astype(np.float32) for name, of in counts.items()}
        return cls(**shares, ink_edges=tenths)

    @classmethod
    def decode(cls, content: bytes) -> "Sketch":
        """Read what `encode` returned. Raises CorruptVersionError."""
        arrays = decode_weights(content)
        if set(arrays) != set(cls._fields):
            raise CorruptVersionError(f"A sketch with arrays {sorted(arrays)[:5]}.")
        return cls(**arrays)

    def encode(self) -> bytes:
        """Return it as a safetensors file."""
        return encode_weights(self._asdict())

    def tally(self, pixels: Pixels, probabilities: Floats) -> Tally:
        """Count rows and what was answered to them, in the bins of this sketch."""
        return _of_pixels(self.ink_edges, pixels) | _of_answers(probabilities)

    def drift(self, counted: Mapping[str, Floats]) -> dict[str, float]:
        """Return the population stability index of each feature of a tally.

        Notes
        -----
        The sum over the bins of (q - p) ln(q / p), p the share then and q the share now: the
        symmetric form of the divergence of Kullback and Leibler (1951). Lewis (1994) and the
        practice since take it for no change under 0.1, for a large one over 0.25.
        """
        return {name: _stability(getattr(self, name), of) for name, of in counted.items()}


def spread(rows: Pixels, count: int) -> Pixels:
    """Return `count` of the rows, evenly spread, or all of fewer."""
    if len(rows) <= count:
        return rows
    return rows[np.linspace(0, len(rows) - 1, count).astype(int)]


def _of_pixels(ink_edges: Floats, pixels: Pixels) -> Tally:
    ink = ink_edges.searchsorted(_ink(pixels))
    return {"ink": _histogram(ink, len(ink_edges) + 1), "pixels": _ink_by_cell(pixels)}


def _of_answers(probabilities: Floats) -> Tally:
    confidence = CONFIDENCES.searchsorted(probabilities.max(axis=1))
    return {
        "confidence": _histogram(confidence, len(CONFIDENCES) + 1),
        "labels": _histogram(probabilities.argmax(axis=1), probabilities.shape[1]),
    }


def _ink(pixels: Pixels) -> Floats:
    return pixels.reshape(len(pixels), -1).mean(axis=1, dtype=np.float32)


def _ink_by_cell(pixels: Pixels) -> Floats:
    """Return how much of the rows' ink lies in each cell; a row has 1 to give, a blank one 0."""
    rows = pixels.reshape(len(pixels), -1)
    if rows.shape[1] == SIDE * SIDE:
        cells = rows.reshape(-1, CELLS, SIDE // CELLS, CELLS, SIDE // CELLS)
        ink = cells.sum(axis=(2, 4), dtype=np.float32).reshape(len(rows), -1)
    else:
        ink = np.add.reduceat(rows, _cells(rows.shape[1]), axis=1, dtype=np.float32)
    each = ink.sum(axis=1, keepdims=True)
    return np.divide(ink, each, out=np.zeros_like(ink), where=each > 0).sum(axis=0, dtype=float)


def _cells(size: int) -> Ints:
    """Return where the cells of rows that are no pictures begin."""
    return np.linspace(0, size, min(size, CELLS * CELLS), endpoint=False).astype(int)


def _histogram(bins: Ints, size: int) -> Floats:
    return np.bincount(bins, minlength=size).astype(float)


def _shares(counts: Floats) -> Floats:
    total = counts.sum()
    return counts / total if total else np.full(len(counts), 1 / len(counts))


def _stability(then: Floats, counts: Floats) -> float:
    before, now = (np.maximum(shares, SMALLEST) for shares in (then, _shares(counts)))
    return float(((now - before) * np.log(now / before)).sum())
