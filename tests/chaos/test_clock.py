"""The clock jumps an hour back and forth under everything that runs."""

import contextlib
import os
from pathlib import Path

import pytest

from nncore.registry import Registry
from tests.chaos.measures import disturb
from tests.conftest import publish
from tests.stack import Stack

pytestmark = pytest.mark.integration

LIBRARIES = (Path("/usr/lib"), Path(os.environ.get("FAKETIME_LIBRARIES", "/usr/lib")))


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """The stack, whose processes read from a file how far their clock is off."""
    found = [file for place in LIBRARIES for file in place.rglob("libfaketimeMT.so.1")]
    if not found:
        pytest.skip("libfaketime is not there: apt-get install libfaketime")
    folder = tmp_path_factory.mktemp("stack")
    offset = folder / "offset"
    offset.write_text("+0\n")
    running = Stack(
        folder,
        LD_PRELOAD=str(found[0]),
        FAKETIME_TIMESTAMP_FILE=str(offset),
        FAKETIME_NO_CACHE="1",
        # As the system has it: only the clock on the wall can be set.
        FAKETIME_DONT_FAKE_MONOTONIC="1",
    )
    running.offset = offset
    publish(Registry(running.store))
    try:
        yield running.start()
    finally:
        running.stop()


def test_jobs_and_predictions_do_not_mind_and_the_history_stays_in_order(stack, tell):
    jumps, jobs, versions = iter(["-1h", "+1h"] * 10), [], []

    @contextlib.contextmanager
    def jumped():
        stack.offset.write_text(f"{next(jumps)}\n")
        yield

    def train():
        jobs.append(stack.train(epochs=2))
        moved = stack.client.put(
            "/api/v1/models/digits/aliases/canary", json={"version": jobs[-1]["result"]["version"]}
        )
        assert moved.status_code == 200, moved.text
        versions.append(jobs[-1]["result"]["version"])

    seen = disturb(stack.url, jumped, train)
    seen_forth = disturb(stack.url, jumped, train)

    assert seen.failures == seen_forth.failures == []
    assert [job["status"] for job in jobs] == ["finished"] * len(jobs)
    history = stack.client.get("/api/v1/models/digits/history").json()["moves"]
    assert [move["to"] for move in history if move["alias"] == "canary"] == versions
    listed = stack.client.get("/api/v1/jobs").json()["jobs"]
    assert {job["id"] for job in listed} == {job["id"] for job in jobs}
    tell(
        "clock an hour back, then forth",
        f"back: {seen}; forth: {seen_forth}; {len(jobs)} jobs trained, history in order",
    )
