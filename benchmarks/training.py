"""The leaderboard of training: ``make bench-training``.

Ours beside PyTorch and scikit-learn on the same work, in one run. Each contender has a process of
its own; they work in turn, round after round, and what is told are medians and ratios of medians.
Name sections to run those alone; the last takes a quarter of an hour.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.machine import machine
from nncore.arrays import Floats
from nncore.config import TrainConfig
from nncore.idx import read_idx
from nncore.layers.activations import sigmoid
from nncore.memory import keep_freed_memory
from nncore.scaling import PixelScaler
from nncore.training import Examples, evaluate, fit

ROUNDS = 9
ROWS = 20_000  # of a round
CNN_ROWS = 4_000
RECORDS = 1_000  # of a round of the article's own way
DENSE = {"model": "m", "dataset": "mnist", "epochs": 1, "validation_fraction": 0.0}
LENET = {"model": "m", "dataset": "mnist", "preset": "lenet", "epochs": 1}
ARTICLE = {"model": "m", "dataset": "mnist", "preset": "mini-batch-sse"}

ONE_CYCLE = {"validation_fraction": 0.0, "schedule": {"type": "one_cycle"}}
# The best that we know for so many seconds on two cores.
RECIPES: dict[int, dict[str, Any]] = {
    1: ONE_CYCLE
    | {
        "network": [{"type": "dense", "units": 32}, "relu", {"type": "dense", "units": 10}],
        "epochs": 1,
        "batch_size": 128,
        "optimizer": {"type": "adam", "learning_rate": 0.01},
    },
    4: ONE_CYCLE
    | {"epochs": 4, "batch_size": 128, "optimizer": {"type": "adam", "learning_rate": 0.006}},
    15: ONE_CYCLE | {"preset": "lenet", "epochs": 1},
    60: {"preset": "accurate", "epochs": 3},
    600: {"preset": "accurate"},
}

Rates = dict[str, list[float]]
Round = Callable[[], int]  # does a round's work, returns how many rows that were


# --- The contenders: each prepares its data and returns what does a round ------------------------


def ours(payload: dict[str, Any], rows: int) -> Round:
    config = TrainConfig.from_dict(payload)
    train = mnist("train", rows)
    rng = np.random.default_rng(0)
    network = config.build_network(rng)

    def run() -> int:
        fit(network, train, nothing(), config, rng=rng, scaler=PixelScaler())
        return rows

    return run


def products(payload: dict[str, Any], rows: int) -> Round:
    """Prepare the matrix products of the steps of a dense network, and nothing else."""
    config = TrainConfig.from_dict(payload)
    network = config.build_network(np.random.default_rng(0))
    weights = [param for name, param, _ in network.named_params() if name.endswith("W")]
    sizes = [len(weights[0]), *(weight.shape[1] for weight in weights)]
    grads = [np.empty_like(weight) for weight in weights]
    batch = config.batch_size or rows
    values = [np.ones((batch, size), np.float32) for size in sizes]

    def run() -> int:
        steps = rows // batch
        for _ in range(steps):
            for x, weight in zip(values, weights, strict=False):
                x @ weight
            for i in reversed(range(len(weights))):
                np.matmul(values[i].T, values[i + 1], out=grads[i])
                if i:
                    values[i + 1] @ weights[i].T
        return steps * batch

    return run


def pytorch(payload: dict[str, Any], rows: int, threads: int) -> Round:
    """Eager, its fused Adam, tensors in memory."""
    import torch
    from torch import nn
    from torch.nn import functional as F  # noqa: N812 - as everybody names it

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    if payload.get("preset") == "lenet":
        modules: list[Any] = [
            nn.Unflatten(1, (1, 28, 28)),
            *(nn.Conv2d(1, 6, 5, padding=2), nn.MaxPool2d(2), nn.ReLU()),
            *(nn.Conv2d(6, 16, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten()),
            *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
        ]
    else:
        modules = [nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)]
    network = nn.Sequential(*modules)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001, fused=True)
    train = mnist("train", rows)
    x = torch.from_numpy(PixelScaler()(train.pixels))
    y = torch.from_numpy(train.labels)
    batch = payload.get("batch_size", 64)

    def run() -> int:
        order = torch.randperm(rows)
        for start in range(0, rows, batch):
            chosen = order[start : start + batch]
            loss = F.cross_entropy(network(x[chosen]), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return rows

    return run


def scikit_learn(payload: dict[str, Any], rows: int) -> Round:
    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore")  # one epoch is no convergence
    train = mnist("train", rows)
    x, y = PixelScaler()(train.pixels), train.labels
    batch = payload.get("batch_size", 64)
    network = MLPClassifier((128, 64), batch_size=batch, max_iter=1, random_state=0)

    def run() -> int:
        network.fit(x, y)
        return rows

    return run


def one_record_at_a_time(payload: dict[str, Any], rows: int) -> Round:
    """`mini-batch-sse` as its article does it: a Python loop over the records of a batch."""
    rng = np.random.default_rng(0)
    sizes = (784, 100, 10)
    weights = [rng.standard_normal((n, m)) for m, n in itertools.pairwise(sizes)]
    biases = [rng.standard_normal((n, 1)) for n in sizes[1:]]
    train = mnist("train", rows)
    records = [(row[:, None] / 255, label) for row, label in zip(*train, strict=True)]

    def gradients(x: Floats, label: int) -> tuple[list[Floats], list[Floats]]:
        hidden = sigmoid(weights[0] @ x + biases[0])
        output = sigmoid(weights[1] @ hidden + biases[1])
        target = np.zeros((10, 1))
        target[label] = 1
        last = (output - target) * output * (1 - output)
        first = weights[1].T @ last * hidden * (1 - hidden)
        return [first @ x.T, last @ hidden.T], [first, last]

    def run() -> int:
        for start in range(0, rows, 10):
            by_weight = [np.zeros_like(w) for w in weights]
            by_bias = [np.zeros_like(b) for b in biases]
            for x, label in records[start : start + 10]:
                of_weights, of_biases = gradients(x, label)
                by_weight = [a + b for a, b in zip(by_weight, of_weights, strict=True)]
                by_bias = [a + b for a, b in zip(by_bias, of_biases, strict=True)]
            for param, gradient in zip(weights + biases, by_weight + by_bias, strict=True):
                param -= 3.0 / 10 * gradient
        return rows

    return run


# --- In turn --------------------------------------------------------------------------------------


def rates(contenders: dict[str, tuple[Callable[..., Round], int, dict[str, Any], int]]) -> Rates:
    """Return rows a second of each round of each contender: builder, threads, payload, rows."""
    context = multiprocessing.get_context("spawn")
    running = {}
    for name, contender in contenders.items():
        here, there = context.Pipe()
        process = context.Process(target=answer_rounds, args=(there, *contender), daemon=True)
        process.start()
        there.close()  # so that a contender that fails ends the run
        running[name] = here
        here.recv()  # it has warmed up
    measured: Rates = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, pipe in running.items():
            pipe.send("go")
            measured[name].append(pipe.recv())
    for pipe in running.values():
        pipe.send(None)
    return measured


def answer_rounds(
    pipe: Any, build: Callable[..., Round], threads: int, payload: dict[str, Any], rows: int
) -> None:
    keep_freed_memory()
    extra = {"threads": threads} if build is pytorch else {}
    with threadpool_limits(threads, user_api="blas"):
        run = build(payload, rows, **extra)
        run()
        pipe.send("ready")
        while pipe.recv():
            started = time.perf_counter()
            done = run()
            pipe.send(done / (time.perf_counter() - started))


def table(title: str, measured: Rates, unit: str = "rows/s") -> str:
    first = statistics.median(next(iter(measured.values())))
    lines = [
        f"### {title}",
        "",
        f"| | {unit}, median (range) | ours over it |",
        "| --- | --- | --- |",
    ]
    for name, values in measured.items():
        median = statistics.median(values)
        spread = f"{median:,.0f} ({min(values):,.0f} to {max(values):,.0f})"
        lines.append(f"| {name} | {spread} | {first / median:.2f} |")
    return "\n".join([*lines, ""])


# --- The sections ---------------------------------------------------------------------------------


def dense(batch: int) -> str:
    payload = DENSE | {"batch_size": batch}
    measured = rates(
        {
            "Inkwell, 1 thread, as the worker": (ours, 1, payload, ROWS),
            "Inkwell, 2 threads": (ours, 2, payload, ROWS),
            "PyTorch, 2 threads": (pytorch, 2, payload, ROWS),
            "PyTorch, 1 thread": (pytorch, 1, payload, ROWS),
            "scikit-learn, 2 threads": (scikit_learn, 2, payload, ROWS),
            "scikit-learn, 1 thread": (scikit_learn, 1, payload, ROWS),
            "the bare products, 1 thread": (products, 1, payload, ROWS),
            "the bare products, 2 threads": (products, 2, payload, ROWS),
        }
    )
    return table(f"784-128-64-10, ReLU, Adam, batches of {batch}", measured)


def lenet() -> str:
    measured = rates(
        {
            "Inkwell, 1 thread, as the worker": (ours, 1, LENET, CNN_ROWS),
            "Inkwell, 2 threads": (ours, 2, LENET, CNN_ROWS),
            "PyTorch, 2 threads": (pytorch, 2, LENET, CNN_ROWS),
            "PyTorch, 1 thread": (pytorch, 1, LENET, CNN_ROWS),
        }
    )
    return table("lenet, Adam, batches of 64", measured)


def article() -> str:
    payload = ARTICLE | {"epochs": 1, "validation_fraction": 0.0}
    measured = rates(
        {
            "Inkwell, 1 thread, as the worker": (ours, 1, payload, ROWS),
            "one record at a time": (one_record_at_a_time, 1, payload, RECORDS),
        }
    )
    lines = [table("mini-batch-sse", measured), "| seed | 30 epochs | test accuracy |"]
    lines += ["| --- | --- | --- |"]
    for seed in range(5):
        seconds, accuracy, _ = trained(ARTICLE | {"seed": seed})
        lines.append(f"| {seed} | {seconds:.1f} s | {accuracy:.2%} |")
    return "\n".join([*lines, ""])


def accuracy_by_seconds() -> str:
    lines = ["### Test accuracy against seconds, from a cold start", ""]
    lines += ["| allowed | taken | test accuracy | peak memory | recipe |"]
    lines += ["| --- | --- | --- | --- | --- |"]
    for allowed, payload in RECIPES.items():
        seconds, accuracy, megabytes = trained(payload)
        lines.append(
            f"| {allowed} s | {seconds:.1f} s | {accuracy:.2%} | {megabytes:.0f} MB | "
            f"`{json.dumps(payload)}` |"
        )
    return "\n".join([*lines, ""])


def trained(payload: dict[str, Any]) -> tuple[float, float, float]:
    """Return seconds, test accuracy and peak memory in MB of a process that is started for it."""
    started = time.perf_counter()
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.training", "--train", json.dumps(payload)],
        stdout=subprocess.PIPE,
        check=True,
    )
    accuracy, kilobytes = run.stdout.split()
    return time.perf_counter() - started, float(accuracy), float(kilobytes) / 1024


def train_and_tell(payload: dict[str, Any]) -> None:
    """Train on all training images; print test accuracy and the largest resident size in KB."""
    keep_freed_memory()
    config = TrainConfig.from_dict({"model": "m", "dataset": "mnist"} | payload)
    init, _, shuffle = np.random.default_rng(config.seed).spawn(3)
    network, scaler = config.build_network(init), PixelScaler()
    with threadpool_limits(1, user_api="blas"):
        fit(network, mnist("train"), nothing(), config, rng=shuffle, scaler=scaler)
        _, accuracy = evaluate(network, mnist("t10k"), loss=config.loss, scaler=scaler)
    print(accuracy, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def mnist(part: str, rows: int | None = None) -> Examples:
    folder = Path(os.environ["INKWELL_MNIST_DIR"])
    pixels = read_idx(folder / f"{part}-images-idx3-ubyte.gz")[:rows].reshape(-1, 784)
    labels = read_idx(folder / f"{part}-labels-idx1-ubyte.gz")[:rows]
    return Examples(pixels, labels.astype(np.int64))


def nothing() -> Examples:
    return Examples(np.empty((0, 784), np.uint8), np.empty(0, np.int64))


SECTIONS: dict[str, Callable[[], str]] = {
    "dense-64": lambda: dense(64),
    "dense-16": lambda: dense(16),
    "dense-256": lambda: dense(256),
    "lenet": lenet,
    "article": article,
    "accuracy": accuracy_by_seconds,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--train", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not os.environ.get("INKWELL_MNIST_DIR"):
        sys.exit("Point INKWELL_MNIST_DIR at the folder with the four MNIST files.")
    if given.train is not None:
        train_and_tell(given.train)
        return
    for name in given.sections or SECTIONS:
        print(SECTIONS[name](), flush=True)
    print(f"`make bench-training`, {machine()}")


if __name__ == "__main__":
    main()
