"""``python -m worker.verify MODEL VERSION``: train again, compare, name what differs.

Same data, code, libraries and processor give the same weights, byte for byte. Where the weights are
the same, the version is what its manifest says; where they are not, what differs is named.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nncore.arrays import Floats
from nncore.config import TrainConfig
from nncore.errors import InkwellError
from nncore.manifest import Manifest, libraries
from nncore.registry import Registry, Version
from nncore.training import ignore
from worker import datasets
from worker.datasets import Dataset
from worker.job_folder import JobFolder
from worker.receipt import CODE_SHA256, this_machine
from worker.settings import Settings, SettingsError
from worker.training import Run, blas_threads

SAME, DIFFERENT, UNVERIFIED = 0, 1, 2  # exit codes
SHOWN_OF_HASH = 12


class Fact(NamedTuple):
    """Something that weights depend on: as the manifest has it, and as it is here."""

    name: str
    there: str
    here: str

    @property
    def differs(self) -> bool:
        """Whether the two are not the same; what the manifest does not tell may be."""
        return self.there != self.here


class Verified(NamedTuple):
    """What was found: whether all is the same, what weights depend on, how the weights differ.

    ``differences`` is None where there was nothing to train on that could be the same.
    """

    model: str
    version: int
    same: bool
    facts: list[Fact]
    differences: list[str] | None


def main(arguments: list[str]) -> int:
    """Verify a version and print what was found. Return the exit code."""
    as_json = "--json" in arguments
    named = [argument for argument in arguments if argument != "--json"]
    if len(named) != 2:
        print("Usage: python -m worker.verify MODEL VERSION [--json]", file=sys.stderr)
        return UNVERIFIED
    try:
        settings = Settings.from_env()
        registry = Registry(settings.store)
        model, reference = named
        version = registry.load(model, registry.resolve(model, reference))
        found = verify(version, settings, ignore if as_json else _say)
    except (InkwellError, SettingsError, OSError) as error:
        print(f"Not verified: {error}", file=sys.stderr)
        return UNVERIFIED
    if as_json:
        facts = [{**fact._asdict(), "differs": fact.differs} for fact in found.facts]
        print(json.dumps({**found._asdict(), "facts": facts}, indent=2))
    return SAME if found.same else DIFFERENT


def verify(version: Version, settings: Settings, say: Callable[[str], object]) -> Verified:
    """Train `version` again as its manifest says; say what differs, as soon as it is known.

    Raises
    ------
    ConfigError, DatasetError, NonFiniteLossError
        If its configuration cannot be run, its data cannot be had, the training diverges.
    """
    manifest = version.manifest
    config = TrainConfig.from_dict(manifest.config)
    dataset = datasets.load_all(config, settings, lambda _: manifest.dataset.feedback)
    say(f"{manifest.model} version {version.number}, made {manifest.created_at}.")
    facts = list(_facts(manifest, config, dataset))
    for fact in facts:
        say(_told(fact))
    found = Verified(manifest.model, version.number, False, facts, None)
    if facts[0].differs:
        say("Not trained again: these are not the data that it was trained on.")
        return found
    say(f"Training again: {config.epochs} epochs.")
    run, metrics = train_again(config, dataset, Registry(settings.store))
    differing = list(differences(version.network.to_tensors(), run.network.to_tensors()))
    found = found._replace(same=not differing, differences=differing)
    if not differing:
        say(f"The weights are the same, byte for byte: SHA-256 {manifest.weights_sha256}.")
        return found
    for line in differing:
        say(line)
    accuracies = manifest.metrics.get("test_accuracy"), metrics["test_accuracy"]
    say("Test accuracy: {} there, {} here.".format(*accuracies))
    names = ", ".join(fact.name for fact in facts if fact.differs)
    say(f"The weights differ. So does: {names or 'nothing that the manifest tells'}.")
    return found


def train_again(
    config: TrainConfig, dataset: Dataset, registry: Registry
) -> tuple[Run, dict[str, Any]]:
    """Return a run of its own, trained and calibrated, and its measures."""
    with tempfile.TemporaryDirectory() as folder:
        own = JobFolder(Path(folder), "verify", "verify")
        own.take()
        run = Run(config, dataset, own, registry)
        run.train(ignore, lambda: False)
        return run, run.calibrate_and_measure()


def differences(there: dict[str, Floats], here: dict[str, Floats]) -> Iterator[str]:
    """Say of each tensor that is not the same, byte for byte, how it differs."""
    for name in sorted(there.keys() | here.keys()):
        if name not in there or name not in here:
            yield f"{name}: only {'there' if name in there else 'here'}."
        elif there[name].shape != here[name].shape:
            yield f"{name}: shape {there[name].shape} there, {here[name].shape} here."
        elif there[name].tobytes() != here[name].tobytes():
            off = np.abs(there[name].astype(np.float64) - here[name])
            yield (
                f"{name}: {np.count_nonzero(off):,} of {off.size:,} numbers differ, "
                f"by up to {off.max():.2g}."
            )


def _facts(manifest: Manifest, config: TrainConfig, dataset: Dataset) -> Iterator[Fact]:
    """Yield all that the weights depend on, the data first."""
    yield Fact("data", manifest.dataset.sha256, dataset.sha256())
    yield Fact("code", manifest.code_sha256, CODE_SHA256)
    here = libraries()
    for name in here:
        yield Fact(name, manifest.libraries.get(name, ""), here[name])
    machine = this_machine(blas_threads(config))
    for name, value in vars(machine).items():
        told = getattr(manifest.machine, name) if manifest.machine else ""
        yield Fact(name.replace("_", " "), str(told), str(value))


def _told(fact: Fact) -> str:
    here = _short(fact.here)
    if not fact.differs:
        return f"  {fact.name:<14} the same: {here}"
    return f"  {fact.name:<14} differs: {_short(fact.there) or 'not told'} there, {here} here"


def _short(text: str) -> str:
    is_hash = len(text) == 64 and " " not in text
    return text[:SHOWN_OF_HASH] if is_hash else text


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
