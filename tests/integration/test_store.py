"""The store under stress, in short; `python -m benchmarks.store` has the long forms."""

import os
import subprocess

import numpy as np
import pytest

from nncore.aliases import LIVE
from nncore.registry import Registry
from tests.conftest import publish
from tests.stack import Stack, wait_for
from tests.store_trials import (
    MODEL,
    Answer,
    Move,
    promote_and_be_killed,
    promote_under_load,
    publish_and_be_killed,
    publish_at_once,
    wrong_answers,
)

pytestmark = pytest.mark.integration


@pytest.fixture
def two(tmp_path):
    """Versions 1 and 2; 2 is live."""
    registry = Registry(tmp_path)
    publish_many(registry, 2)
    return registry


@pytest.fixture
def small_disk(tmp_path):
    """Return a folder on a disk of its own that has room for so many bytes."""
    mounted = []

    def small_disk(size):
        folder = tmp_path / "disk"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if os.geteuid() or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("a small disk cannot be mounted here")
        mounted.append(folder)
        return folder

    yield small_disk
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


def test_processes_that_publish_at_once_get_numbers_of_their_own_and_no_reader_sees_half(tmp_path):
    seen = publish_at_once(tmp_path, workers=2, each=15)

    assert seen.numbers == list(range(1, 31))
    assert seen.polls > 0
    assert seen.errors == []


def test_a_process_killed_at_any_step_of_publishing_leaves_all_as_before_or_as_after(two):
    counts = publish_and_be_killed(two)

    assert min(counts["as before"], counts["as after"]) >= 3
    assert publish(two, seed=5) == two.versions(MODEL)[-1]


def test_a_process_killed_at_any_step_of_promoting_leaves_all_as_before_or_as_after(two):
    counts = promote_and_be_killed(two)

    assert counts["as before"] >= 3
    assert counts["as after"] >= 1


def publish_many(registry, count):
    return [publish(registry, seed=seed) for seed in range(count)]


def test_on_a_full_disk_nothing_is_published_promoted_or_lost(small_disk):
    registry = Registry(small_disk("1m"))
    with pytest.raises(OSError, match="No space left"):
        publish_many(registry, 20)

    numbers, live = registry.versions(MODEL), registry.resolve(MODEL, LIVE)
    assert 2 < len(numbers) < 20
    for number in numbers:
        registry.load(MODEL, number)
    registry.delete(MODEL, next(n for n in numbers if n not in (live, live - 1)))
    assert publish(registry, live=False) > numbers[-1]


def test_promotions_under_load_fail_no_request_and_only_what_is_live_answers(tmp_path):
    stack = Stack(tmp_path, INKWELL_WEB_WORKERS="4")
    registry = Registry(stack.store)
    versions = [publish(registry, seed=seed, live=False) for seed in range(5)]
    registry.promote(MODEL, versions[0])
    try:
        stack.start_service()
        moves, answers = promote_under_load(stack.url, versions[:3], promotions=40, clients=2)
    finally:
        stack.stop()

    assert wrong_answers(moves, answers) == []
    assert {answer.version for answer in answers} == set(versions[:3])


def test_an_answer_of_what_was_not_live_would_be_found():
    moves = [Move(0, 0, 1), Move(10, 11, 2)]
    right = [Answer(9, 10.5, 200, 2), Answer(10.5, 10.6, 200, 1), Answer(12, 13, 200, 2)]
    wrong = [Answer(12, 13, 200, 1), Answer(8, 9, 200, 2), Answer(1, 2, 503, 1)]

    assert wrong_answers(moves, right + wrong) == wrong


def test_a_job_whose_disk_is_full_says_so_and_is_tried_again(small_disk, tmp_path):
    stack = Stack(tmp_path)
    (tmp_path / "store").symlink_to(small_disk("1m"))
    try:
        stack.start()
        (tmp_path / "store" / "filling").write_bytes(bytes(700_000))
        config = {"model": "digits", "dataset": "digits", "epochs": 1}
        job = stack.client.post("/api/v1/jobs", json=config).raise_for_status().json()
        address = f"/api/v1/jobs/{job['id']}"
        shown = wait_for(
            lambda: (found := stack.client.get(address).json())["status"] == "scheduled" and found,
            what="the job to be put off",
        )
        (tmp_path / "store" / "filling").unlink()
        wait_for(
            lambda: stack.client.get(address).json()["status"] == "finished",
            what="the job to be done",
        )
    finally:
        stack.stop()

    assert "No space left" in str(shown["story"])
    assert Registry(stack.store).versions("digits") == [1]
    assert np.isfinite(Registry(stack.store).load("digits", 1).network.params).all()
