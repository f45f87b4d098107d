"""What is so of a store in a bucket alone; the tests of the registry tell of both kinds."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from nncore.cache import Cache
from nncore.dataset_store import DatasetExistsError, DatasetStore
from nncore.errors import CorruptVersionError, NotFoundError, VersionInUseError
from nncore.feedback import Feedback
from nncore.object_store import open_store
from nncore.registry import Registry
from nncore.training import Examples
from tests.conftest import publish
from tests.store_trials import publish_many


@pytest.fixture
def registry(bucket):
    return Registry(bucket)


@pytest.fixture
def stopped(s3_server):
    """Return a function that stops the server; it is there again afterwards."""
    yield s3_server.stop
    s3_server.stop()
    s3_server.start()


def examples(rows, seed):
    rng = np.random.default_rng(seed)
    return Examples(rng.integers(0, 256, (rows, 784)).astype(np.uint8), np.arange(rows) % 2)


def weights_key(registry, bucket, number):
    sha256 = registry.manifest("digits", number).weights_sha256
    return f"models/digits/files/{number}/{sha256}"


@pytest.mark.parametrize("text", ["s3://", "ftp://bucket/a", "file:///tmp", "s3:///a"])
def test_an_address_of_no_bucket_is_told(text):
    with pytest.raises(ValueError, match="expected a folder, or one of s3://bucket/prefix"):
        open_store(text)


def test_what_has_no_scheme_is_a_folder():
    assert open_store("var") == Path("var").absolute()


def test_processes_that_publish_at_once_each_get_their_own_numbers(bucket):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(publish_many, [bucket] * 2, [5] * 2))

    numbers = sorted(number for part in parts for number in part)
    assert numbers == list(range(1, 11)) == Registry(bucket).versions("digits")


def test_a_job_makes_one_version_however_many_of_its_executions_publish(registry):
    first = publish(registry, seed=1, job_id="one", live=False)
    publish(registry, seed=2, job_id="other", live=False)

    assert publish(registry, seed=3, job_id="one", live=False) == first == 1
    assert registry.versions("digits") == [1, 2]
    assert registry.load("digits", 1).manifest.seed == 1


def test_a_flipped_byte_in_the_bucket_is_refused_and_one_in_the_copy_is_mended(registry, bucket):
    publish(registry, live=False)
    key = weights_key(registry, bucket, 1)
    whole = bucket.read(key)
    spoilt = bytes([whole[0] ^ 1]) + whole[1:]

    bucket.write(key, spoilt)
    with pytest.raises(CorruptVersionError, match="has SHA-256"):
        registry.load("digits", 1)

    bucket.write(key, whole)
    assert registry.load("digits", 1).number == 1
    Cache(bucket.cache).put(key.rpartition("/")[2], spoilt)
    assert registry.load("digits", 1).number == 1


def test_while_the_server_is_away_what_was_seen_last_can_be_loaded_and_nothing_changed(
    registry, bucket, stopped
):
    publish(registry)
    registry.load("digits", registry.resolve("digits", "live"))
    stopped()

    assert registry.load("digits", registry.resolve("digits", "live")).number == 1
    for task in (
        lambda: publish(registry),
        lambda: registry.promote("digits", 1),
        lambda: registry.delete("digits", 1),
        lambda: registry.models(),
        lambda: Feedback(bucket, "digits").length(),
        lambda: DatasetStore(bucket).load("mine"),
    ):
        with pytest.raises(OSError, match="cannot be reached"):
            task()


def test_a_bucket_that_is_not_there_is_told(s3_server, tmp_path):
    registry = Registry(open_store("s3://elsewhere/a", str(tmp_path)))

    with pytest.raises(OSError, match="There is no bucket s3://elsewhere/a"):
        registry.models()


def test_a_process_that_was_forked_is_told_that_it_cannot_ask(registry):
    publish(registry)
    pid = os.fork()
    if pid == 0:
        try:
            registry.models()
        except RuntimeError:
            os._exit(7)
        os._exit(1)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def test_a_version_that_is_being_removed_cannot_be_named_and_its_removal_be_ended(
    registry, monkeypatch
):
    for _ in range(2):
        publish(registry, live=False)
    remove = type(registry._store).remove

    def die(store, keys):
        raise OSError("the process dies here")

    monkeypatch.setattr(type(registry._store), "remove", die)
    with pytest.raises(OSError, match="dies here"):
        registry.delete("digits", 1)
    monkeypatch.setattr(type(registry._store), "remove", remove)

    with pytest.raises(NotFoundError, match="is being removed"):
        registry.promote("digits", 1)
    registry.delete("digits", 1)
    assert registry.versions("digits") == [2]
    assert publish(registry) == 3
    with pytest.raises(VersionInUseError):
        registry.delete("digits", 3)


def test_a_data_set_is_there_whole_or_not_at_all_and_comes_back_as_it_was(bucket):
    datasets, train, test = DatasetStore(bucket), examples(20, 0), examples(6, 1)
    manifest = datasets.save("mine", train, test, ("a", "b"), {"format": "npz"})

    assert datasets.names() == ["mine"]
    assert datasets.save("mine", train, test, ("a", "b"), {}) == manifest
    np.testing.assert_array_equal(datasets.load("mine")[0].pixels, train.pixels)
    with pytest.raises(DatasetExistsError):
        datasets.save("mine", test, train, ("a", "b"), {})

    datasets.delete("mine")
    assert datasets.names() == []
    with pytest.raises(NotFoundError):
        datasets.load("mine")


def test_feedback_comes_in_the_order_in_which_it_was_given(bucket):
    feedback, pixels = Feedback(bucket, "digits"), examples(3, 0).pixels
    for rows, label in ((pixels[:2], "1"), (pixels[2:], "2")):
        feedback.add(rows, [label] * len(rows), version=1)
    feedback.delete(2)

    assert [line["label"] for line in feedback.kept().values()] == ["1", "2"]
    assert list(feedback.kept()) == [1, 3]
    assert (feedback.length(), list(feedback.kept(3))) == (4, [1, 2, 3])


def test_copies_that_nobody_read_for_longest_make_room(tmp_path, monkeypatch):
    monkeypatch.setattr("nncore.cache.MAX_BYTES", 250)
    cache = Cache(tmp_path / "copies")
    for name in ("a", "b"):
        cache.put(name, bytes(100))
    os.utime(tmp_path / "copies" / "b", ns=(0, 0))
    cache.get("a")
    cache.put("c", bytes(100))

    assert [cache.get(name) is not None for name in "abc"] == [True, False, True]
