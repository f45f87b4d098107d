"""Two versions on the same images: who is right where they disagree, and what that shows."""

import math
from typing import Any, NamedTuple

import numpy as np

from nncore.arrays import Ints
from nncore.training import Examples

MARGIN = 0.002  # share of the images: 0.2 points of accuracy
LEVEL = 0.05
CLASS_MARGIN = 0.02
MAX_PICTURES = 50


class Comparison(NamedTuple):
    """What the champion and the challenger say about the same images.

    ``champion`` and ``challenger`` are the classes that they answer, int arrays (n,); ``labels``
    has the text of each class.
    """

    test: Examples
    labels: tuple[str, ...]
    champion: Ints
    challenger: Ints

    @property
    def lost(self) -> int:
        """How many images only the champion gets right."""
        return int(((self.champion == self.test.labels) & self._disagree).sum())

    @property
    def gained(self) -> int:
        """How many images only the challenger gets right."""
        return int(((self.challenger == self.test.labels) & self._disagree).sum())

    @property
    def p_value(self) -> float:
        """Return how likely so good a challenger is by chance if it were worse by `MARGIN`."""
        return non_inferiority(self.lost, self.gained, len(self.test.labels), MARGIN)

    def classes(self) -> list[dict[str, Any]]:
        """Return for each class that has images what was counted on them, as JSON values.

        ``p_value`` tells how likely it is that a challenger as good as the champion loses so much
        by chance.
        """
        truth = self.test.labels
        return [self._class(i, truth == i) for i in range(len(self.labels)) if (truth == i).any()]

    def fallen(self) -> list[dict[str, Any]]:
        """Return those `classes` whose accuracy falls by more than `CLASS_MARGIN`, not by chance.

        Of twelve images one is eight points: where a class has few, chance explains such a fall.
        """
        return [
            c
            for c in self.classes()
            if c["lost"] - c["gained"] > CLASS_MARGIN * c["rows"] and c["p_value"] < LEVEL
        ]

    def _class(self, i: int, mine: Any) -> dict[str, Any]:
        champion, challenger = self.champion[mine] == i, self.challenger[mine] == i
        lost = int((champion & ~challenger).sum())
        gained = int((challenger & ~champion).sum())
        return {
            "label": self.labels[i],
            "rows": len(champion),
            "champion_accuracy": float(champion.mean()),
            "challenger_accuracy": float(challenger.mean()),
            "lost": lost,
            "gained": gained,
            # The other way round: of "the champion is not the better one".
            "p_value": non_inferiority(gained, lost, len(champion), 0),
        }

    def numbers(self) -> dict[str, Any]:
        """Return what was counted and what follows of it, as JSON values."""
        truth = self.test.labels
        return {
            "rows": len(truth),
            "champion_accuracy": float((self.champion == truth).mean()),
            "challenger_accuracy": float((self.challenger == truth).mean()),
            "lost": self.lost,
            "gained": self.gained,
            "margin": MARGIN,
            "p_value": self.p_value,
            "level": LEVEL,
            "class_margin": CLASS_MARGIN,
            "classes": self.classes(),
        }

    def disagreements(self) -> list[dict[str, Any]]:
        """Return the first `MAX_PICTURES` images that are answered differently, as JSON values.

        Each has its row among the test images, its label, both answers, and its pixels as a
        request to predict takes them.
        """
        return [
            {
                "row": int(row),
                "label": self.labels[self.test.labels[row]],
                "champion": self.labels[self.champion[row]],
                "challenger": self.labels[self.challenger[row]],
                "pixels": self.test.pixels[row].tolist(),
            }
            for row in np.flatnonzero(self._disagree)[:MAX_PICTURES]
        ]

    @property
    def _disagree(self) -> Any:
        return self.champion != self.challenger


def non_inferiority(lost: int, gained: int, rows: int, margin: float) -> float:
    """Return the p-value of "the challenger's accuracy is below the champion's by `margin`".

    Tango's score test, one-sided: McNemar's test, without a correction for continuity, of a margin
    instead of 0; where `margin` is 0 it is that test. As McNemar's it looks at nothing but the
    images on which one is right and the other wrong.

    Parameters
    ----------
    lost, gained : int
        Images that only the champion, and only the challenger, gets right.
    rows : int
        All images, at least 1.
    margin : float
        Share of the images, 0 <= margin < 1.

    Returns
    -------
    p_value : float
        Where it is small, a loss of `margin` or more is ruled out.

    Notes
    -----
    The variance is that of the most likely shares q of gained and q + margin of lost images. The
    exact conditional test has no form for a margin, and the plain ("Wald") variance is 0 where
    there are no disagreements, which lets anything pass. Sources: McNemar 1947; Tango 1998,
    "Equivalence test and confidence interval for the difference in proportions for the
    paired-sample design"; compared by Fagerland, Lydersen & Laake 2014.
    """
    linear = gained * (1 - margin) + lost * (1 + margin) - 2 * rows * margin
    root = math.sqrt(linear**2 + 8 * rows * gained * margin * (1 - margin))
    q = (linear + root) / (4 * rows)
    variance = rows * (2 * q + margin - margin**2)
    distance = gained - lost + rows * margin
    if variance <= 0:  # no margin, and no disagreement
        return 0.5
    return math.erfc(distance / math.sqrt(2 * variance)) / 2
