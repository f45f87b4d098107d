"""The training loop."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nncore.arrays import Floats, Ints, Pixels, Views
from nncore.errors import NonFiniteLossError, ShapeError
from nncore.losses import Loss
from nncore.metrics import accuracy
from nncore.network import Network
from nncore.recipe import Recipe

Scaler = Callable[[Pixels], Floats]


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


@dataclass
class TrainingState:
    """Where a run stands, beside the network's arrays and the generator: what a checkpoint keeps.

    ``average`` is the moving average of the parameters, ``best`` the parameters and the network's
    state of the best epoch so far; each is None where the recipe asks for none. ``epoch`` and
    ``step`` count those that are done. Of the epoch under way, ``order`` is the order of its rows
    (None before it is drawn), ``rows`` how many are done, ``loss`` the sum of their losses.
    """

    optimizer: Views
    average: Floats | None
    best: Floats | None
    order: Ints | None = None
    epoch: int = 0
    step: int = 0
    rows: int = 0
    loss: float = 0.0
    best_epoch: int = 0
    best_loss: float = float("inf")

    @classmethod
    def start(cls, network: Network, recipe: Recipe) -> "TrainingState":
        """Return the state before the first step."""
        return cls(
            optimizer=recipe.optimizer.start(network.params),
            average=None if recipe.average is None else network.params.copy(),
            best=None if recipe.early_stopping is None else _snapshot(network),
        )

    def end_epoch(self) -> float:
        """Count the epoch under way as done; return the mean loss of its rows."""
        loss = self.loss / self.rows
        self.epoch += 1
        self.order, self.rows, self.loss = None, 0, 0.0
        return loss


def ignore(*_: object) -> None:
    """Do nothing."""


def fit(
    network: Network,
    train: Examples,
    validation: Examples,
    recipe: Recipe,
    *,
    rng: np.random.Generator,
    scaler: Scaler,
    state: TrainingState | None = None,
    on_step: Callable[[], None] = ignore,
    on_epoch: Callable[[EpochStats], None] = ignore,
) -> None:
    """Train `network` in place by mini-batch gradient descent.

    Parameters
    ----------
    network : Network
        With initial parameters; its arrays are updated in place.
    train, validation : Examples
        `validation` is only looked at; it may be empty, its figures are NaN then.
    recipe : Recipe
        Loss, optimizer, number of epochs and so on.
    rng : numpy.random.Generator
        Shuffles the rows before each epoch, changes pictures, drops units. Same state, same data,
        same machine: same weights.
    scaler : callable
        Brings pixels to the network's scale, batch by batch: a PixelScaler.
    state : TrainingState, optional
        Where to go on, updated in place; by default a run begins.
    on_step, on_epoch : callable
        Called after each step, and with EpochStats after each epoch, when `network`, `rng` and
        `state` together are what a checkpoint must keep. What they raise ends the training and
        passes on.

    Raises
    ------
    NonFiniteLossError
        If the loss became infinite or NaN.
    ShapeError
        If `train` is empty or its rows and labels differ in number.
    """
    rows = _check(train)
    batch_size = recipe.batch_size or rows
    steps = recipe.epochs * -(-rows // batch_size)
    state = state or TrainingState.start(network, recipe)
    while state.epoch < recipe.epochs and not _stopped_early(state, recipe):
        started = time.perf_counter()
        for pixels, labels in minibatches(train, batch_size, rng, state):
            x = scaler(recipe.augment(pixels, rng) if recipe.augment else pixels)
            logits, tape = network.forward_train(x, rng)
            loss, dlogits = recipe.loss(logits, labels)
            network.backward(tape, dlogits)
            _regularize(network, recipe)
            factor = recipe.schedule.factor(state.step / steps)
            recipe.optimizer.step(network.params, network.grads, state.optimizer, factor=factor)
            state.step += 1
            _average(network, state, recipe)
            state.rows += len(labels)
            state.loss += loss * len(labels)
            on_step()
        mean_loss = state.end_epoch()
        on_epoch(_measure(network, validation, recipe, scaler, state, mean_loss, started))
    _keep(network, state)
    if not np.isfinite(network.params).all():
        raise NonFiniteLossError("The weights became infinite or NaN. Try a smaller learning rate.")


def minibatches(
    examples: Examples, batch_size: int, rng: np.random.Generator, state: TrainingState
) -> Iterator[tuple[Pixels, Ints]]:
    """Yield, in batches of at most `batch_size`, what is left of the epoch under way.

    That is every row once, in random order, but for those that `state` tells are done.
    """
    total = len(examples.labels)
    if batch_size >= total:  # one batch has no order
        if not state.rows:
            yield examples
        return
    if state.order is None:
        state.order = rng.permutation(total)
    order = state.order
    for start in range(state.rows, total, batch_size):
        rows = order[start : start + batch_size]
        yield examples.pixels[rows], examples.labels[rows]


def evaluate(
    network: Network, examples: Examples, *, loss: Loss, scaler: Scaler
) -> tuple[float, float]:
    """Return mean loss and accuracy, 0-1, over `examples`; (NaN, NaN) where there are none."""
    if not len(examples.labels):
        return float("nan"), float("nan")
    logits = outputs(network, examples.pixels, scaler)
    value, _ = loss(logits, examples.labels)
    return value, accuracy(loss.probabilities(logits).argmax(axis=1), examples.labels)


def outputs(network: Network, pixels: Pixels, scaler: Scaler) -> Floats:
    """Return the network's outputs for rows of pixels, at least one."""
    size = network.rows_at_once
    starts = range(0, len(pixels), size)
    return np.concatenate([network.logits(scaler(pixels[i : i + size])) for i in starts])


