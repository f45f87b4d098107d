"""Everything that nncore raises on purpose.

InkwellError
├── ConfigError            a TrainConfig, or a part of one, is wrong; carries every error found
├── ShapeError             an array or a layer does not fit
├── TrainingError          training cannot go on
│   └── NonFiniteLossError     the loss became infinite or NaN
└── RegistryError          the store cannot give or take what was asked
    ├── NotFoundError          no such model, version or alias; says which exist
    ├── VersionInUseError      an alias names the version
    ├── AliasMovedError        an alias stands elsewhere than the caller wants
    ├── NothingBeforeError     an alias never named another version
    └── CorruptVersionError    what lies on disk is not what was published
"""

from collections.abc import Sequence
from typing import NamedTuple


class InkwellError(Exception):
    """Root of the errors below."""


class FieldError(NamedTuple):
    """One wrong field: a JSON pointer to it (RFC 6901), and what is wrong."""

    pointer: str
    detail: str


class ConfigError(InkwellError):
    """A training configuration is wrong; ``errors`` has each wrong field."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(f"{e.pointer or '/'}: {e.detail}" for e in self.errors))


class ShapeError(InkwellError):
    """An array or a layer does not fit; the message says what was expected and what came."""


class TrainingError(InkwellError):
    """Training cannot go on."""


class NonFiniteLossError(TrainingError):
    """The loss became infinite or NaN."""


class RegistryError(InkwellError):
    """The store cannot give or take what was asked."""


class NotFoundError(RegistryError):
    """No such model, version or alias."""


class VersionInUseError(RegistryError):
    """The version cannot be removed: an alias names it."""


class AliasMovedError(RegistryError):
    """The alias does not stand where the caller wants it to stand before it is moved."""


class NothingBeforeError(RegistryError):
    """The alias never named another version that it could name again."""


class CorruptVersionError(RegistryError):
    """What lies on disk is not what was published."""
