"""What the store stands: each part prints a line or a table. See docs/registry.md.

python -m benchmarks.store publishing     two processes publish 200 versions, a reader polls
python -m benchmarks.store killed         a process is killed at each step of publishing
python -m benchmarks.store promotions     1,000 promotions while four processes serve
python -m benchmarks.store versions       what 10 and what 10,000 versions cost
python -m benchmarks.store shadows        what a version that looks on costs
python -m benchmarks.store challengers    50 trainings that differ from the live one by their seed
python -m benchmarks.store shuffled       50 trainings on shuffled labels
python -m benchmarks.store bucket         the store in a bucket, whose server goes and comes
"""

import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine
from nncore.aliases import LIVE
from nncore.config import TrainConfig
from nncore.model_objects import ALL_NUMBERS
from nncore.object_store import Store, open_store
from nncore.registry import Registry
from nncore.training import Examples, ignore
from service.served import ServedModels
from tests.conftest import publish
from tests.s3_server import S3Server, blink
from tests.stack import Stack
from tests.store_trials import (
    MODEL,
    OCTETS,
    predict_until,
    promote_and_be_killed,
    promote_under_load,
    publish_and_be_killed,
    publish_at_once,
    publish_in_bucket_and_be_killed,
    wrong_answers,
)
from worker import datasets
from worker.datasets import Dataset
from worker.job_folder import JobFolder
from worker.promotion import judge_and_promote
from worker.settings import Settings
from worker.training import Run

TRAINING = {"model": MODEL, "dataset": "mnist", "epochs": 3}
SATURATED_SECONDS = 2.0


def show_publishing(folder: Path) -> None:
    seen = publish_at_once(folder, workers=2, each=100)
    print(
        f"200 published by two processes: {len(set(seen.numbers))} numbers, from "
        f"{seen.numbers[0]} to {seen.numbers[-1]}; {seen.polls:,} polls saw "
        f"{len(seen.errors)} that could not be loaded"
    )


def show_killed(folder: Path) -> None:
    registry = with_versions(folder, 2)
    for name, trial in (
        ("promoting", promote_and_be_killed),
        ("publishing", publish_and_be_killed),
    ):
        print(f"killed at each step of {name}: {dict(trial(registry))}, never between")


def show_promotions(folder: Path) -> None:
    with serving(folder, processes=4) as stack:
        # The last two are never live.
        moves, answers = promote_under_load(stack.url, [1, 2, 3, 4], promotions=1000, clients=4)
    spoke = sorted({answer.version for answer in answers})
    print(
        f"{len(moves) - 1:,} promotions in {moves[-1].ended - moves[1].began:.0f} s, four "
        f"processes: {len(answers):,} answers by versions {spoke}; "
        f"{len(wrong_answers(moves, answers))} failed or came from a version that was not live"
    )


def show_versions(folder: Path) -> None:
    costs = [cost_of(folder / str(n), n) for n in (10, 10_000)]
    print("| median of 200 | 10 versions | 10,000 versions |\n| --- | --- | --- |")
    for name in costs[0]:
        print(f"| {name} | {costs[0][name]:.3f} ms | {costs[1][name]:.3f} ms |")


def show_shadows(folder: Path) -> None:
    print("| | alone | with a shadow |\n| --- | --- | --- |")
    with serving(folder, processes=2) as stack:
        for rows in (1, 64):
            alone, shadowed = [], []
            for _ in range(7):
                alone.append(asked_of(stack, rows, {"version": 1}))
                shadowed.append(asked_of(stack, rows, {"version": 1, "shadow": 2}))
            (quick, many), (quick_too, many_too) = map(medians, (alone, shadowed))
            print(f"| rows: {rows}; one client, a request | {quick:.2f} ms | {quick_too:.2f} ms |")
            print(f"| rows: {rows}; four clients, together | {many:.0f}/s | {many_too:.0f}/s |")


def show_challengers(folder: Path) -> None:
    show_judged("labels as they are", judged(folder, load_mnist(), lambda data, seed: data))


def show_shuffled(folder: Path) -> None:
    show_judged("labels shuffled", judged(folder, load_mnist(), shuffled))


