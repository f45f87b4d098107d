"""What the store stands: each part prints a line or a table.

python -m benchmarks.store publishing     two processes publish 200 versions, a reader polls
python -m benchmarks.store killed         a process is killed at each step of publishing
python -m benchmarks.store promotions     1,000 promotions while four processes serve
python -m benchmarks.store versions       what 10 and what 10,000 versions cost
python -m benchmarks.store challengers    50 trainings that differ from the live one by their seed
"""

import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np

from benchmarks.headline import TOKEN, free_port
from benchmarks.machine import machine
from nncore.config import TrainConfig
from nncore.errors import RegistryError
from nncore.layers import Dense, ReLU
from nncore.losses import SoftmaxCrossEntropy
from nncore.manifest import Manifest, TrainedOn, libraries, now
from nncore.network import Network
from nncore.registry import Registry
from nncore.scaling import PixelScaler
from nncore.training import Examples, ignore
from service.served import ServedModels
from worker import datasets
from worker.datasets import Dataset
from worker.job_folder import JobFolder
from worker.promotion import judge_and_promote
from worker.settings import Settings
from worker.training import Run

LAYERS = (Dense(16), ReLU(), Dense(10))
MODEL = "digits"
OCTETS = {"Content-Type": "application/octet-stream"}


# Publishing at once


class Published(NamedTuple):
    """What came of processes that published at once, and what a reader saw of it."""

    numbers: list[int]
    polls: int
    errors: list[str]


def publish_at_once(store: Path, workers: int, each: int) -> Published:
    """Let `workers` processes publish `each` versions while another polls without pause."""
    context = get_context("spawn")
    done = context.Manager().Event()
    with ProcessPoolExecutor(workers + 1, mp_context=context) as pool:
        reading = pool.submit(poll, store, done)
        parts = list(pool.map(publish_many, [store] * workers, [each] * workers))
        done.set()
        polls, errors = reading.result()
    return Published(sorted(number for part in parts for number in part), polls, errors)


def publish_many(store: Path, count: int) -> list[int]:
    return [publish(Registry(store), seed) for seed in range(count)]


def publish(registry: Registry, seed: int) -> int:
    """Publish a small network of random weights."""
    network = Network(LAYERS, (784,))
    network.init(np.random.default_rng(seed))
    manifest = Manifest(
        model=MODEL,
        layers=LAYERS,
        input_shape=(784,),
        pixel_scaling=PixelScaler(),
        loss=SoftmaxCrossEntropy(),
        labels=tuple("0123456789"),
        config={},
        seed=seed,
        dataset=TrainedOn("none", "", 0, 0),
        metrics={"test_accuracy": 0.1},
        history=[],
        parent=None,
        job_id=None,
        libraries=libraries(),
        created_at=now(),
    )
    return registry.publish(MODEL, network, manifest)


def poll(store: Path, done: Any) -> tuple[int, list[str]]:
    """Load the newest version again and again; return how often, and what went wrong."""
    registry, polls, errors = Registry(store), 0, []
    while not done.is_set():
        for number in registry.newest(MODEL, 1):
            try:
                registry.load(MODEL, number)
            except (RegistryError, OSError) as error:
                errors.append(f"Version {number}: {error}")
        polls += 1
    return polls, errors


# Killed at each step


def kill_at_each_step(store: Path, task: Callable[[Registry], Any]) -> Iterator[int]:
    """Run `task` in a process that is killed before its first change of the disk, its second, etc.

    Yields after each how many changes it made, until one came to its end.
    """
    for step in range(1000):
        pid = os.fork()
        if pid == 0:
            kill_self_at(step)
            task(Registry(store))
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSIGNALED(status):
            if status:
                raise RuntimeError(f"The task failed by itself after {step} changes.")
            return
        yield step


def kill_self_at(step: int) -> None:
    """Let this process die by SIGKILL when it has changed the disk `step` times."""
    left = step
    changing = {"os.mkdir", "os.rename", "os.chmod", "os.remove", "os.rmdir", "os.utime"}

    def count() -> None:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        writing = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
        if event in changing or writing:
            count()

    real = os.fsync

    def fsync(file: int) -> None:
        count()
        real(file)

    sys.addaudithook(hook)
    os.fsync = fsync


def publish_and_be_killed(registry: Registry, store: Path) -> Counter[str]:
    """Count where a process that published was killed, and stood as before or as after."""
    counts, before = Counter[str](), registry.versions(MODEL)
    for _ in kill_at_each_step(store, lambda r: publish(r, 1)):
        after = registry.versions(MODEL)
        for number in after:
            registry.load(MODEL, number)
        counts[told(before, after, [*before, (before or [0])[-1] + 1])] += 1
        before = after
    return counts


