"""The messages of ONNX (onnx.proto), field by field, in the order of the fields' numbers.

Why not by the `onnx` package: `docs/architecture.md`. The tests hold every byte that is written
here against it.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nncore.arrays import Shape

# Those of ONNX 1.8 (2020), the oldest in which Softmax means one axis. What came later is spelled
# out of what was there, so that old and small runtimes take the file too.
OPSET = 13
IR_VERSION = 7

_ELEMENTS = {np.dtype(np.float32): 1, np.dtype(np.int64): 7}  # TensorProto.DataType
_FLOAT, _INT, _INTS = 1, 2, 7  # AttributeProto.AttributeType

Attribute = float | Sequence[int]


def encode_model(
    nodes: Sequence[bytes],
    tensors: Mapping[str, Any],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
    metadata: Mapping[str, str],
) -> bytes:
    """Return a ModelProto of encoded nodes, named arrays and encoded values."""
    body = _message(
        *((1, node) for node in nodes),
        (2, "inkwell"),
        *((5, _tensor(name, array)) for name, array in tensors.items()),
        *((11, value) for value in inputs),
        *((12, value) for value in outputs),
    )
    return _message(
        (1, IR_VERSION),
        (2, "inkwell"),
        (7, body),
        (8, _message((1, ""), (2, OPSET))),
        *((14, _message((1, key), (2, text))) for key, text in metadata.items()),
    )


def encode_node(
    op: str, inputs: Sequence[str], output: str, attributes: Mapping[str, Attribute]
) -> bytes:
    """Return a NodeProto with one output, by which the node is called too."""
    return _message(
        *((1, name) for name in inputs),
        (2, output),
        (3, output),
        (4, op),
        *((5, _attribute(name, value)) for name, value in attributes.items()),
    )


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, int):
        return _message((1, name), (3, value), (20, _INT))
    if isinstance(value, float):
        return _message((1, name), (2, value), (20, _FLOAT))
    return _message((1, name), *((8, number) for number in value), (20, _INTS))


def _tensor(name: str, array: Any) -> bytes:
    dims = ((1, size) for size in array.shape)
    content = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    return _message(*dims, (2, _ELEMENTS[array.dtype]), (8, name), (9, content))


def encode_value(name: str, dtype: type, shape: Shape) -> bytes:
    """Return a ValueInfoProto: rows, as many as come, of `shape`."""
    sizes = [_message((2, "N")), *(_message((1, size)) for size in shape)]
    tensor = _message((1, _ELEMENTS[np.dtype(dtype)]), (2, _message(*((1, s) for s in sizes))))
    return _message((1, name), (2, _message((1, tensor))))


def _message(*fields: tuple[int, int | float | str | bytes]) -> bytes:
    """Return a protobuf message of numbered fields. Bytes may be a message; floats get 32 bits.

    Source: https://protobuf.dev/programming-guides/encoding/
    """
    return b"".join(_field(number, value) for number, value in fields)


def _field(number: int, value: int | float | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    if isinstance(value, float):
        return _varint(number << 3 | 5) + struct.pack("<f", value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """Return `number`, at least 0, in groups of 7 bits, the lowest first."""
    groups = [number >> shift & 0x7F for shift in range(0, max(number.bit_length(), 1), 7)]
    return bytes(group | 0x80 for group in groups[:-1]) + bytes(groups[-1:])
