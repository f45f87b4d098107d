"""The weights file: safetensors, which any framework reads and no code can hide in."""

from safetensors import SafetensorError
from safetensors.numpy import load, save

from nncore.arrays import Floats
from nncore.errors import CorruptVersionError


def encode_weights(tensors: dict[str, Floats]) -> bytes:
    """Return named tensors as a safetensors file. Same tensors, same bytes."""
    return save(tensors)


def decode_weights(content: bytes) -> dict[str, Floats]:
    """Return the tensors of a safetensors file. Raises CorruptVersionError where it is none."""
    try:
        return load(content)
    except (SafetensorError, KeyError) as error:
        raise CorruptVersionError(f"Not a safetensors file: {error}") from error
