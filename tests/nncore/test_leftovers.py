"""What dead processes left is found and removed, and nothing else is."""

import numpy as np
import pytest

from nncore import leftovers
from nncore.dataset_store import DatasetStore
from nncore.errors import VersionInUseError
from nncore.leftovers import remove_leftovers
from nncore.model_objects import ModelObjects
from nncore.registry import Registry
from nncore.training import Examples
from tests.conftest import publish
from tests.store_trials import kill_at_each_step, loadable, promote_and_be_killed

EXAMPLES = Examples(np.zeros((2, 784), np.uint8), np.arange(2))


@pytest.fixture
def remove_at_once(monkeypatch):
    """Remove what is left, however young."""

    def remove_at_once(store, jobs=()):
        with monkeypatch.context() as patch:
            patch.setattr(leftovers, "STALE_SECONDS", -60)
            remove_leftovers(store, jobs)

    return remove_at_once


def save(store, name, seed=0):
    pixels = np.full((2, 784), seed, np.uint8)
    DatasetStore(store).save(name, EXAMPLES._replace(pixels=pixels), EXAMPLES, ("0", "1"), {})


def kill_many(store, registry):
    """Let processes be killed at each step of all that is written into the store."""
    tasks = [
        lambda: publish(registry, live=False),
        lambda: registry.add_report("digits", 1, {"a.txt": b"a"}),
        lambda: registry.delete("digits", registry.versions("digits")[-1]),
        lambda: save(store, "another"),
        lambda: DatasetStore(store).delete(DatasetStore(store).names()[0]),
    ]
    for task in tasks:
        for _ in kill_at_each_step(task):
            pass
    promote_and_be_killed(registry)


def staged(store):
    hidden = {path for path in store.rglob(".*") if path.name != ".staging"}
    return {path for path in hidden if path.name not in (".lock", ".latest")}


def test_what_killed_processes_left_on_a_disk_is_removed_and_nothing_else(
    registry, tmp_path, remove_at_once
):
    store = tmp_path / "store"
    for seed in range(2):
        publish(registry, seed=seed)
    for number in range(15):  # to be removed
        publish(registry, live=False)
        save(store, f"set-{number}")
    kill_many(store, registry)
    versions, data = loadable(registry), DatasetStore(store).names()
    moves, left = registry.aliases("digits").history(), staged(store)

    remove_leftovers(store, ())
    assert staged(store) == left
    assert {path.parent.name for path in left} >= {".staging", "report", "aliases", "datasets"}

    remove_at_once(store)
    assert staged(store) == set()
    assert (loadable(registry), DatasetStore(store).names()) == (versions, data)
    assert registry.aliases("digits").history() == moves


def test_files_of_no_version_in_a_bucket_go_unless_a_job_is_still_to_publish_them(
    bucket, remove_at_once, monkeypatch
):
    registry = Registry(bucket)
    number = publish(registry, job_id="published")
    with monkeypatch.context() as patch:
        patch.setattr(ModelObjects, "_manifest_key", dies)
        for job_id in ("lost", "stopped"):
            with pytest.raises(KeyboardInterrupt):
                publish(registry, seed=2, job_id=job_id)

    remove_leftovers(bucket, ())
    assert versions_with_files(bucket) == {number, 2, 3}
    remove_at_once(bucket, ["stopped", "of another model"])
    assert versions_with_files(bucket) == {number, 3}
    assert publish(registry, seed=2, job_id="stopped") == 3
    remove_at_once(bucket)
    assert loadable(registry) == [number, 3]


def dies(*_):
    raise KeyboardInterrupt


def versions_with_files(bucket):
    return {int(key.split("/")[3]) for key in bucket.keys("models/digits/files")}


def test_a_removal_in_a_bucket_that_did_not_come_to_its_end_is_ended(
    bucket, remove_at_once, monkeypatch
):
    registry = Registry(bucket)
    for live in (True, False):
        publish(registry, live=live)
    with monkeypatch.context() as patch:
        patch.setattr(ModelObjects, "_remove", dies)
        with pytest.raises(KeyboardInterrupt):
            registry.delete("digits", 2)
    assert registry.versions("digits") == [1, 2]

    remove_leftovers(bucket, ())

    assert (registry.versions("digits"), versions_with_files(bucket)) == ([1], {1})
    assert publish(registry, live=False) == 3
    with pytest.raises(VersionInUseError):
        registry.delete("digits", 1)


def test_data_in_a_bucket_that_no_manifest_names_go(bucket, remove_at_once):
    save(bucket, "whole")
    save(bucket, "half", seed=1)
    bucket.remove(["datasets/half.json"])
    bucket.write(f"datasets/whole/2026-01-01T00:00:00Z-{64 * '0'}.npz", b"of an upload that died")
    bucket.write("datasets/mnist/data.npz", b"fetched")

    remove_leftovers(bucket, ())
    assert len(list(bucket.keys("datasets"))) == 5
    remove_at_once(bucket)

    assert DatasetStore(bucket).load("whole")
    assert len(list(bucket.keys("datasets"))) == 3


def test_a_damaged_data_set_in_a_bucket_keeps_nothing_else_and_can_be_deleted(
    bucket, remove_at_once
):
    save(bucket, "damaged")
    save(bucket, "half", seed=1)
    bucket.remove(["datasets/half.json"])
    bucket.write("datasets/damaged.json", b"{")

    remove_at_once(bucket)
    assert len(list(bucket.keys("datasets"))) == 2
    DatasetStore(bucket).delete("damaged")
    remove_at_once(bucket)

    assert not list(bucket.keys("datasets"))
