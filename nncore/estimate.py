"""What a training run will need, told before it is begun."""

import hashlib
import json
import math
import time
from contextlib import suppress
from dataclasses import replace

import numpy as np

from nncore.config import TrainConfig
from nncore.datasets import DatasetSpec
from nncore.errors import NonFiniteLossError
from nncore.network import NUMBERS_AT_ONCE, plan
from nncore.recipe import MAX_EPOCHS
from nncore.scaling import PixelScaler
from nncore.training import Examples, fit

NUMBER_BYTES = 4  # float32
LABEL_BYTES = 8
TIMED_NUMBERS = 4 * NUMBERS_AT_ONCE  # between the layers for a timed batch
EVALUATION = 1 / 3  # of a step's time: forward without backward

# All of a run that changes how long a row takes.
SPEED_KEYS = ("network", "loss", "optimizer", "batch_size", "augment", "l2", "clip_norm", "average")


def parameters(config: TrainConfig, data: DatasetSpec) -> int:
    """Return how many parameters the network has."""
    return plan(config.network, data.input_shape).size


def memory_bytes(config: TrainConfig, data: DatasetSpec) -> int:
    """Return about how much memory the run takes at its most, beside what a worker takes itself.

    That is the data and the shuffled copy of them; parameters, gradients, what the optimizer and
    the recipe keep, and the copies of a checkpoint; what a batch leaves between the layers, forward
    and backward.
    """
    made = plan(config.network, data.input_shape)
    slots = sum(array.size for array in config.optimizer.start(np.zeros(1, np.float32)).values())
    kept = 1 + slots + (config.average is not None) + (config.early_stopping is not None)
    row = math.prod(data.input_shape)
    pixels = (2 * data.train_rows + data.test_rows) * (row + LABEL_BYTES)
    # Gradients and one copy while measuring; a checkpoint is the arrays, and they once more.
    arrays = made.size * (2 + kept + 2 * kept)
    batch = min(config.batch_size or data.train_rows, data.train_rows)
    between = max(2 * batch * (made.kept + row), NUMBERS_AT_ONCE)
    return pixels + NUMBER_BYTES * (arrays + between)


def rows_in_all(config: TrainConfig, data: DatasetSpec) -> float:
    """Return how many rows the run trains on; rows that are only measured count for less."""
    held_out = config.validation_fraction
    return config.epochs * data.train_rows * (1 - held_out + EVALUATION * held_out)


def seconds_per_row(config: TrainConfig, data: DatasetSpec, *, budget: float) -> float:
    """Time some steps of the run on random rows, for about `budget` seconds; one at least.

    The batch is cut where it would take much memory.
    """
    made = plan(config.network, data.input_shape)
    batch = min(config.batch_size or data.train_rows, max(TIMED_NUMBERS // made.kept, 1))
    endless = replace(config, batch_size=batch, epochs=MAX_EPOCHS, early_stopping=None)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (2 * batch, *data.input_shape)).astype(np.uint8)
    rows = Examples(pixels, rng.integers(0, len(data.labels), 2 * batch))
    steps = _Steps(budget)
    with np.errstate(all="ignore"), suppress(_EnoughError, NonFiniteLossError):
        fit(
            config.build_network(rng),
            rows,
            Examples(pixels[:0], rows.labels[:0]),
            endless,
            rng=rng,
            scaler=PixelScaler(),
            on_step=steps.count,
        )
    return steps.seconds / (steps.counted * batch)


def speed_key(config: TrainConfig) -> str:
    """Return what runs have in common whose rows take the same time on the same machine."""
    values = config.to_dict()
    chosen = [*(values[key] for key in SPEED_KEYS), config.input_shape]
    return hashlib.sha256(json.dumps(chosen).encode()).hexdigest()


class _EnoughError(Exception):
    """What was to be timed has been."""


class _Steps:
    """Counts steps after the first, which warms up, until `budget` seconds have passed."""

    def __init__(self, budget: float) -> None:
        self.counted = 0
        self.seconds = 0.0
        self._budget = budget
        self._started: float | None = None

    def count(self) -> None:
        now = time.perf_counter()
        if self._started is None:
            self._started = now
            return
        self.counted += 1
        self.seconds = now - self._started
        if self.seconds > self._budget:
            raise _EnoughError
