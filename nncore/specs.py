"""Specs: the JSON form of a frozen dataclass of hyperparameters.

``Dense(128)`` is ``{"type": "dense", "units": 128}``. Layers, losses and optimizers are written
this way in a job's payload and in a version's manifest. The names stand in plain dicts
(``LAYERS``, ``LOSSES``, ``OPTIMIZERS``).
"""

import dataclasses
import difflib
import math
import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar, get_type_hints

from nncore.errors import ConfigError, FieldError

T = TypeVar("T")


def wrong(pointer: str, detail: str) -> ConfigError:
    """Return a ConfigError with one field error."""
    return ConfigError([FieldError(pointer, detail)])


def escape(key: str) -> str:
    """Return `key` as one step of a JSON pointer (RFC 6901, section 3)."""
    return key.replace("~", "~0").replace("/", "~1")


def unknown(kind: str, name: object, known: Collection[str]) -> str:
    """Say that `name` is no known `kind`, and which known name is nearest."""
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"Unknown {kind} {str(name)[:80]!r}.{hint} Known: {', '.join(sorted(known))}."


def require_number(
    name: str,
    value: object,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> None:
    """Raise ConfigError at ``/name`` unless `value` is a finite number within the bounds."""
    bounds = {"at least": at_least, "above": above, "at most": at_most, "below": below}
    stated = {word: bound for word, bound in bounds.items() if bound is not None}
    number = isinstance(value, int | float) and math.isfinite(value)
    if not number or not all(_HOLDS[word](value, bound) for word, bound in stated.items()):
        expected = " and ".join(f"{word} {bound:g}" for word, bound in stated.items())
        raise wrong(f"/{name}", f"Expected a number {expected}; got {value!r}.")


def to_spec(instance: Any, names: Mapping[str, type]) -> dict[str, Any]:
    """Return the JSON form of `instance`, whose class stands in `names`."""
    name = next(key for key, cls in names.items() if cls is type(instance))
    return {"type": name, **dataclasses.asdict(instance)}


def from_spec(spec: object, names: Mapping[str, type[T]], kind: str, pointer: str = "") -> T:
    """Build what `spec` describes.

    Parameters
    ----------
    spec : object
        Parsed JSON: an object with ``type`` and hyperparameters, or the bare name.
    names : mapping of str to dataclass
        The known names of this kind.
    kind : str
        What is built, for messages: "layer", "loss", "optimizer".
    pointer : str
        Where `spec` stands in the document (RFC 6901), for messages.

    Raises
    ------
    ConfigError
        With the pointer of each wrong field: no such type, no such key, wrong type of a value,
        or a value outside its bounds.
    """
    if isinstance(spec, str):
        spec = {"type": spec}
    if not isinstance(spec, Mapping) or not isinstance(spec.get("type"), str):
        raise wrong(pointer, f'Expected {{"type": "<{kind}>", …}}; got {describe(spec)}.')
    if spec["type"] not in names:
        raise wrong(f"{pointer}/type", unknown(kind, spec["type"], names))
    cls = names[spec["type"]]
    values = {key: value for key, value in spec.items() if key != "type"}
    return build(cls, values, kind=f"key of {kind} {spec['type']!r}", pointer=pointer)


def build(cls: type[T], values: Mapping[str, Any], *, kind: str, pointer: str) -> T:
    """Build the dataclass `cls` from JSON values, with every error found (ConfigError)."""
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}  # type: ignore[arg-type]
    hints = get_type_hints(cls)
    errors = [
        FieldError(f"{pointer}/{escape(key)}", unknown(kind, key, fields))
        for key in values
        if key not in fields
    ]
    for name, field in fields.items():
        if name not in values:
            if field.default is dataclasses.MISSING:
                errors.append(FieldError(f"{pointer}/{name}", "This key is required."))
        elif not _is(values[name], hints[name]):
            expected = _TYPE_NAMES.get(hints[name], str(hints[name]))
            detail = f"Expected {expected}; got {describe(values[name])}."
            errors.append(FieldError(f"{pointer}/{name}", detail))
    if errors:
        raise ConfigError(errors)
    try:
        return cls(**values)
    except ConfigError as error:
        inside = [FieldError(pointer + e.pointer, e.detail) for e in error.errors]
        raise ConfigError(inside) from None


def describe(value: object) -> str:
    """Name a parsed JSON value shortly, in JSON's own words."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:80]}…"


_HOLDS: dict[str, Callable[[Any, Any], bool]] = {
    "at least": operator.ge,
    "above": operator.gt,
    "at most": operator.le,
    "below": operator.lt,
}

_TYPE_NAMES: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
}


def _is(value: object, hint: Any) -> bool:
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return hint not in _TYPE_NAMES or isinstance(value, hint)
