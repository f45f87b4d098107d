"""The manifest: all that is known of a version, beside its weights."""

import platform
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import version as package_version
from typing import Any

import numpy as np

from nncore.errors import ConfigError, CorruptVersionError, ShapeError
from nncore.layers import Layer
from nncore.losses import Loss
from nncore.network import Network
from nncore.scaling import PixelScaler
from nncore.specs import from_json

SCHEMA = 1


@dataclass(frozen=True)
class Manifest:
    """What a version is and where it comes from; JSON values only.

    ``layers``, ``input_shape``, ``pixel_scaling``, ``loss`` and ``labels`` say how to answer with
    it; the rest says how it came to be. ``weights_sha256`` is filled in by the registry.
    """

    model: str
    layers: list[dict[str, Any]]
    input_shape: list[int]
    pixel_scaling: dict[str, float]
    loss: dict[str, Any]
    labels: list[str]
    config: dict[str, Any]
    seed: int
    dataset: dict[str, Any]
    metrics: dict[str, Any]
    history: list[dict[str, Any]]
    parent: int | None
    job_id: str | None
    libraries: dict[str, str]
    created_at: str
    weights_sha256: str = ""
    schema: int = SCHEMA

    @classmethod
    def from_dict(cls, values: object) -> "Manifest":
        """Build from parsed JSON. Raises CorruptVersionError where it is no manifest we know."""
        if not isinstance(values, dict) or "schema" not in values:
            raise CorruptVersionError("The manifest is not a JSON object with a schema number.")
        if values["schema"] != SCHEMA:
            raise CorruptVersionError(
                f"The manifest has schema {values['schema']!r}; this program reads {SCHEMA}."
            )
        names = {field.name for field in fields(cls)}
        if names != set(values):
            odd = ", ".join(sorted(names ^ set(values)))
            raise CorruptVersionError(f"The manifest's keys are not those of its schema: {odd}.")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest as JSON values."""
        return asdict(self)

    def build_network(self) -> Network:
        """Return the network, its parameters still 0. Raises CorruptVersionError."""
        try:
            return Network(from_json(tuple[Layer, ...], self.layers), self.input_shape)
        except (ConfigError, ShapeError) as error:
            raise CorruptVersionError(f"The manifest's layers do not fit: {error}") from error

    def build_scaler(self) -> PixelScaler:
        """Return the scaling that the network was trained with."""
        return PixelScaler(**self.pixel_scaling)

    def build_loss(self) -> Loss:
        """Return the loss, which knows how outputs become probabilities."""
        loss: Loss = from_json(Loss, self.loss)
        return loss


def libraries() -> dict[str, str]:
    """Return the versions that the weights may depend on."""
    return {
        "inkwell": package_version("inkwell-serving"),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def now() -> str:
    """Return the time in UTC, RFC 3339, to the microsecond."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
