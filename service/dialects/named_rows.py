"""Rows in JSON as TensorFlow Serving and MLflow write them: bare, by the input's name, base64."""

import base64
import binascii
from typing import Any

from nncore.specs import describe, unknown
from service.bodies import Content
from service.decoding import decode
from service.problems import Problem
from service.shapes import Rows
from service.sniffing import sniffed

INPUT = "images"
BASE64 = "b64"


def unwrap(document: dict[str, Any], key: str, rows: Rows) -> None:
    """Bring what stands at `key` into the form of bare rows, in place. Raises Problem.

    ``{"images": rows}`` stays as it is; of ``[{"images": row}, …]`` the rows are kept; a picture
    in base64, ``{"b64": "…"}``, becomes the row of its pixels, also where it stands alone.
    """
    value = document.get(key)
    if isinstance(value, dict) and BASE64 not in value:
        _only(value, INPUT, f"/{key}")
        value = value[INPUT]
        document[key] = {INPUT: value}
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list) or not any(isinstance(row, dict) for row in value):
        return
    rows.check_count(len(value))
    bare = [_bare(row, f"/{key}/{i}") for i, row in enumerate(value)]
    if any(isinstance(row, dict) for row in bare):
        bare = [_picture(row, rows, f"/{key}/{i}") for i, row in enumerate(bare)]
        document["pixel_range"] = "0-255"
    document[key] = bare


def check_keys(options: dict[str, Any], known: tuple[str, ...]) -> None:
    """Raise Problem 422 where a document has a key that is not `known`."""
    for key in options:
        if key not in known:
            raise Problem(422, "unknown-key", unknown("key", key, known), pointer="")


def _bare(row: Any, pointer: str) -> Any:
    if not isinstance(row, dict) or BASE64 in row:
        return row
    _only(row, INPUT, pointer)
    return row[INPUT]


def _picture(row: Any, rows: Rows, pointer: str) -> Any:
    """Return the pixels of ``{"b64": "…"}`` as a row of numbers."""
    if not isinstance(row, dict):
        detail = f'Expected {{"b64": …}}, as in other rows; got {describe(row)}.'
        raise Problem(422, "mixed-rows", detail, pointer=pointer)
    _only(row, BASE64, pointer)
    try:
        body = base64.b64decode(row[BASE64], validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise Problem(422, "not-base64", f"Expected base64: {error}.", pointer=pointer) from None
    pixels = decode(sniffed(Content(body), rows.size), rows).pixels
    if len(pixels) != 1:
        detail = f"Expected one picture or row; got {len(pixels)}."
        raise Problem(422, "not-one-row", detail, pointer=pointer)
    return pixels.reshape(-1).tolist()


def _only(value: dict[str, Any], key: str, pointer: str) -> None:
    for name in value:
        if name != key:
            raise Problem(422, "unknown-input", unknown("input", name, (key,)), pointer=pointer)
    if key not in value:
        raise Problem(422, "no-input", f"Expected the input {key!r}; got none.", pointer=pointer)
