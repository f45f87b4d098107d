"""TrainConfig: a training run's configuration, and a job's payload."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from nncore import specs
from nncore.datasets import DATASETS
from nncore.errors import ConfigError, FieldError, ShapeError
from nncore.layers import Dense, Layer, ReLU, layer_from_json, layer_to_json
from nncore.losses import LOSSES, Loss, SoftmaxCrossEntropy
from nncore.names import check_model_name
from nncore.network import Network, plan
from nncore.optimizers import OPTIMIZERS, Adam, Optimizer
from nncore.schedules import SCHEDULES, Cosine, Schedule
from nncore.specs import from_spec, require_number, to_spec, unknown, wrong

PROMOTE = ("if_better", "always", "never")
MAX_LAYERS = 200
MAX_PARAMS = 20_000_000  # 80 MB of weights, four times that in training
DEFAULT_NETWORK: tuple[Layer, ...] = (Dense(128), ReLU(), Dense(64), ReLU(), Dense(10))
DEFAULT_LOSS = SoftmaxCrossEntropy()
DEFAULT_OPTIMIZER = Adam()
DEFAULT_SCHEDULE = Cosine()


@dataclass(frozen=True)
class TrainConfig:
    """What to train, on what, how; checks itself (ConfigError, with every error found).

    Parameters
    ----------
    model : str
        The name under which the version is published.
    dataset : str
        One of `DATASETS`.
    network, loss, optimizer, schedule
        In JSON: specs, ``{"type": "adam", "learning_rate": 0.001}``.
    epochs, batch_size : int
    seed : int
        Of initial weights, split and shuffling. Same seed, data and machine: same weights.
    validation_fraction : float
        Share of the training images held out to measure each epoch, 0 <= share < 1.
    promote : str
        "if_better": where the test accuracy is not below the live version's on the same images;
        "always", "never".
    """

    model: str
    dataset: str
    network: tuple[Layer, ...] = DEFAULT_NETWORK
    loss: Loss = DEFAULT_LOSS
    optimizer: Optimizer = DEFAULT_OPTIMIZER
    schedule: Schedule = DEFAULT_SCHEDULE
    epochs: int = 10
    batch_size: int = 64
    seed: int = 0
    validation_fraction: float = 0.1
    promote: str = "if_better"

    def __post_init__(self) -> None:
        errors: list[FieldError] = []
        for check in (self._check_names, self._check_numbers, self._check_network):
            try:
                check()
            except ConfigError as error:
                errors.extend(error.errors)
        if errors:
            raise ConfigError(errors)

    @classmethod
    def from_dict(cls, payload: object) -> "TrainConfig":
        """Build from parsed JSON. Raises ConfigError: unknown keys and types are errors too."""
        if not isinstance(payload, Mapping):
            raise wrong("", f"Expected an object; got {specs.describe(payload)}.")
        values = dict(payload)
        errors: list[FieldError] = []
        for key, parse in _PARSERS.items():
            if key in values:
                try:
                    values[key] = parse(values[key])
                except ConfigError as error:
                    errors.extend(error.errors)
                    del values[key]
        try:
            config = specs.build(cls, values, kind="key", pointer="")
        except ConfigError as error:
            raise ConfigError([*error.errors, *errors]) from None
        if errors:
            raise ConfigError(errors)
        return config

    def to_dict(self) -> dict[str, Any]:
        """Return the whole configuration as JSON values; `from_dict` takes it back."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return values | {
            "network": [layer_to_json(layer) for layer in self.network],
            "loss": to_spec(self.loss, LOSSES),
            "optimizer": to_spec(self.optimizer, OPTIMIZERS),
            "schedule": to_spec(self.schedule, SCHEDULES),
        }

    def build_network(self, rng: np.random.Generator) -> Network:
        """Return the network for the data set's rows, with initial parameters from `rng`."""
        network = Network(self.network, DATASETS[self.dataset].input_shape)
        network.init(rng)
        return network

    def _check_names(self) -> None:
        check_model_name(self.model, "/model")
        if self.dataset not in DATASETS:
            raise wrong("/dataset", unknown("data set", self.dataset, DATASETS))
        if self.promote not in PROMOTE:
            raise wrong("/promote", unknown("way to promote", self.promote, PROMOTE))

    def _check_numbers(self) -> None:
        require_number("epochs", self.epochs, at_least=1, at_most=100_000)
        require_number("batch_size", self.batch_size, at_least=1, at_most=100_000)
        require_number("seed", self.seed, at_least=0, below=2**63)
        require_number("validation_fraction", self.validation_fraction, at_least=0, below=1)

    def _check_network(self) -> None:
        if not 1 <= len(self.network) <= MAX_LAYERS:
            raise wrong("/network", f"Expected 1 to {MAX_LAYERS} layers; got {len(self.network)}.")
        dataset = DATASETS.get(self.dataset)
        if dataset is None:
            return
        try:
            _, size = plan(self.network, dataset.input_shape)
            shape = dataset.input_shape
            for layer in self.network:
                shape = layer.output_shape(shape)
        except ShapeError as error:
            raise wrong("/network", str(error)) from None
        if shape != (len(dataset.labels),):
            raise wrong(
                "/network",
                f"Expected {len(dataset.labels)} outputs, one for each label of "
                f"{self.dataset!r}; the last layer gives {shape}.",
            )
        if not 1 <= size <= MAX_PARAMS:
            raise wrong("/network", f"Expected 1 to {MAX_PARAMS:,} parameters; got {size:,}.")


def _parse_network(value: object) -> tuple[Layer, ...]:
    if not isinstance(value, list):
        raise wrong("/network", f"Expected a list of layers; got {specs.describe(value)}.")
    layers: list[Layer] = []
    errors: list[FieldError] = []
    for position, spec in enumerate(value[: MAX_LAYERS + 1]):
        try:
            layers.append(layer_from_json(spec, f"/network/{position}"))
        except ConfigError as error:
            errors.extend(error.errors)
    if errors:
        raise ConfigError(errors)
    return tuple(layers)


_PARSERS: dict[str, Callable[[object], Any]] = {
    "network": _parse_network,
    "loss": lambda value: from_spec(value, LOSSES, "loss", "/loss"),
    "optimizer": lambda value: from_spec(value, OPTIMIZERS, "optimizer", "/optimizer"),
    "schedule": lambda value: from_spec(value, SCHEDULES, "schedule", "/schedule"),
}
