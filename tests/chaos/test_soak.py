"""A little of everything, for a while: no error, and nothing is left open. `make soak`: an hour."""

import time

import pytest

from tests.chaos.measures import SECONDS
from tests.footprint import footprints
from tests.mixed_load import MixedLoad
from tests.stack import wait_for

pytestmark = pytest.mark.integration

LEAST = 150  # requests: of most kinds some
SPARE_FILES = 8  # connections to Redis are kept, one a thread that wanted one


def test_under_mixed_load_nothing_fails_and_files_are_closed_again(stack, tell):
    stack.client.put("/api/v1/models/digits/aliases/live", json={"version": 2}).raise_for_status()
    before = footprints(stack)

    with MixedLoad(stack, rate=40, seconds_between_jobs=1) as load:
        time.sleep(max(SECONDS, 5))
        wait_for(lambda: load.answered >= LEAST and load.trained, what="all kinds of requests")

    assert load.failures == []
    after = wait_for(lambda: closed(stack, before), what="files that are closed again")
    megabytes = {name: after[name].megabytes - before[name].megabytes for name in before}
    tell(
        "mixed load",
        f"{load.answered:,} requests, {load.trained} jobs, none failed; memory: "
        + ", ".join(f"{name} {more:+.1f} MB" for name, more in megabytes.items()),
    )


def closed(stack, before):
    """Return what the processes hold, once they have no more files open than before."""
    now = footprints(stack)
    return now if all(now[n].files <= before[n].files + SPARE_FILES for n in before) else None
