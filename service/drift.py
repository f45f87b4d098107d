"""Whether what versions are asked still looks like what they were trained on.

A thread of low priority compares the rows of a sliding window with the sketch that the worker kept
with the version. Where more is asked than it follows, it looks at some of it.
"""

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from nncore.arrays import Floats, Pixels
from nncore.errors import RegistryError
from nncore.registry import Registry
from nncore.sketch import Sketch, Tally, spread
from service.background import Background
from service.served import Served
from service.shared_lines import SharedLines

log = logging.getLogger(__name__)

WINDOW_ROWS = 2000  # that are compared: as many as came last
BLOCKS = 8  # in which they leave the window
FEWEST_ROWS = 500  # below which chance alone looks like a drift
ROWS_OF_A_BATCH = 500  # that are looked at
MAX_WAITING_ROWS = 1000  # of a process: what it looks at in a round
SECONDS_BETWEEN_ROUNDS = 1.0
MAX_VERSIONS = 16  # the last that were asked

Block = dict[str, Any]  # "rows", and their "tally", as lists


class Asked(NamedTuple):
    """Rows that a version was asked, and what it answered."""

    version: tuple[str, int]  # of a model
    pixels: Pixels
    probabilities: Floats


class Drift:
    """The sliding windows of all processes that come from this one by forking."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._sketches: dict[tuple[str, int], Sketch | None] = {}
        self._shared = SharedLines()
        self._background = Background("drift", self._look, pause=SECONDS_BETWEEN_ROUNDS)

    def look_on(self, served: Served, pixels: Pixels, probabilities: Floats) -> None:
        """Take some of the rows that were predicted; nothing is waited for."""
        pixels, probabilities = (spread(rows, ROWS_OF_A_BATCH) for rows in (pixels, probabilities))
        asked = Asked((served.model, served.version), pixels, probabilities)
        self._background.offer(asked, len(pixels), at_most=MAX_WAITING_ROWS)

    def lines(self) -> list[dict[str, Any]]:
        """Return for each version ``model``, ``version``, ``rows`` and ``drift`` by feature.

        ``drift`` is empty where too few rows were seen.
        """
        return self._shared.read()

    def _look(self, asked: list[Asked]) -> None:
        for version in {one.version for one in asked}:
            sketch = self._sketch(*version)
            if sketch is not None:
                self._take_up(version, sketch, [one for one in asked if one.version == version])

    def _take_up(self, version: tuple[str, int], sketch: Sketch, asked: Sequence[Asked]) -> None:
        """Take rows up into the window of a version."""
        pixels = np.concatenate([one.pixels for one in asked])
        probabilities = np.concatenate([one.probabilities for one in asked])
        tally = sketch.tally(pixels, probabilities)
        with self._shared.changing() as lines:
            windows = {(line["model"], line["version"]): line["blocks"] for line in lines}
            blocks = slid(windows.get(version, []), tally, len(pixels))
            others = [line for line in lines if (line["model"], line["version"]) != version]
            lines[:] = [*others, _line(*version, sketch, blocks)][-MAX_VERSIONS:]

    def _sketch(self, model: str, version: int) -> Sketch | None:
        """Return the sketch that was kept with a version, if one was, and it can be read."""
        key = model, version
        if key not in self._sketches:
            try:
                self._sketches[key] = self._registry.sketch(model, version)
            except (RegistryError, OSError) as error:
                log.warning("No sketch of version %d of %r: %s", version, model, error)
                self._sketches[key] = None
            while len(self._sketches) > MAX_VERSIONS:
                del self._sketches[next(iter(self._sketches))]
        return self._sketches[key]


def slid(blocks: Sequence[Block], tally: Tally, rows: int) -> list[Block]:
    """Return the blocks of a window with rows more, without what has left it."""
    last = blocks[-1] if blocks else None
    if last and last["rows"] < WINDOW_ROWS // BLOCKS:
        blocks = blocks[:-1]
        tally = {name: counts + last["tally"][name] for name, counts in tally.items()}
        rows += last["rows"]
    counts = {name: of.round(3).tolist() for name, of in tally.items()}
    blocks = [*blocks, {"rows": rows, "tally": counts}]
    while sum(block["rows"] for block in blocks[1:]) >= WINDOW_ROWS:
        blocks = blocks[1:]
    return blocks


def _line(model: str, version: int, sketch: Sketch, blocks: Sequence[Block]) -> dict[str, Any]:
    rows = sum(block["rows"] for block in blocks)
    tally = {
        name: np.sum([block["tally"][name] for block in blocks], axis=0)
        for name in blocks[0]["tally"]
    }
    drift = sketch.drift(tally) if rows >= FEWEST_ROWS else {}
    return {"model": model, "version": version, "rows": rows, "drift": drift, "blocks": blocks}
