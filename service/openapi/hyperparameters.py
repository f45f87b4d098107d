"""JSON Schemas of frozen dataclasses of hyperparameters, as `nncore.specs` reads them."""

import dataclasses
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from nncore.specs import Named, to_json

Schema = dict[str, Any]

_TYPES: dict[Any, str] = {int: "integer", float: "number", str: "string", bool: "boolean"}


def schema_of(hint: Any) -> Schema:
    """Return the JSON Schema of what a field's type says."""
    if get_origin(hint) is UnionType:
        return {"anyOf": [schema_of(part) for part in get_args(hint)]}
    if get_origin(hint) is tuple:
        return {"type": "array", "items": schema_of(get_args(hint)[0])}
    if get_origin(hint) is list:
        return {"type": "array"}
    if get_origin(hint) is dict:
        return {"type": "object"}
    if hint is NoneType:
        return {"type": "null"}
    if isinstance(hint, type) and issubclass(hint, Named):
        return _named(hint)
    return _object(hint) if dataclasses.is_dataclass(hint) else {"type": _TYPES[hint]}


def _named(base: type[Named]) -> Schema:
    """Return the choice of a name alone, where all else has defaults, or an object with it."""
    objects = {name: _object(cls, name) for name, cls in base.names.items()}
    bare = [name for name, schema in objects.items() if schema["required"] == ["type"]]
    return {"title": base.kind, "anyOf": [{"enum": bare}, *objects.values()]}


def _object(cls: Any, name: str | None = None) -> Schema:
    hints = get_type_hints(cls)
    properties: dict[str, Schema] = {"type": {"const": name}} if name else {}
    required = ["type"] if name else []
    for field in dataclasses.fields(cls):
        properties[field.name] = schema_of(hints[field.name])
        if field.default is dataclasses.MISSING:
            required.append(field.name)
        else:
            properties[field.name]["default"] = to_json(field.default)
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
