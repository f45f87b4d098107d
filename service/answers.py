"""JSON answers."""

from collections.abc import Mapping
from typing import Any

import orjson
from flask import Response

from service.media_types import JSON


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return `value` as a JSON answer."""
    return Response(to_json(value), status, headers=headers, mimetype=JSON)


def to_json(value: Any) -> bytes:
    """Return `value` as JSON; NumPy arrays are lists, NaN is null."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
