"""From what a person has at hand to a request's body: the smallest that the service reads."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from inkwell.kinds import content_type

OCTETS = "application/octet-stream"
NPY = "application/x-npy"
NPY_ALIGNED = 64  # bytes to which the header of an .npy file is filled up


class Body(NamedTuple):
    """What httpx is to send: a content with its type, or pictures as a form."""

    content: bytes | None = None
    headers: dict[str, str] | None = None
    files: list[tuple[str, tuple[str, bytes]]] | None = None


def encode(images: Any) -> Body:
    """Return the body for images.

    Parameters
    ----------
    images : array, path, bytes, PIL picture, or a list of these or of numbers
        An array is (784,), (28, 28), (n, 784) or (n, 28, 28): of uint8 it is sent as it is, else as
        .npy. A path is that of a picture, an .npy, IDX or JSON file; bytes are what such a file
        holds. Of several pictures a form is made.

    Raises
    ------
    UnknownKind, OSError
        If bytes are none of the kinds that the service knows; if a file cannot be read.
    """
    if hasattr(images, "__array_interface__") and hasattr(images, "tobytes") and not _drawn(images):
        return _array(images)
    if isinstance(images, Sequence) and not isinstance(images, str | bytes):
        return _several(images)
    content = _file(images)
    return Body(content, {"Content-Type": content_type(content)})


def _array(array: Any) -> Body:
    if array.dtype == "uint8":
        return Body(array.tobytes(), {"Content-Type": OCTETS})
    return Body(_npy(array), {"Content-Type": NPY})


def _npy(array: Any) -> bytes:
    """Return an array as an .npy file, without NumPy. Source: NEP 1."""
    described = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape}
    text = repr(described).encode()
    text += b" " * (-(len(text) + 11) % NPY_ALIGNED) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + array.tobytes()


def _several(images: Sequence[Any]) -> Body:
    if all(isinstance(one, str | bytes | Path) or _drawn(one) for one in images) and images:
        named = [(_name(one, i), _file(one)) for i, one in enumerate(images)]
        return Body(files=[("file", pair) for pair in named])
    content = json.dumps({"instances": _numbers(images)}, allow_nan=False).encode()
    return Body(content, {"Content-Type": "application/json"})


def _numbers(values: Any) -> Any:
    if hasattr(values, "tolist"):
        return values.tolist()
    if isinstance(values, Sequence):
        return [_numbers(value) for value in values]
    return values


def _file(image: Any) -> bytes:
    """Return the bytes of one picture or file."""
    if isinstance(image, str | Path):
        return Path(image).read_bytes()
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if _drawn(image):
        file = io.BytesIO()
        image.save(file, "PNG")
        return file.getvalue()
    kinds = "an array, a path, bytes, a PIL picture, or a list of these or of numbers"
    raise TypeError(f"Expected {kinds}; got {type(image).__name__}.")


def _drawn(image: Any) -> bool:
    """Tell whether it is a PIL picture, without asking for Pillow."""
    return hasattr(image, "save") and hasattr(image, "convert")


def _name(image: Any, position: int) -> str:
    return Path(image).name if isinstance(image, str | Path) else f"{position}"
