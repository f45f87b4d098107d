"""Gradients against central differences, in float64."""

from collections.abc import Callable
from typing import Any

import numpy as np

from nncore.arrays import Floats, Ints
from nncore.losses import Loss
from nncore.network import Network

Forward = Callable[[Network, Floats], tuple[Floats, list[Any]]]


def gradient_errors(
    network: Network,
    loss: Loss,
    x: Floats,
    labels: Ints,
    rng: np.random.Generator,
    *,
    step: float = 1e-6,
    forward: Forward = Network.forward,
) -> dict[str, float]:
    """Compare the backward pass with differences of the forward pass.

    For each parameter array, and for the input, the slope of the loss along one random direction
    v is taken twice: as <gradient, v>, and as (loss(+step v) - loss(-step v)) / (2 step).

    Parameters
    ----------
    network : Network
        Of dtype float64.
    loss : Loss
    x : float64 array (n, *input_shape)
        Scaled input. Restored when done.
    labels : int array (n,)
    rng : numpy.random.Generator
        Draws the directions.
    step : float
        In units of the parameters.
    forward : callable
        ``Network.forward``, or its like that does as in training, the same at each call.

    Returns
    -------
    errors : dict of str to float
        By ``"<layer>.<name>"`` and ``"input"``: the difference of the two slopes, relative to the
        larger of them, or to 1e-3 where both are smaller. About 1e-9 for a right gradient.
    """
    logits, tape = forward(network, x)
    _, dlogits = loss(logits, labels)
    dx = network.backward(tape, dlogits, input_grad=True)
    assert dx is not None  # noqa: S101 - input_grad asks for it; tells the type checker
    arrays = {name: (param, grad.copy()) for name, param, grad in network.named_params()}
    arrays["input"] = (x, dx)
    return {
        name: _error(lambda: loss(forward(network, x)[0], labels)[0], array, gradient, step, rng)
        for name, (array, gradient) in arrays.items()
    }


def _error(
    loss: Callable[[], float],
    array: Floats,
    gradient: Floats,
    step: float,
    rng: np.random.Generator,
) -> float:
    direction = rng.standard_normal(array.shape)
    original = array.copy()
    values = []
    for signed in (step, -step):
        array[...] = original + signed * direction
        values.append(loss())
    array[...] = original
    numeric = (values[0] - values[1]) / (2 * step)
    analytic = float(np.sum(gradient * direction))
    return abs(numeric - analytic) / max(abs(numeric), abs(analytic), 1e-3)
