"""Frozen dataclasses of hyperparameters as JSON, and back.

``Dense(128)`` is ``{"type": "dense", "units": 128}``. Layers, losses, optimizers and the like are
written this way in a job's payload and in a version's manifest. The names stand in plain dicts
(``LAYERS``, ``LOSSES``, ``OPTIMIZERS`` …).
"""

import dataclasses
import difflib
import operator
from collections.abc import Callable, Collection, Mapping
from types import NoneType, UnionType
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

from nncore.errors import ConfigError, FieldError

MAX_LIST = 200
MAX_SHOWN = 80  # characters of what came, in messages
MAX_ERRORS = 20  # unknown keys that are told one by one
LARGEST = 1e300  # of a number, so that no check can overflow


class Named:
    """Base of the dataclasses that JSON tells apart by a ``type``.

    ``kind`` says for people what they are; ``names`` has each class by its name.
    """

    kind: ClassVar[str]
    names: ClassVar[Mapping[str, type[Any]]]


def wrong(pointer: str, detail: str) -> ConfigError:
    """Return a ConfigError with one field error."""
    return ConfigError([FieldError(pointer, detail)])


def escape(key: str) -> str:
    """Return `key` as one step of a JSON pointer (RFC 6901, section 3), cut where it is long."""
    return key[:MAX_SHOWN].replace("~", "~0").replace("/", "~1")


def unknown(kind: str, name: object, known: Collection[str]) -> str:
    """Say that `name` is no known `kind`, and which known name is nearest."""
    near = difflib.get_close_matches(name[:MAX_SHOWN], known, n=1) if isinstance(name, str) else []
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"Unknown {kind} {describe(name)}.{hint} Known: {', '.join(sorted(known))}."


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
    number = isinstance(value, int | float) and abs(value) < LARGEST
    if not number or not all(_HOLDS[word](value, bound) for word, bound in stated.items()):
        expected = " and ".join(f"{word} {bound:g}" for word, bound in stated.items())
        raise wrong(f"/{name}", f"Expected a number {expected}; got {describe(value)}.")


def run_checks(*checks: Callable[[], None]) -> None:
    """Run all `checks`; raise one ConfigError with what each of them found."""
    errors: list[FieldError] = []
    for check in checks:
        try:
            check()
        except ConfigError as error:
            errors += error.errors
    if errors:
        raise ConfigError(errors)


def to_json(value: Any) -> Any:
    """Return a dataclass of hyperparameters, or what a field of one holds, as JSON values."""
    if isinstance(value, tuple):
        return [to_json(part) for part in value]
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    fields = {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Named):
        name = next(key for key, cls in value.names.items() if cls is type(value))
        return {"type": name, **fields}
    return fields


def from_json(hint: Any, value: object, pointer: str = "") -> Any:
    """Build what `value` describes.

    Parameters
    ----------
    hint : type
        What is expected, as a dataclass's field says it: a dataclass, a `Named` base, ``int``,
        ``float``, ``str``, ``bool``, ``tuple[X, ...]``, ``tuple[X, X]``, ``X | None``,
        ``X | tuple[X, X]``, ``int | str``; ``dict[…]`` and ``list[…]`` stand for any JSON object
        and list.
    value : object
        Parsed JSON. A `Named` may be given by its bare name.
    pointer : str
        Where `value` stands in the document (RFC 6901).

    Raises
    ------
    ConfigError
        With the pointer of each wrong field: no such type, no such key, a required one missing, a
        value of the wrong type or outside its bounds.
    """
    if get_origin(hint) is UnionType:
        return _from_union(get_args(hint), value, pointer)
    if get_origin(hint) is tuple:
        return _from_list(get_args(hint), value, pointer)
    if isinstance(hint, type) and issubclass(hint, Named):
        return _from_named(hint, value, pointer)
    if dataclasses.is_dataclass(hint):
        return _from_object(hint, value, pointer, kind="key")
    if get_origin(hint) in (dict, list):
        return _from_opaque(get_origin(hint), value, pointer)
    if not _is(value, hint):
        raise wrong(pointer, f"Expected {_TYPE_NAMES[hint]}; got {describe(value)}.")
    return value


