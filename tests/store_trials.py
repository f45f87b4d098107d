"""Hard trials of the store: the tests take short forms of them, `benchmarks.store` long ones."""

import os
import signal
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

import httpx

from nncore.errors import RegistryError
from nncore.registry import Registry
from tests.conftest import publish
from tests.stack import TOKEN

MODEL = "digits"
OCTETS = {"Content-Type": "application/octet-stream"}


class Published(NamedTuple):
    """What came of processes that published at once, and what a reader saw of it."""

    numbers: list
    polls: int
    errors: list


def publish_at_once(store, workers, each):
    """Let `workers` processes publish `each` versions while another polls without pause."""
    context = get_context("spawn")
    done = context.Manager().Event()
    with ProcessPoolExecutor(workers + 1, mp_context=context) as pool:
        reading = pool.submit(poll, store, done)
        parts = list(pool.map(publish_many, [store] * workers, [each] * workers))
        done.set()
        polls, errors = reading.result()
    return Published(sorted(number for part in parts for number in part), polls, errors)


def publish_many(store, count):
    return [publish(Registry(store), seed=seed, live=False) for seed in range(count)]


def poll(store, done):
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


def kill_at_each_step(task):
    """Run `task` in a process that is killed before its first change of the disk, its second, etc.

    Yields after each, until one came to its end.
    """
    for step in range(1000):
        pid = os.fork()
        if pid == 0:
            kill_self_at(step)
            task()
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSIGNALED(status):
            assert status == 0, f"The task failed by itself after {step} changes."
            return
        yield


def kill_self_at(step):
    """Let this process die by SIGKILL when it has changed the disk `step` times."""
    left = step
    changing = {"os.mkdir", "os.rename", "os.chmod", "os.remove", "os.rmdir", "os.utime"}

    def count():
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    def hook(event, arguments):
        writing = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
        if event in changing or writing:
            count()

    real = os.fsync

    def fsync(file):
        count()
        real(file)

    sys.addaudithook(hook)
    os.fsync = fsync


def publish_and_be_killed(registry):
    """Count where a process that published was killed, and stood as before or as after."""
    counts, before = Counter(), registry.versions(MODEL)
    for _ in kill_at_each_step(lambda: publish(registry, seed=1, live=False)):
        after = registry.versions(MODEL)
        for number in after:
            registry.load(MODEL, number)
        counts[told(before, after, [*before, before[-1] + 1])] += 1
        before = after
    return counts


def promote_and_be_killed(registry):
    """Count the same of a process that let `live` name the other one of two versions."""
    aliases, counts = registry.aliases(MODEL), Counter()
    before = aliases.get("live"), len(aliases.history())
    for _ in kill_at_each_step(lambda: registry.promote(MODEL, 3 - aliases.get("live"))):
        after = aliases.get("live"), len(aliases.history())
        counts[told(before, after, (3 - before[0], before[1] + 1))] += 1
        before = after
    return counts


def told(before, found, after):
    assert found in (before, after), f"Expected {before} or {after}; found {found}."
    return "as before" if found == before else "as after"


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


def promote_under_load(url, versions, promotions, clients):
    """Promote `versions` in turn while `clients` predict without pause; the first is live."""
    stop = threading.Event()
    with ThreadPoolExecutor(clients) as pool:
        predicting = [pool.submit(predict_until, url, stop) for _ in range(clients)]
        try:
            moves = [Move(0, 0, versions[0]), *promote(url, versions, promotions)]
        finally:
            stop.set()
    return moves, [answer for future in predicting for answer in future.result()]


def promote(url, versions, promotions):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
        for i in range(1, promotions + 1):
            version, began = versions[i % len(versions)], time.monotonic()
            path = f"/api/v1/models/{MODEL}/aliases/live"
            client.put(path, json={"version": version}).raise_for_status()
            yield Move(began, time.monotonic(), version)


def predict_until(url, stop, body=bytes(784)):
    """Predict without pause. Return what was answered."""
    answers = []
    with httpx.Client(base_url=url, timeout=30) as client:
        while not stop.is_set():
            began = time.monotonic()
            response = client.post("/api/v1/predict", content=body, headers=OCTETS)
            version = int(response.headers.get("X-Model-Version", 0))
            answers.append(Answer(began, time.monotonic(), response.status_code, version))
    return answers


def wrong_answers(moves, answers):
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
