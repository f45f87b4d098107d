"""The clock jumps an hour back and forth under everything that runs."""

import contextlib
import itertools
import shutil
import subprocess
from pathlib import Path

import pytest

from nncore.registry import Registry
from tests.chaos.measures import disturb
from tests.conftest import publish
from tests.stack import Stack

pytestmark = pytest.mark.integration

SOURCE = Path(__file__).with_name("clock.c")
HOUR = 3600


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """The stack, whose processes read from a file by how many seconds their clock is off."""
    folder = tmp_path_factory.mktemp("stack")
    library, offset = folder / "clock.so", folder / "offset"
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler: apt-get install gcc libc6-dev")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, SOURCE], check=True)
    offset.write_text("0")
    running = Stack(folder, LD_PRELOAD=str(library), CLOCK_OFFSET=str(offset))
    running.offset = offset
    publish(Registry(running.store))
    try:
        yield running.start()
    finally:
        running.stop()


def test_jobs_and_predictions_do_not_mind_and_the_history_stays_in_order(stack, tell):
    jumps, jobs, versions = itertools.cycle([-HOUR, HOUR]), [], []

    @contextlib.contextmanager
    def jumped():
        stack.offset.write_text(str(next(jumps)))
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
    history = stack.client.get("/api/v1/models/digits/history").json()["history"]
    assert [move["to"] for move in history if move["alias"] == "canary"] == versions
    listed = stack.client.get("/api/v1/jobs").json()["jobs"]
    assert {job["id"] for job in listed} == {job["id"] for job in jobs}
    tell(
        "clock an hour back, then forth",
        f"back: {seen}; forth: {seen_forth}; {len(jobs)} jobs trained, history in order",
    )
