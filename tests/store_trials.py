"""Hard trials of the store: the tests take short forms of them, `benchmarks.store` long ones."""

import errno
import os
import signal
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import httpx

from nncore.errors import RegistryError
from nncore.object_store import ObjectStore
from nncore.registry import Registry
from tests.conftest import publish
from tests.stack import TOKEN

MODEL = "digits"
OCTETS = {"Content-Type": "application/octet-stream"}
SECONDS_TO_BEGIN = 180  # until a process of its own reads


class Published(NamedTuple):
    """What came of processes that published at once, and what a reader saw of it."""

    numbers: list
    polls: int
    errors: list


def publish_at_once(store, workers, each, disturb=None):
    """Let `workers` processes publish `each` versions while another polls without pause.

    `disturb` is called meanwhile: what fails for it is tried again, and a reader that cannot ask
    has seen nothing.
    """
    context = get_context("spawn")
    manager = context.Manager()
    began, done = manager.Event(), manager.Event()
    with ProcessPoolExecutor(workers + 1, mp_context=context) as pool:
        reading = pool.submit(poll, store, began, done)
        began.wait(SECONDS_TO_BEGIN)
        publishing = pool.map(publish_many, [store] * workers, [each] * workers)
        if disturb:
            disturb()
        parts = list(publishing)
        done.set()
        polls, errors = reading.result()
    return Published(sorted(number for part in parts for number in part), polls, errors)


def publish_many(store, count):
    return [publish_once(store, seed) for seed in range(count)]


def publish_once(store, seed):
    """Publish as a job does, that is tried again where the store is away."""
    job_id = f"{os.getpid()}-{seed}"
    while True:
        try:
            return publish(Registry(store), seed=seed, live=False, job_id=job_id)
        except OSError:
            if isinstance(store, Path):
                raise
            time.sleep(0.1)


def poll(store, began, done):
    """Load the newest version again and again; return how often, and what went wrong."""
    registry, polls, errors = Registry(store), 0, []
    began.set()
    while not done.is_set():
        number = None
        try:
            for number in registry.newest(MODEL, 1):
                registry.load(MODEL, number)
            polls += 1
        except (RegistryError, OSError) as error:
            if not is_away(error):
                errors.append(f"Version {number}: {error}")
    return polls, errors


def is_away(error):
    return isinstance(error, OSError) and error.errno == errno.EHOSTUNREACH


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


def kill_before_each_request(store):
    """Publish in a process that is killed before its first change of a bucket, its second, etc.

    It is no fork: see `ObjectStore`. Yields after each, until one came to its end.
    """
    for step in range(1000):
        process = get_context("spawn").Process(target=publish_and_die, args=(store, step))
        process.start()
        process.join()
        if process.exitcode == 0:
            return
        assert process.exitcode == -signal.SIGKILL
        yield


def publish_and_die(store, step):
    """Publish, and die by SIGKILL before the change of the bucket that has this number."""
    left = step

    def counted(change):
        def count(*arguments):
            nonlocal left
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
            return change(*arguments)

        return count

    for name in ("write", "create", "replace", "remove"):
        setattr(ObjectStore, name, counted(getattr(ObjectStore, name)))
    publish(Registry(store), seed=1, live=False)


def publish_and_be_killed(registry):
    """Count where a process that published was killed, and stood as before or as after."""
    counts, before = Counter(), registry.versions(MODEL)
    for _ in kill_at_each_step(lambda: publish(registry, seed=1, live=False)):
        after = loadable(registry)
        counts[told(before, after, [*before, before[-1] + 1])] += 1
        before = after
    return counts


def publish_in_bucket_and_be_killed(registry, store):
    """Count the same in a bucket, where the number of one that was killed is passed over."""
    counts, before = Counter(), registry.versions(MODEL)
    for _ in kill_before_each_request(store):
        after = loadable(registry)
        counts[told(before, after, before + after[-1:])] += 1
        before = after
    assert len(loadable(registry)) == len(before) + 1
    return counts


def loadable(registry):
    """Return the numbers of all versions, after each was loaded."""
    numbers = registry.versions(MODEL)
    for number in numbers:
        registry.load(MODEL, number)
    return numbers


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


def promote_under_load(url, versions, promotions, clients, pause=0):
    """Promote `versions` in turn while `clients` predict without pause; the first is live."""
    stop = threading.Event()
    with ThreadPoolExecutor(clients) as pool:
        predicting = [pool.submit(predict_until, url, stop) for _ in range(clients)]
        try:
            moves = [Move(0, 0, versions[0]), *promote(url, versions, promotions, pause)]
        finally:
            stop.set()
    return moves, [answer for future in predicting for answer in future.result()]


def promote(url, versions, promotions, pause=0):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=url, headers=headers, timeout=90) as client:
        for i in range(1, promotions + 1):
            version, began = versions[i % len(versions)], time.monotonic()
            path = f"/api/v1/models/{MODEL}/aliases/live"
            client.put(path, json={"version": version}).raise_for_status()
            yield Move(began, time.monotonic(), version)
            time.sleep(pause)


def predict_until(url, stop, body=bytes(784)):
    """Predict without pause. Return what was answered."""
    answers = []
    with httpx.Client(base_url=url, timeout=90) as client:
        while not stop.is_set():
            began = time.monotonic()
            response = client.post("/api/v1/predict", content=body, headers=OCTETS)
            version = int(response.headers.get("X-Model-Version", 0))
            answers.append(Answer(began, time.monotonic(), response.status_code, version))
    return answers


def wrong_answers(moves, answers, late=0):
    """Return the answers that failed, or that a version gave which was not live meanwhile.

    It may have been live until `late` seconds before.
    """
    ends = [*(move.ended + late for move in moves[1:]), float("inf")]
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
