"""Names that become a part of a path and of an address."""

import re

from nncore.specs import wrong

_MODEL = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}")
_ALIAS = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


def is_model_name(text: object) -> bool:
    """Tell whether `text` may name a model."""
    return isinstance(text, str) and _MODEL.fullmatch(text) is not None


def is_alias_name(text: object) -> bool:
    """Tell whether `text` may name an alias: it is never mistaken for a number or a file."""
    return isinstance(text, str) and _ALIAS.fullmatch(text) is not None


def check_model_name(text: object, pointer: str) -> None:
    """Raise ConfigError at `pointer` unless `text` may name a model."""
    if not is_model_name(text):
        rule = "1 to 64 letters, digits, '_', '-' or '.', the first not '.'"
        raise wrong(pointer, f"Expected {rule}; got {str(text)[:80]!r}.")


def check_alias_name(text: object, pointer: str) -> None:
    """Raise ConfigError at `pointer` unless `text` may name an alias."""
    if not is_alias_name(text):
        rule = "1 to 64 letters, digits, '_' or '-', the first a letter or '_'"
        raise wrong(pointer, f"Expected {rule}; got {str(text)[:80]!r}.")
