"""A payload against the store: what it names there is looked up before it becomes a job."""

from collections.abc import Mapping
from typing import Any

from nncore.config import TrainConfig
from nncore.errors import RegistryError, ShapeError
from nncore.names import is_model_name
from nncore.registry import Registry
from nncore.specs import run_checks, to_json, wrong


def resolve(payload: Mapping[str, Any], registry: Registry) -> TrainConfig:
    """Return the configuration that `payload` asks for.

    Where it says ``start_from``, that becomes the number of the version, whose network and loss
    stand for those that the payload does not name.

    Raises
    ------
    ConfigError
        With every error found, also where the version is not there or has another network.
    """
    started, read = dict(payload), list[TrainConfig]()
    run_checks(
        lambda: started.update(_start(payload, registry)),
        lambda: read.append(TrainConfig.from_dict(started)),
    )
    (config,) = read
    check_start(config, registry)
    return config


def check_start(config: TrainConfig, registry: Registry) -> None:
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