def promote_and_be_killed(registry: Registry, store: Path) -> Counter[str]:
    """Count the same of a process that let `live` name the other one of two versions."""
    aliases, counts = registry.aliases(MODEL), Counter[str]()
    before = aliases.get("live"), len(aliases.history())
    for _ in kill_at_each_step(store, lambda r: r.promote(MODEL, other(r))):
        after = aliases.get("live"), len(aliases.history())
        counts[told(before, after, (3 - (before[0] or 0), before[1] + 1))] += 1
        before = after
    return counts


def other(registry: Registry) -> int:
    """Return which of the versions 1 and 2 is not live."""
    return 3 - (registry.aliases(MODEL).get("live") or 0)


def told(before: object, found: object, after: object) -> str:
    if found not in (before, after):
        raise RuntimeError(f"Expected {before} or {after}; found {found}.")
    return "as before" if found == before else "as after"


# Promotions under load


@contextmanager
def serving(store: Path, processes: int) -> Iterator[str]:
    """Serve `store`; yield the address."""
    port = free_port()
    environ = os.environ | {
        "INKWELL_STORE": str(store),
        "INKWELL_PORT": str(port),
        "INKWELL_WEB_WORKERS": str(processes),
        "INKWELL_ADMIN_TOKEN": TOKEN,
    }
    command = ["-m", "gunicorn", "-c", "service/gunicorn.conf.py", "service.wsgi:app"]
    gunicorn = subprocess.Popen([sys.executable, *command], env=environ, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        while not answers(url):
            time.sleep(0.1)
        yield url
    finally:
        gunicorn.terminate()
        gunicorn.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez").is_success
    except httpx.TransportError:
        return False


class Answer(NamedTuple):
    """A request: when it began and ended, its status, and the version that spoke."""

    began: float
    ended: float
    status: int
    version: int


class Move(NamedTuple):
    """A promotion: when it was asked for, when it was answered, the version."""

    began: float
    ended: float
    version: int


def promote_under_load(
    url: str, token: str, versions: list[int], promotions: int, clients: int
) -> tuple[list[Move], list[Answer]]:
    """Promote `versions` in turn while `clients` predict without pause; the first is live."""
    stop = threading.Event()
    with ThreadPoolExecutor(clients) as pool:
        predicting = [pool.submit(predict_until, url, stop) for _ in range(clients)]
        try:
            moves = [Move(0, 0, versions[0]), *promote(url, token, versions, promotions)]
        finally:
            stop.set()
    return moves, [answer for future in predicting for answer in future.result()]


def promote(url: str, token: str, versions: list[int], promotions: int) -> Iterator[Move]:
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
        for i in range(1, promotions + 1):
            version, began = versions[i % len(versions)], time.monotonic()
            path = f"/api/v1/models/{MODEL}/aliases/live"
            client.put(path, json={"version": version}).raise_for_status()
            yield Move(began, time.monotonic(), version)


def predict_until(url: str, stop: threading.Event) -> list[Answer]:
    answers = []
    with httpx.Client(base_url=url, timeout=30) as client:
        while not stop.is_set():
            began = time.monotonic()
            response = client.post("/api/v1/predict", content=bytes(784), headers=OCTETS)
            version = int(response.headers.get("X-Model-Version", 0))
            answers.append(Answer(began, time.monotonic(), response.status_code, version))
    return answers


def wrong_answers(moves: list[Move], answers: list[Answer]) -> list[Answer]:
    """Return the answers that failed, or that a version gave which was not live meanwhile."""
    ends = [*(move.ended for move in moves[1:]), float("inf")]
    spans = [(move.version, move.began, end) for move, end in zip(moves, ends, strict=True)]
    return [
        answer
        for answer in answers
        if answer.status != 200
        or not any(
            version == answer.version and began <= answer.ended and end >= answer.began
            for version, began, end in spans
        )
    ]


# Many versions


def cost_of(store: Path, versions: int, rounds: int = 200) -> dict[str, float]:
    """Return medians, in milliseconds, of what is done with a model of so many versions."""
    registry = Registry(store)
    first = publish(registry, 0)
    registry.promote(MODEL, first)
    folder = store / "models" / MODEL / "versions"
    for number in range(first + 1, versions + 1):
        shutil.copytree(folder / str(first), folder / str(number))
    (folder.parent / ".latest").write_text(f"{versions}\n")
    served = ServedModels(registry)
    served.get(MODEL, "live")

    def page() -> list[Any]:
        return [registry.manifest(MODEL, n) for n in registry.newest(MODEL, 10)]

    return {
        "live look-up at a request": median_ms(lambda: served.get(MODEL, "live"), 10 * rounds),
        "a page of 10": median_ms(page, rounds),
        "promote": median_ms(turns(registry, first), rounds),
        "publish": median_ms(lambda: publish(registry, 1), rounds),
    }


def turns(registry: Registry, first: int) -> Callable[[], Any]:
    """Return what promotes two versions in turn."""
    numbers = [first, first + 1]

    def turn() -> Any:
        numbers.reverse()
        return registry.promote(MODEL, numbers[0])

    return turn


def median_ms(task: Callable[[], Any], times: int) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        task()
        taken.append(time.perf_counter() - began)
    return 1000 * statistics.median(taken)


# Challengers that are equal to the champion


def challengers(
    dataset: Dataset, config: dict[str, Any], trainings: int, *, spoilt: bool = False
) -> Iterator[tuple[bool, float]]:
    """Train again and again with another seed, each judged by what is live then.

    Yields whether each was promoted, and how many points of accuracy it gained. The labels of all
    but the first, which is live, are shuffled where they are to be `spoilt`.
    """
    with tempfile.TemporaryDirectory() as folder:
        registry = Registry(Path(folder))
        for seed in range(trainings + 1):
            chosen = TrainConfig.from_dict(config | {"model": MODEL, "seed": seed})
            own = JobFolder(Path(folder), f"seed-{seed}", "benchmark")
            own.take()
            run = Run(chosen, shuffled(dataset, seed) if spoilt and seed else dataset, own)
            run.train(ignore, lambda: False)
            live = registry.aliases(MODEL).get("live")
            number = run.publish(registry, f"seed-{seed}")
            version = registry.load(MODEL, number)
            verdict = judge_and_promote(registry, version, promote="if_better", test=dataset.test)
            if live is not None:
                before = registry.manifest(MODEL, live).metrics["test_accuracy"]
                gain = version.manifest.metrics["test_accuracy"] - before
                yield verdict.promote, 100 * gain


def shuffled(dataset: Dataset, seed: int) -> Dataset:
    """Return the data set with the labels of its training images in another order."""
    labels = np.random.default_rng(seed).permutation(dataset.train.labels)
    return dataset._replace(train=Examples(dataset.train.pixels, labels))


# The parts, as they are printed


def show_publishing() -> None:
    with tempfile.TemporaryDirectory() as folder:
        seen = publish_at_once(Path(folder), workers=2, each=100)
    print(
        f"200 published by two processes: {len(set(seen.numbers))} numbers, from "
        f"{seen.numbers[0]} to {seen.numbers[-1]}; {seen.polls:,} polls saw "
        f"{len(seen.errors)} that could not be loaded"
    )


def show_killed() -> None:
    for name, exercise in (
        ("publishing", publish_and_be_killed),
        ("promoting", promote_and_be_killed),
    ):
        with tempfile.TemporaryDirectory() as folder:
            registry = Registry(Path(folder))
            for seed in range(2):
                registry.promote(MODEL, publish(registry, seed))
            counts = exercise(registry, Path(folder))
        print(f"killed at each step of {name}: {dict(counts)}, never between")


def show_promotions() -> None:
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), processes=4) as url:
        registry = Registry(Path(folder))
        versions = [publish(registry, seed) for seed in range(6)]
        registry.promote(MODEL, versions[0])
        # The last two are never live.
        moves, answers = promote_under_load(url, TOKEN, versions[:4], 1000, clients=4)
    spoke = sorted({answer.version for answer in answers})
    print(
        f"{len(moves) - 1:,} promotions, four processes: {len(answers):,} answers by versions "
        f"{spoke}; {len(wrong_answers(moves, answers))} failed or came from a version that was "
        "not live"
    )


