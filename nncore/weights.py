"""Files of named arrays: safetensors, which any framework reads and no code can hide in."""

import json
import struct

from safetensors import SafetensorError
from safetensors.numpy import load, save

from nncore.arrays import Floats
from nncore.errors import CorruptVersionError


def encode_weights(tensors: dict[str, Floats], metadata: dict[str, str] | None = None) -> bytes:
    """Return named arrays as a safetensors file. Same arrays, same bytes."""
    return save(tensors, metadata)


def decode_weights(content: bytes) -> dict[str, Floats]:
    """Return the arrays of a safetensors file. Raises CorruptVersionError where it is none."""
    try:
        return load(content)
    except (SafetensorError, KeyError) as error:
        raise CorruptVersionError(f"Not a safetensors file: {error}") from error


def read_metadata(content: bytes) -> dict[str, str]:
    """Return the texts that were saved with the arrays of a whole safetensors file."""
    (length,) = struct.unpack("<Q", content[:8])
    metadata: dict[str, str] = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    return metadata
