"""The training loop."""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from nncore.arrays import Floats, Ints, Pixels
from nncore.errors import NonFiniteLossError, ShapeError
from nncore.losses import Loss
from nncore.metrics import accuracy
from nncore.network import Network
from nncore.optimizers import Optimizer
from nncore.scaling import PixelScaler
from nncore.schedules import Schedule

CHUNK = 2048  # rows of an evaluation at once: bounds memory, costs no time


class Examples(NamedTuple):
    """Inputs and their labels.

    ``pixels`` is a uint8 (or float, 0-255) array of shape (n, *input_shape), ``labels`` an int
    array of shape (n,). Bytes stay bytes until their batch comes: a quarter of the memory.
    """

    pixels: Pixels
    labels: Ints


class EpochStats(NamedTuple):
    """What an epoch brought. Losses are means over the rows, ``seconds`` is wall time."""

    epoch: int
    loss: float
    validation_loss: float
    validation_accuracy: float
    seconds: float


def ignore(stats: EpochStats) -> None:
    """Do nothing with `stats`."""


def fit(
    network: Network,
    train: Examples,
    validation: Examples,
    *,
    loss: Loss,
    optimizer: Optimizer,
    schedule: Schedule,
    epochs: int,
    batch_size: int,
    rng: np.random.Generator,
    scaler: PixelScaler,
    on_epoch: Callable[[EpochStats], None] = ignore,
) -> None:
    """Train `network` in place by mini-batch gradient descent.

    Parameters
    ----------
    network : Network
        With initial parameters; ``network.params`` is updated in place.
    train, validation : Examples
        `validation` is only looked at; it may be empty, its figures are NaN then.
    loss, optimizer, schedule
        What is minimised, by which steps, and how their size changes.
    epochs, batch_size : int
        The last batch of an epoch may be shorter.
    rng : numpy.random.Generator
        Shuffles the rows before each epoch. Same state, same data, same machine: same weights.
    scaler : PixelScaler
        Brings pixels to the network's scale, batch by batch.
    on_epoch : callable
        Called with EpochStats after each epoch. What it raises ends the training and passes on.

    Raises
    ------
    NonFiniteLossError
        If the loss became infinite or NaN.
    ShapeError
        If `train` is empty or its rows and labels differ in number.
    """
    _check(train)
    state = optimizer.start(network.params)
    done, steps = 0, epochs * -(-len(train.labels) // batch_size)
    for epoch in range(1, epochs + 1):
        started, total = time.perf_counter(), 0.0
        for pixels, labels in minibatches(train, batch_size, rng):
            logits, tape = network.forward(scaler(pixels))
            value, dlogits = loss(logits, labels)
            network.backward(tape, dlogits)
            optimizer.step(
                network.params, network.grads, state, factor=schedule.factor(done / steps)
            )
            done += 1
            total += value * len(labels)
        mean = total / len(train.labels)
        if not np.isfinite(mean):
            raise NonFiniteLossError(
                f"The loss became {mean} in epoch {epoch}. Try a smaller learning rate."
            )
        held_out = evaluate(network, validation, loss=loss, scaler=scaler)
        on_epoch(EpochStats(epoch, mean, *held_out, time.perf_counter() - started))


def minibatches(
    examples: Examples, batch_size: int, rng: np.random.Generator
) -> Iterator[tuple[Pixels, Ints]]:
    """Yield all rows once, in random order, in batches of at most `batch_size`."""
    order = rng.permutation(len(examples.labels))
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        yield examples.pixels[rows], examples.labels[rows]


def evaluate(
    network: Network, examples: Examples, *, loss: Loss, scaler: PixelScaler
) -> tuple[float, float]:
    """Return mean loss and accuracy, 0-1, over `examples`; (NaN, NaN) where there are none."""
    if not len(examples.labels):
        return float("nan"), float("nan")
    logits: Floats = np.concatenate(
        [
            network.logits(scaler(examples.pixels[start : start + CHUNK]))
            for start in range(0, len(examples.labels), CHUNK)
        ]
    )
    value, _ = loss(logits, examples.labels)
    return value, accuracy(logits.argmax(axis=1), examples.labels)


def _check(train: Examples) -> None:
    rows, labels = len(train.pixels), len(train.labels)
    if rows != labels or not rows:
        raise ShapeError(f"Expected as many labels as rows, at least 1; got {rows} and {labels}.")
