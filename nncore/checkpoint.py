"""Checkpoints: a run as bytes, to be gone on with as if nothing had happened."""

import json
from typing import Any

import numpy as np

from nncore.arrays import Floats
from nncore.errors import CorruptVersionError
from nncore.network import Network
from nncore.training import TrainingState
from nncore.weights import decode_weights, encode_weights, read_metadata

OPTIMIZER = "optimizer."
KEPT = ("average", "best", "order")
POSITION = ("epoch", "step", "rows", "loss", "best_epoch", "best_loss")


def encode_checkpoint(
    network: Network, state: TrainingState, rng: np.random.Generator, *, extra: Any = None
) -> bytes:
    """Return a run as one safetensors file.

    Parameters
    ----------
    network, state, rng
        The run, as it is inside ``on_step`` and ``on_epoch``.
    extra : JSON value
        What else the caller wants back, such as the history.
    """
    tensors: dict[str, Floats] = {"params": network.params, "state": network.state}
    tensors |= {OPTIMIZER + name: array for name, array in state.optimizer.items()}
    tensors |= {name: array for name in KEPT if (array := getattr(state, name)) is not None}
    position = {name: getattr(state, name) for name in POSITION}
    metadata = {"position": position, "rng": rng.bit_generator.state, "extra": extra}
    return encode_weights(tensors, {"run": json.dumps(metadata)})


def decode_checkpoint(
    content: bytes, network: Network, rng: np.random.Generator
) -> tuple[TrainingState, Any]:
    """Put `network` and `rng` where the run stood, in place; return its state and `extra`.

    Raises
    ------
    CorruptVersionError
        If `content` is no checkpoint, or that of another network; nothing is changed then.
    """
    tensors = decode_weights(content)
    try:
        metadata = json.loads(read_metadata(content)["run"])
        position = metadata["position"]
        arrays = tensors["params"], tensors["state"]
    except (KeyError, ValueError) as error:
        raise CorruptVersionError(f"Not a checkpoint: {error}") from error
    if (arrays[0].shape, arrays[1].shape) != (network.params.shape, network.state.shape):
        raise CorruptVersionError(
            f"The checkpoint has {arrays[0].size} parameters; the network has "
            f"{network.params.size}."
        )
    network.params[...], network.state[...] = arrays
    rng.bit_generator.state = metadata["rng"]
    optimizer = {
        name.removeprefix(OPTIMIZER): array.copy()
        for name, array in tensors.items()
        if name.startswith(OPTIMIZER)
    }
    kept = {name: tensors[name].copy() for name in KEPT if name in tensors}
    state = TrainingState(optimizer, **dict.fromkeys(KEPT) | kept | position)
    return state, metadata["extra"]
