"""TrainConfig: a training run's configuration, and a job's payload."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nncore.arrays import Shape
from nncore.datasets import DATASETS, FEEDBACK, PICTURE, DatasetSpec
from nncore.errors import ShapeError
from nncore.layers import Dense, Layer, ReLU
from nncore.names import check_model_name
from nncore.network import Network, plan
from nncore.presets import PRESETS
from nncore.recipe import Recipe
from nncore.specs import describe, from_json, require_number, run_checks, to_json, unknown, wrong

PROMOTE = ("if_better", "always", "never")
MAX_DATASETS = 8
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
    dataset : str or tuple of str
        What is trained on: names of `DATASETS` or of uploaded ones, or "feedback", the corrected
        examples of `model`. The first says what is tested with.
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
    dataset: str | tuple[str, ...]
    network: tuple[Layer, ...] = DEFAULT_NETWORK
    seed: int = 0
    validation_fraction: float = 0.1
    promote: str = "if_better"
    preset: str | None = None
    start_from: int | str | None = None

    def __post_init__(self) -> None:
        run_checks(
            super().__post_init__, self._check_names, self._check_numbers, self._check_known_data
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
    def datasets(self) -> tuple[str, ...]:
        """The names of the data sets."""
        return (self.dataset,) if isinstance(self.dataset, str) else self.dataset

    @property
    def input_shape(self) -> Shape:
        """The shape of one row; all uploaded data are pictures."""
        known = DATASETS.get(self.datasets[0])
        return known.input_shape if known else PICTURE

    @property
    def start_version(self) -> int | None:
        """The number of the version to start from, as it stands in a queued job."""
        return None if self.start_from is None else int(self.start_from)

    def build_network(self, rng: np.random.Generator | None) -> Network:
        """Return the network for the data set's rows; `rng` draws its initial parameters."""
        network = Network(self.network, self.input_shape)
        if rng is not None:
            network.init(rng)
        return network

    def _check_names(self) -> None:
        run_checks(
            lambda: check_model_name(self.model, "/model"),
            self._check_datasets,
            lambda: _check_known("promote", "way to promote", self.promote, PROMOTE),
            lambda: _check_known("preset", "preset", self.preset, (None, *PRESETS)),
        )

    def _check_numbers(self) -> None:
        require_number("seed", self.seed, at_least=0, below=2**63)
        require_number("validation_fraction", self.validation_fraction, at_least=0, below=1)
        if self.early_stopping and not self.validation_fraction:
            raise wrong("/early_stopping", "It needs a validation_fraction above 0.")

    def _check_datasets(self) -> None:
        if not 1 <= len(self.datasets) <= MAX_DATASETS or len({*self.datasets}) < len(
            self.datasets
        ):
            raise wrong("/dataset", f"Expected 1 to {MAX_DATASETS} names, each once.")
        if self.datasets[0] == FEEDBACK:
            detail = f'Feedback alone has no test images: ["<a data set>", "{FEEDBACK}"].'
            raise wrong("/dataset", detail)

    def _check_known_data(self) -> None:
        known = DATASETS.get(self.datasets[0]) if self.datasets else None
        if known is not None:
            self.check_data(known)

    def check_data(self, dataset: DatasetSpec) -> None:
        """Raise ConfigError unless the network and the numbers fit the (first) data set."""
        run_checks(lambda: self._check_rows(dataset), lambda: self._check_network(dataset))

    def _check_rows(self, dataset: DatasetSpec) -> None:
        rows = dataset.train_rows
        if 0 <= self.validation_fraction < 1 and round(rows * self.validation_fraction) >= rows:
            raise wrong("/validation_fraction", f"Of {rows:,} rows none is left to train on.")

    def _check_network(self, dataset: DatasetSpec) -> None:
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
                f"{self.datasets[0]!r}; the last layer gives rows of shape {made.output_shape}.",
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
