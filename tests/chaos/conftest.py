import shlex

import pytest

from nncore.registry import Registry
from tests.chaos.measures import SECONDS
from tests.conftest import publish
from tests.stack import Stack

SEEN = "seen"


@pytest.fixture
def tell(record_property):
    """Return what notes a fault, and what was seen, for the table at the end."""
    return lambda fault, seen: record_property(SEEN, (fault, str(seen)))


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """Redis, worker and service with two versions, for the tests of one module."""
    running = Stack(tmp_path_factory.mktemp("stack"))
    for seed in range(2):
        publish(Registry(running.store), seed=seed)
    try:
        yield running.start()
    finally:
        running.stop()


def _selected(nodeid):
    path, _, name = nodeid.partition("::")
    _, _, parameter = name.rstrip("]").partition("[")
    return f"{path} -k {shlex.quote(parameter or name)}"


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    rows = [
        (*value, f"`CHAOS_SECONDS={SECONDS:g} python -m pytest {_selected(report.nodeid)}`")
        for report in terminalreporter.stats.get("passed", [])
        for name, value in getattr(report, "user_properties", [])
        if name == SEEN
    ]
    if rows:
        terminalreporter.section("what was seen")
        for line in (("fault", "seen", "command"), ("---", "---", "---"), *rows):
            terminalreporter.write_line(f"| {' | '.join(line)} |")