def _from_union(hints: tuple[Any, ...], value: object, pointer: str) -> Any:
    if value is None and NoneType in hints:
        return None
    kinds = [hint for hint in hints if hint is not NoneType]
    fitting = (hint for hint in kinds if _may_be(value, hint))
    return from_json(next(fitting, kinds[0]), value, pointer)


def _may_be(value: object, hint: Any) -> bool:
    if get_origin(hint) is tuple:
        return isinstance(value, list)
    return hint in _TYPE_NAMES and _is(value, hint)


def _from_list(hints: tuple[Any, ...], value: object, pointer: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise wrong(pointer, f"Expected a list; got {describe(value)}.")
    if hints[-1] is not Ellipsis and len(value) != len(hints):
        raise wrong(pointer, f"Expected a list of {len(hints)}; got {len(value)}.")
    if len(value) > MAX_LIST:
        raise wrong(pointer, f"Expected a list of at most {MAX_LIST}; got {len(value)}.")
    places = {f"{pointer}/{i}": part for i, part in enumerate(value)}
    parsed, errors = _parse(dict.fromkeys(places, hints[0]), places)
    if errors:
        raise ConfigError(errors)
    return tuple(parsed.values())


def _from_opaque(kind: type, value: object, pointer: str) -> Any:
    if not isinstance(value, kind):
        expected = "an object" if kind is dict else "a list"
        raise wrong(pointer, f"Expected {expected}; got {describe(value)}.")
    return value


def _from_named(base: type[Named], value: object, pointer: str) -> Any:
    if isinstance(value, str):
        value = {"type": value}
    if not isinstance(value, Mapping) or not isinstance(value.get("type"), str):
        raise wrong(pointer, f'Expected {{"type": "<{base.kind}>", …}}; got {describe(value)}.')
    name = value["type"]
    if name not in base.names:
        raise wrong(f"{pointer}/type", unknown(base.kind, name, base.names))
    rest = {key: part for key, part in value.items() if key != "type"}
    return _from_object(base.names[name], rest, pointer, kind=f"key of {base.kind} {name!r}")


def _from_object(cls: Any, value: object, pointer: str, *, kind: str) -> Any:
    if not isinstance(value, Mapping):
        raise wrong(pointer, f"Expected an object; got {describe(value)}.")
    hints = get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}
    strange = [key for key in value if key not in fields][:MAX_ERRORS]
    errors = [FieldError(f"{pointer}/{escape(key)}", unknown(kind, key, fields)) for key in strange]
    errors += [
        FieldError(f"{pointer}/{name}", "This key is required.")
        for name, field in fields.items()
        if name not in value and field.default is dataclasses.MISSING
    ]
    given = {f"{pointer}/{name}": value[name] for name in fields if name in value}
    parsed, wrong_parts = _parse({place: hints[_last_step(place)] for place in given}, given)
    errors += wrong_parts
    right = {_last_step(place): part for place, part in parsed.items()}
    made = None
    if all(name in right for name, f in fields.items() if f.default is dataclasses.MISSING):
        try:
            # What is wrong has its default here, so that the others are checked all the same.
            made = cls(**right)
        except ConfigError as error:
            told = [FieldError(pointer + e.pointer, e.detail) for e in error.errors]
            errors += [e for e in told if e.pointer not in given or e.pointer in parsed]
    if errors:
        raise ConfigError(errors)
    return made


def _last_step(pointer: str) -> str:
    return pointer.rpartition("/")[2]


def _parse(
    hints: Mapping[str, Any], values: Mapping[str, object]
) -> tuple[dict[str, Any], list[FieldError]]:
    """Parse each value at its pointer; return those that are right, and what is wrong."""
    parsed: dict[str, Any] = {}
    errors: list[FieldError] = []
    for place, value in values.items():
        try:
            parsed[place] = from_json(hints[place], value, place)
        except ConfigError as error:
            errors += error.errors
    return parsed, errors


def describe(value: object) -> str:
    """Name a parsed JSON value shortly, in JSON's own words."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value[: MAX_SHOWN + 1] if isinstance(value, str) else value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


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
    return isinstance(value, hint)
