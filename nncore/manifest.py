"""The manifest: all that is known of a version, beside its weights."""

import hashlib
import json
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as package_version
from typing import Any

import numpy as np

from nncore.errors import ConfigError, CorruptVersionError, ShapeError
from nncore.layers import Layer
from nncore.losses import Loss
from nncore.network import Network
from nncore.scaling import PixelScaler
from nncore.specs import describe, from_json, to_json

SCHEMA = 1
MAX_INPUTS = 1_000_000


@dataclass(frozen=True)
class TrainedOn:
    """The data of a version: their name, hash and numbers of rows.

    ``feedback`` is how far the model's file of corrected examples was read, in lines.
    """

    name: str
    sha256: str
    train_rows: int
    test_rows: int
    feedback: int = 0


@dataclass(frozen=True)
class Machine:
    """Where a version was trained: what its last bits depend on, beside data, code and libraries.

    ``blas`` is the library of the matrix products with the kind of processor that it chose its code
    for; with other sums it ends a training with other weights.
    """

    processor: str
    architecture: str
    blas: str
    blas_threads: int


@dataclass(frozen=True)
class Manifest:
    """What a version is and where it comes from.

    ``layers``, ``input_shape``, ``pixel_scaling``, ``loss`` and ``labels`` say how to answer with
    it; the rest says how it came to be. The registry fills in the hashes when it publishes:
    ``golden_sha256`` where there are golden vectors, ``sketch_sha256`` where the data were
    sketched, ``manifest_sha256`` last, of all the others.
    """

    model: str
    layers: tuple[Layer, ...]
    input_shape: tuple[int, ...]
    pixel_scaling: PixelScaler
    loss: Loss
    labels: tuple[str, ...]
    config: dict[str, Any]
    seed: int
    dataset: TrainedOn
    metrics: dict[str, Any]
    history: list[dict[str, Any]]
    parent: int | None
    job_id: str | None
    libraries: dict[str, str]
    created_at: str
    code_sha256: str = ""
    machine: Machine | None = None
    weights_sha256: str = ""
    golden_sha256: str = ""
    sketch_sha256: str = ""
    manifest_sha256: str = ""
    schema: int = SCHEMA

    @classmethod
    def from_dict(cls, values: object) -> "Manifest":
        """Build from parsed JSON.

        Raises
        ------
        CorruptVersionError
            If it is no manifest that we know, or not as it was published.
        """
        if not isinstance(values, dict) or "schema" not in values:
            raise CorruptVersionError("The manifest is not a JSON object with a schema number.")
        if values["schema"] != SCHEMA:
            raise CorruptVersionError(
                f"The manifest has schema {describe(values['schema'])}; "
                f"this program reads {SCHEMA}."
            )
        try:
            manifest: Manifest = from_json(cls, values)
        except ConfigError as error:
            raise CorruptVersionError(f"The manifest is wrong: {error}") from error
        # Of what is written there: a field that came with a later Inkwell has no part in it.
        if manifest.manifest_sha256 and manifest.manifest_sha256 != digest(values):
            raise CorruptVersionError("manifest.json is not as it was published.")
        return manifest

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest as JSON values."""
        values: dict[str, Any] = to_json(self)
        return values

    def build_network(self) -> Network:
        """Return the network, its parameters still 0. Raises CorruptVersionError."""
        try:
            if not all(0 < length <= MAX_INPUTS for length in self.input_shape):
                raise ShapeError(f"an input shape of {self.input_shape}.")
            network = Network(self.layers, self.input_shape)
        except ShapeError as error:
            raise CorruptVersionError(f"The manifest's layers do not fit: {error}") from error
        if network.output_shape not in [(k,) for k in self.loss.outputs(len(self.labels))]:
            raise CorruptVersionError(
                f"The manifest names {len(self.labels)} labels; the network gives rows of shape "
                f"{network.output_shape}."
            )
        return network


def digest(values: dict[str, Any]) -> str:
    """Return the SHA-256 of all that a manifest says but `manifest_sha256`, as JSON."""
    text = json.dumps(values | {"manifest_sha256": ""}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def libraries() -> dict[str, str]:
    """Return the versions that the weights may depend on."""
    return {
        "inkwell": package_version("inkwell-serving"),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "scikit-learn": package_version("scikit-learn"),
    }


def now() -> str:
    """Return the time in UTC, RFC 3339, to the microsecond."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
