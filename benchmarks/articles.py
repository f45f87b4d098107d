"""Trains the networks of the articles: ``make articles``.

Prints the results that `docs/articles.md` quotes, and draws the loss curves beside it. Name presets
to run those alone; ``--seeds N`` trains each with N seeds and shows the spread.
"""

import argparse
import itertools
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

from nncore.classifier import Classifier
from nncore.config import TrainConfig
from nncore.presets import PRESETS
from nncore.registry import Registry
from worker.datasets import load
from worker.job_folder import JobFolder
from worker.settings import Settings
from worker.training import run_training

PICTURES = Path(__file__).parents[1] / "docs" / "articles"
INK, PAPER = "#1f4e8c", "white"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("presets", nargs="*", metavar="PRESET", help=f"of {', '.join(PRESETS)}")
    parser.add_argument("--seeds", type=int, default=1, help="train each with so many seeds")
    given = parser.parse_args()
    for name in given.presets or PRESETS:
        runs = [train(name, seed) for seed in range(given.seeds)] if given.seeds > 1 else []
        print(report(name, runs or [train(name, None)]), flush=True)


def train(name: str, seed: int | None) -> dict[str, Any]:
    """Train a preset in a store of its own; return what came of it."""
    payload = {"model": "article", "preset": name}
    config = TrainConfig.from_dict(payload if seed is None else payload | {"seed": seed})
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(store=Path(folder), mnist_dir=mnist_dir())
        result = run_training(
            config, settings, job_id=name, folder=JobFolder(settings.store, name, "once")
        )
        seconds = time.perf_counter() - started
        history = Registry(settings.store).manifest("article", result["version"]).history
        losses = [line["loss"] for line in history]
        answers = four_answers(settings) if config.dataset == "xor" else None
    if seed in (None, config.seed):
        draw(name, losses)
    return {
        "seed": config.seed,
        "accuracy": result["test_accuracy"],
        "losses": losses,
        "seconds": seconds,
        "answers": answers,
    }


def mnist_dir() -> Path | None:
    named = os.environ.get("INKWELL_MNIST_DIR")
    return Path(named) if named else None


def four_answers(settings: Settings) -> list[float]:
    """Return what the toy network answers to its four rows: the probability of 1."""
    version = Registry(settings.store).load("article", 1)
    rows = load("xor", settings).test.pixels
    return [round(float(p), 3) for p in Classifier.of(version).probabilities(rows)[:, 1]]


def draw(name: str, losses: list[float]) -> None:
    """Draw the loss curve into docs/articles/<name>.png."""
    PICTURES.mkdir(exist_ok=True)
    figure, axes = plt.subplots(figsize=(6, 2.6), layout="constrained")
    axes.plot(range(1, len(losses) + 1), losses, color=INK, linewidth=1.6)
    axes.set(xlabel="epoch", ylabel="loss", xlim=(1, len(losses)), ylim=(0, None), title=name)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(PICTURES / f"{name}.png", dpi=110, facecolor=PAPER, metadata={"Software": None})
    plt.close(figure)


def report(name: str, runs: list[dict[str, Any]]) -> str:
    accuracies = [run["accuracy"] for run in runs]
    losses = runs[0]["losses"]
    falling = all(later <= earlier for earlier, later in itertools.pairwise(losses))
    lines = [
        f"{name}: accuracy {accuracies[0]:.2%} (seed {runs[0]['seed']}), "
        f"loss {losses[0]:.4g} to {losses[-1]:.4g}, {'never rising, ' if falling else ''}"
        f"{runs[0]['seconds']:.1f} s"
    ]
    if runs[0]["answers"]:
        lines.append(f"  answers to the four rows: {runs[0]['answers']}")
    if len(runs) > 1:
        spread = ", ".join(f"{a:.2%}" for a in accuracies)
        lines.append(f"  {len(runs)} seeds: {spread}")
        lines.append(
            f"  least {min(accuracies):.2%}, median {statistics.median(accuracies):.2%}, "
            f"most {max(accuracies):.2%}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