def _check(train: Examples) -> int:
    rows, labels = len(train.pixels), len(train.labels)
    if rows != labels or not rows:
        raise ShapeError(f"Expected as many labels as rows, at least 1; got {rows} and {labels}.")
    return rows


def _regularize(network: Network, recipe: Recipe) -> None:
    """Change the gradients in place: L2, then clipping."""
    if recipe.l2:
        weights = slice(network.weights)
        network.grads[weights] += recipe.l2 * network.params[weights]
    if recipe.clip_norm is not None:
        norm = float(np.linalg.norm(network.grads))
        if norm > recipe.clip_norm:
            network.grads *= recipe.clip_norm / norm


def _average(network: Network, state: TrainingState, recipe: Recipe) -> None:
    """Move the average towards the parameters; quickly at first, when they are still far off.

    Source: TensorFlow's ``ExponentialMovingAverage``, which bounds the decay so by its step.
    """
    if state.average is not None and recipe.average is not None:
        decay = min(recipe.average, (1 + state.step) / (10 + state.step))
        state.average *= decay
        state.average += (1 - decay) * network.params


def _measure(
    network: Network,
    validation: Examples,
    recipe: Recipe,
    scaler: Scaler,
    state: TrainingState,
    loss: float,
    started: float,
) -> EpochStats:
    """Return what the epoch brought, measured on the averaged parameters where there are any."""
    if not np.isfinite(loss):
        raise NonFiniteLossError(
            f"The loss became {loss} in epoch {state.epoch}. Try a smaller learning rate, "
            "a clip_norm of 1, or pixels scaled to 0-1."
        )
    trained = network.params.copy()
    if state.average is not None:
        network.params[...] = state.average
    held_out = evaluate(network, validation, loss=recipe.loss, scaler=scaler)
    if state.best is not None and held_out[0] < state.best_loss:
        state.best[...] = _snapshot(network)
        state.best_epoch, state.best_loss = state.epoch, held_out[0]
    network.params[...] = trained
    return EpochStats(state.epoch, loss, *held_out, time.perf_counter() - started)


def _stopped_early(state: TrainingState, recipe: Recipe) -> bool:
    stopping = recipe.early_stopping
    return stopping is not None and state.epoch - state.best_epoch >= stopping.patience


def _keep(network: Network, state: TrainingState) -> None:
    """Leave in the network the parameters that are to be used."""
    if state.best is not None:
        network.params[...], network.state[...] = np.split(state.best, [network.params.size])
    elif state.average is not None:
        network.params[...] = state.average


def _snapshot(network: Network) -> Floats:
    return np.concatenate([network.params, network.state])
