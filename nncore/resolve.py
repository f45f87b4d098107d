"""A payload against the store: what it names there is looked up before it becomes a job."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nncore.config import TrainConfig
from nncore.dataset_store import DatasetStore
from nncore.datasets import DATASETS, FEEDBACK, DatasetSpec
from nncore.errors import RegistryError, ShapeError
from nncore.layers import Dense
from nncore.names import is_model_name
from nncore.object_store import Store
from nncore.registry import Registry
from nncore.specs import run_checks, to_json, unknown, wrong


def resolve(payload: Mapping[str, Any], store: Store) -> TrainConfig:
    """Return the configuration that `payload` asks for.

    Where it says ``start_from``, that becomes the number of the version, whose network and loss
    stand for those that the payload does not name. A network that the payload does not name gets
    as many outputs as the data have labels.

    Raises
    ------
    ConfigError
        With every error found, also where a version or a data set is not there, or does not fit.
    """
    registry, started, read = Registry(store), dict(payload), list[TrainConfig]()
    run_checks(
        lambda: started.update(_start(payload, registry)),
        lambda: _check_datasets(payload.get("dataset"), DatasetStore(store)),
        lambda: read.append(TrainConfig.from_dict(started)),
    )
    (config,) = read
    data = spec_of(config, store)
    if "network" not in started:
        config = _with_outputs(config, len(data.labels))
    config.check_data(data)
    _check_start(config, registry)
    return config


def spec_of(config: TrainConfig, store: Store) -> DatasetSpec:
    """Return what the data sets of `config` are together.

    Raises
    ------
    ConfigError
        If they do not go together.
    RegistryError
        If one is not there.
    """
    uploaded = DatasetStore(store)
    first, *others = (
        DATASETS.get(name) or uploaded.spec(name) for name in config.datasets if name != FEEDBACK
    )
    for name, other in zip(config.datasets[1:], others, strict=False):
        if other.input_shape != first.input_shape or not {*other.labels} <= {*first.labels}:
            detail = f"{name!r} has other rows or labels than {config.datasets[0]!r}."
            raise wrong("/dataset", detail)
    return first._replace(train_rows=first.train_rows + sum(o.train_rows for o in others))


def _with_outputs(config: TrainConfig, labels: int) -> TrainConfig:
    """Return the configuration with so many units in the network's last layer that has some."""
    outputs, network = config.loss.outputs(labels), [*config.network]
    dense = [(i, layer) for i, layer in enumerate(network) if isinstance(layer, Dense)]
    place, last = dense[-1]  # every preset has one
    if last.units in outputs:
        return config
    network[place] = replace(last, units=outputs[0])
    return replace(config, network=tuple(network))


def _check_datasets(named: Any, uploaded: DatasetStore) -> None:
    """Raise ConfigError where a data set is named that is not there."""
    places = {"/dataset": named}
    if isinstance(named, list):
        places = {f"/dataset/{i}": name for i, name in enumerate(named)}
    known = (*DATASETS, *uploaded.names(), FEEDBACK)
    for place, name in places.items():
        if isinstance(name, str) and name not in known:
            raise wrong(place, unknown("data set", name, known))


def _check_start(config: TrainConfig, registry: Registry) -> None:
    """Raise ConfigError unless the network can begin with the version that it is to start from."""
    if config.start_version is None:
        return
    try:
        version = registry.load(config.model, config.start_version)
        config.build_network(None).from_tensors(version.network.to_tensors())
    except (RegistryError, ShapeError) as error:
        detail = f"Version {config.start_from} cannot be gone on from: {error}"
        raise wrong("/start_from", detail) from None


def _start(payload: Mapping[str, Any], registry: Registry) -> dict[str, Any]:
    """Return what follows from where `payload` says to start."""
    model, reference = str(payload.get("model")), payload.get("start_from")
    if not is_model_name(model) or type(reference) not in (int, str):
        return {}  # nothing to look up, or an error that is told elsewhere
    try:
        number = registry.resolve(model, str(reference))
        manifest = registry.manifest(model, number)
    except RegistryError as error:
        raise wrong("/start_from", str(error)) from None
    same = {"network": to_json(manifest.layers), "loss": to_json(manifest.loss)}
    asked = payload if payload.get("preset") is None else {**payload, **same}
    return {"start_from": number, **{k: v for k, v in same.items() if k not in asked}}
