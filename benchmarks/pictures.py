"""How pictures of digits are read: ``python -m benchmarks.pictures``.

Made pictures (`tests/pictures`), by kind of paper and pen: how many of them the networks of the
presets `serving` and `first` read right, and how many of the same digits without paper and camera.
What is not in the store is trained, which takes minutes; name one with ``--store`` to keep it.
"""

import argparse
import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.machine import machine
from nncore.classifier import Classifier
from nncore.config import TrainConfig
from nncore.idx import read_idx
from nncore.registry import Registry
from tests.pictures.photographs import photographs
from tests.pictures.reading import see
from worker.job_folder import JobFolder
from worker.settings import Settings
from worker.training import run_training

PRESETS = ("serving", "first")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--store", type=Path)
    arguments = parser.parse_args()
    folder = Path(os.environ["INKWELL_MNIST_DIR"])
    with store(arguments.store) as path, threadpool_limits(1):
        settings = Settings(store=path, mnist_dir=folder)
        networks = {preset: trained(preset, settings) for preset in PRESETS}
        images = read_idx(folder / "t10k-images-idx3-ubyte.gz")
        labels = read_idx(folder / "t10k-labels-idx1-ubyte.gz")
        print(machine(), end="\n\n")
        seen = see(photographs(arguments.count, arguments.seed, images, labels))
        right = {preset: seen.right(network) for preset, network in networks.items()}
        report(seen.traits, right)
        reading = 1000 * statistics.median(seen.seconds)
        print(f"\nReading a picture takes {reading:.0f} ms of a core (median).")
        for preset, network in networks.items():
            print(f"The network of {preset}: {1000 * seconds_of(network, seen.pictures):.2f} ms.")


def report(traits: list[tuple[str, ...]], right: dict[str, tuple[Any, Any]]) -> None:
    """Print a row for all pictures and one for each trait: shares read right, and of clean ones."""
    print("|  | pictures |" + "".join(f" {p} | on their own |" for p in right))
    print("| --- | ---: |" + " ---: | ---: |" * len(right))
    for trait in ["all", *sorted({trait for each in traits for trait in each})]:
        rows = np.array([trait in ("all", *each) for each in traits])
        shares = [f" {100 * which[rows].mean():.1f} |" for pair in right.values() for which in pair]
        print(f"| {trait} | {rows.sum()} |" + "".join(shares))


@contextlib.contextmanager
def store(named: Path | None) -> Iterator[Path]:
    """Yield the folder that was named, or one that is gone afterwards."""
    with tempfile.TemporaryDirectory() as temporary:
        yield named or Path(temporary)


def trained(preset: str, settings: Settings) -> Classifier:
    """Return the network of a preset, trained as a job is, unless it is in the store."""
    registry = Registry(settings.store)
    if not registry.versions(preset):
        config = TrainConfig.from_dict({"model": preset, "preset": preset})
        start = time.process_time()
        run_training(config, settings, job_id=preset, folder=JobFolder(settings.store, preset, "1"))
        print(f"Training {preset} took {time.process_time() - start:.0f} s of a core.")
    return Classifier.of(registry.load(preset, registry.versions(preset)[-1]))


def seconds_of(network: Classifier, pictures: Any) -> float:
    """Return the processor time of the network for one picture, the median."""
    times = []
    for row in pictures[:200]:
        start = time.process_time()
        network.predict(row[None])
        times.append(time.process_time() - start)
    return statistics.median(times)


if __name__ == "__main__":
    main()