def show_bucket(folder: Path) -> None:
    server = S3Server()
    os.environ.update(server.environ)
    try:
        show_bucket_published(server, folder)
        show_bucket_served(server, folder)
        show_bucket_costs(server, folder)
    finally:
        server.end()


def show_bucket_published(server: S3Server, folder: Path) -> None:
    store = open_store(server.store_url("published"), str(folder / "cache"))
    seen = publish_at_once(store, workers=2, each=50, disturb=lambda: blink(server, 10))
    print(
        f"100 published by two processes, the server stopped 10 times: {len(set(seen.numbers))} "
        f"numbers, {len(Registry(store).versions(MODEL))} versions; {seen.polls:,} polls saw "
        f"{len(seen.errors)} that could not be loaded"
    )
    counts = publish_in_bucket_and_be_killed(Registry(store), store)
    print(f"killed before each change of the bucket: {dict(counts)}, never between")


def show_bucket_served(server: S3Server, folder: Path) -> None:
    environ = {"INKWELL_STORE": server.store_url("served"), "INKWELL_CACHE": str(folder / "c")}
    stack = Stack(folder, INKWELL_WEB_WORKERS="2", **server.environ, **environ)
    registry = Registry(open_store(environ["INKWELL_STORE"], str(folder / "mine")))
    publish(registry)
    publish(registry, seed=1, live=False)
    try:
        stack.start_service()
        stop = threading.Event()
        with ThreadPoolExecutor(2) as pool:
            predicting = [pool.submit(predict_until, stack.url, stop) for _ in range(2)]
            time.sleep(3)
            blink(server, 5, away=3)
            server.freeze()
            time.sleep(10)
            server.thaw()
            stop.set()
            answers = [answer for future in predicting for answer in future.result()]
    finally:
        stack.stop()
    failed = [answer for answer in answers if answer.status != 200]
    slowest = max(answer.ended - answer.began for answer in answers)
    print(
        f"served while the server was stopped 5 times for 3 s and frozen for 10: {len(answers):,} "
        f"answers, {len(failed)} failed, the slowest took {1000 * slowest:.0f} ms"
    )


def show_bucket_costs(server: S3Server, folder: Path) -> None:
    print("| median | 10 versions | 1,000 versions |\n| --- | --- | --- |")
    costs = []
    for versions in (10, 1000):
        store = open_store(server.store_url(f"cost-{versions}"), str(folder / "cache"))
        registry = with_versions(store, 2)
        manifest = store.read(f"models/{MODEL}/versions/{ALL_NUMBERS - 1:012d}.json")
        for number in range(3, versions + 1):
            place = f"{ALL_NUMBERS - number:012d}"
            store.write(f"models/{MODEL}/versions/{place}.json", manifest)
            store.write(f"models/{MODEL}/numbers/{place}", b"")
        costs.append(measured(registry, 20))
    for name in costs[0]:
        print(f"| {name} | {costs[0][name]:.3f} ms | {costs[1][name]:.3f} ms |")


def show_judged(name: str, found: Iterator[tuple[bool, float]]) -> None:
    verdicts = list(found)
    gains = [gain for promoted, gain in verdicts if promoted]
    print(
        f"{name}: {len(gains)} of {len(verdicts)} promoted"
        + (f"; they gained {min(gains):.2f} to {max(gains):.2f} points" if gains else "")
    )


def with_versions(folder: Store, count: int) -> Registry:
    """Return a registry in which so many small networks were published; the first is live."""
    registry = Registry(folder)
    for seed in range(count):
        publish(registry, seed=seed, live=False)
    registry.promote(MODEL, 1)
    return registry


@contextmanager
def serving(folder: Path, processes: int) -> Iterator[Stack]:
    """Serve six versions with so many processes."""
    stack = Stack(folder, INKWELL_WEB_WORKERS=str(processes))
    with_versions(stack.store, 6)
    try:
        stack.start_service()
        yield stack
    finally:
        stack.stop()