def show_versions() -> None:
    with tempfile.TemporaryDirectory() as folder:
        costs = [cost_of(Path(folder) / str(n), n) for n in (10, 10_000)]
    print("| | 10 versions | 10,000 versions |\n| --- | --- | --- |")
    for name in costs[0]:
        print(f"| {name} | {costs[0][name]:.3f} ms | {costs[1][name]:.3f} ms |")


def show_challengers() -> None:
    mnist = datasets.load("mnist", Settings.from_env())
    config = {"dataset": "mnist", "epochs": 3}
    for name, spoilt in (("labels as they are", False), ("labels shuffled", True)):
        found = list(challengers(mnist, config, 50, spoilt=spoilt))
        gains = [gain for promoted, gain in found if promoted]
        print(
            f"{name}: {len(gains)} of {len(found)} promoted"
            + (f"; they gained {min(gains):.2f} to {max(gains):.2f} points" if gains else "")
        )


PARTS = {
    "publishing": show_publishing,
    "killed": show_killed,
    "promotions": show_promotions,
    "versions": show_versions,
    "challengers": show_challengers,
}


def main() -> None:
    chosen = sys.argv[1:] or list(PARTS)
    for part in chosen:
        PARTS[part]()
    print(f"({machine()})")


if __name__ == "__main__":
    main()
