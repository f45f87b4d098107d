"""TrainConfig: a training run's configuration, and a job's payload."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nncore.datasets import DATASETS
from nncore.errors import ShapeError
from nncore.layers import Dense, Layer, ReLU
from nncore.names import check_model_name
from nncore.network import Network, plan
from nncore.presets import PRESETS
from nncore.recipe import Recipe
from nncore.specs import describe, from_json, require_number, run_checks, to_json, unknown, wrong

PROMOTE = ("if_better", "always", "never")
MAX_PARAMS = 20_000_000  # 80 MB of weights, four times that in training
MAX_KEPT = 250_000_000  # 1 GB of what forward keeps, and as much again backward
DEFAULT_NETWORK: tuple[Layer, ...] = (Dense(128), ReLU(), Dense(64), ReLU(), Dense(10))


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Recipe):
    """What to train, on what, how; checks itself (ConfigError, with every error found).

    Parameters
    ----------
    model : str
        The name under which the version is published.
    dataset : str
        One of `DATASETS`.
    network : tuple of Layer
    seed : int
        Of initial weights, split and shuffling. Same seed, data and machine: same weights.
    validation_fraction : float
        Share of the training images held out to measure each epoch, 0 <= share < 1.
    promote : str
        "if_better": where a paired test on the test images rules out that it is worse than the
        live version by 0.2 points, and no class falls by more than two; "always", "never".
    preset : str or None
        One of `PRESETS`: what the other keys are where they are not given.
    start_from : int, str or None
        The version of `model` whose parameters the run begins with; an alias where it was posted
        so, and a number as soon as it is queued (`resolve`).

    The rest is a `Recipe`.
    """

    model: str
    dataset: str
    network: tuple[Layer, ...] = DEFAULT_NETWORK
    seed: int = 0
    validation_fraction: float = 0.1
    promote: str = "if_better"
    preset: str | None = None
    start_from: int | str | None = None

    def __post_init__(self) -> None:
        run_checks(
            super().__post_init__, self._check_names, self._check_numbers, self._check_network
        )

    @classmethod
    def from_dict(cls, payload: object) -> "TrainConfig":
        """Build from parsed JSON. Raises ConfigError: unknown keys and types are errors too."""
        if not isinstance(payload, Mapping):
            raise wrong("", f"Expected an object; got {describe(payload)}.")
        config: TrainConfig = from_json(cls, _with_preset(payload))
        return config

    def to_dict(self) -> dict[str, Any]:
        """Return the whole configuration as JSON values; `from_dict` takes it back."""
        values: dict[str, Any] = to_json(self)
        return values

    @property
    def start_version(self) -> int | None:
        """The number of the version to start from, as it stands in a queued job."""
        return None if self.start_from is None else int(self.start_from)

    def build_network(self, rng: np.random.Generator | None) -> Network:
        """Return the network for the data set's rows; `rng` draws its initial parameters."""
        network = Network(self.network, DATASETS[self.dataset].input_shape)
        if rng is not None:
            network.init(rng)
        return network

    def _check_names(self) -> None:
        run_checks(
            lambda: check_model_name(self.model, "/model"),
            lambda: _check_known("dataset", "data set", self.dataset, DATASETS),
            lambda: _check_known("promote", "way to promote", self.promote, PROMOTE),
            lambda: _check_known("preset", "preset", self.preset, (None, *PRESETS)),
        )

    def _check_numbers(self) -> None:
        require_number("seed", self.seed, at_least=0, below=2**63)
        require_number("validation_fraction", self.validation_fraction, at_least=0, below=1)
        rows = DATASETS[self.dataset].train_rows if self.dataset in DATASETS else 1
        if round(rows * self.validation_fraction) >= rows:
            raise wrong("/validation_fraction", f"Of {rows:,} rows none is left to train on.")
        if self.early_stopping and not self.validation_fraction:
            raise wrong("/early_stopping", "It needs a validation_fraction above 0.")

    def _check_network(self) -> None:
        dataset = DATASETS.get(self.dataset)
        if dataset is None:
            return
        try:
            made = plan(self.network, dataset.input_shape)
        except ShapeError as error:
            raise wrong("/network", str(error)) from None
        allowed = [(outputs,) for outputs in self.loss.outputs(len(dataset.labels))]
        if made.output_shape not in allowed:
            expected = " or ".join(str(outputs) for (outputs,) in allowed)
            raise wrong(
                "/network",
                f"Expected {expected} outputs for the {len(dataset.labels)} labels of "
                f"{self.dataset!r}; the last layer gives rows of shape {made.output_shape}.",
            )
        rows = min(self.batch_size or dataset.train_rows, dataset.train_rows)
        if rows * made.kept > MAX_KEPT:
            raise wrong(
                "/batch_size",
                f"Expected at most {MAX_KEPT:,} numbers between the layers for a batch; "
                f"{rows:,} rows give {rows * made.kept:,}.",
            )
        if not 1 <= made.size <= MAX_PARAMS:
            raise wrong("/network", f"Expected 1 to {MAX_PARAMS:,} parameters; got {made.size:,}.")


def _with_preset(payload: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return `payload` over what its preset says, if it names one that exists."""
    name = payload.get("preset")
    preset = PRESETS.get(name, {}) if isinstance(name, str) else {}
    return {**preset, **payload}


def _check_known(key: str, kind: str, name: str | None, known: Collection[str | None]) -> None:
    if name not in known:
        raise wrong(f"/{key}", unknown(kind, name, [k for k in known if k is not None]))