def asked_of(stack: Stack, rows: int, target: dict[str, int]) -> tuple[float, float]:
    """Return the median time of a request in ms, and how many four clients have answered a second.

    `live` names `target` meanwhile.
    """
    stack.client.put(f"/api/v1/models/{MODEL}/aliases/live", json=target).raise_for_status()
    body = bytes(784 * rows)

    def ask() -> None:
        stack.client.post("/api/v1/predict", content=body, headers=OCTETS).raise_for_status()

    stop = threading.Event()
    with ThreadPoolExecutor(4) as pool:
        predicting = [pool.submit(predict_until, stack.url, stop, body) for _ in range(4)]
        time.sleep(SATURATED_SECONDS)
        stop.set()
    answered = sum(len(future.result()) for future in predicting)
    return median_ms(ask, 300), answered / SATURATED_SECONDS


def medians(found: list[tuple[float, float]]) -> list[float]:
    return [statistics.median(values) for values in zip(*found, strict=True)]


def cost_of(store: Path, versions: int, rounds: int = 200) -> dict[str, float]:
    """Return medians, in milliseconds, of what is done with a model of so many versions."""
    registry = with_versions(store, 2)
    folder = store / "models" / MODEL / "versions"
    for number in range(3, versions + 1):
        shutil.copytree(folder / "1", folder / str(number), copy_function=os.link)
    (folder.parent / ".latest").write_text(f"{versions}\n")
    return measured(registry, rounds)


def measured(registry: Registry, rounds: int) -> dict[str, float]:
    served, turns = ServedModels(registry), cycle((2, 1))
    return {
        "live look-up at a request": median_ms(lambda: served.get(MODEL, LIVE), 10 * rounds),
        "a page of 10": median_ms(lambda: page(registry), rounds),
        "promote": median_ms(lambda: registry.promote(MODEL, next(turns)), rounds),
        "publish": median_ms(lambda: publish(registry, live=False), rounds),
    }


def page(registry: Registry) -> list[Any]:
    return [registry.manifest(MODEL, number) for number in registry.newest(MODEL, 10)]


def median_ms(task: Callable[[], Any], times: int) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        task()
        taken.append(time.perf_counter() - began)
    return 1000 * statistics.median(taken)


def load_mnist() -> Dataset:
    return datasets.load("mnist", Settings.from_env())


def judged(
    folder: Path, mnist: Dataset, spoil: Callable[[Dataset, int], Dataset]
) -> Iterator[tuple[bool, float]]:
    """Train a champion, then 50 times what differs by its seed, judged by what is live then.

    Yields whether each was promoted, and how many points of accuracy it gained on what was live.
    """
    registry = Registry(folder)
    for seed in range(51):
        job = JobFolder(folder, f"seed-{seed}", "benchmark")
        job.take()
        config = TrainConfig.from_dict(TRAINING | {"seed": seed})
        run = Run(config, spoil(mnist, seed) if seed else mnist, job, registry)
        run.train(ignore, lambda: False)
        champion = registry.aliases(MODEL).get(LIVE)
        version = registry.load(MODEL, run.publish(registry, f"seed-{seed}"))
        verdict = judge_and_promote(registry, version, promote="if_better", test=mnist.test)
        if champion is not None:
            yield (
                verdict.promote,
                100 * (accuracy(registry, version.number) - accuracy(registry, champion)),
            )


def accuracy(registry: Registry, version: int) -> float:
    return float(registry.manifest(MODEL, version).metrics["test_accuracy"])


def shuffled(dataset: Dataset, seed: int) -> Dataset:
    """Return the data set with the labels of its training images in another order."""
    labels = np.random.default_rng(seed).permutation(dataset.train.labels)
    return dataset._replace(train=Examples(dataset.train.pixels, labels))


PARTS = {
    "publishing": show_publishing,
    "killed": show_killed,
    "promotions": show_promotions,
    "versions": show_versions,
    "shadows": show_shadows,
    "challengers": show_challengers,
    "shuffled": show_shuffled,
    "bucket": show_bucket,
}


def main() -> None:
    for part in sys.argv[1:] or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            PARTS[part](Path(folder))
    print(f"({machine()})")


if __name__ == "__main__":
    main()
