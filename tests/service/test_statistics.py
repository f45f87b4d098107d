import os

import pytest

from service.statistics import MAX_VERSIONS, Counts, Line, Statistics

# Newer Pythons warn of forking beside threads, here pytest-xdist's; the child uses none of them.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def in_a_process(work):
    """Run `work` in a forked process, which ends without cleaning up, as a killed one does."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def test_the_counts_of_all_processes_are_added_up():
    statistics = Statistics(processes=3)

    for version in (1, 1, 2):
        in_a_process(lambda v=version: statistics.add("digits", v, Counts(rows=5, predict_ns=7)))
    statistics.add("digits", 2, Counts(failures=1))

    assert [line._replace(last_ms=0) for line in statistics.lines()] == [
        Line("digits", 1, 0, Counts(rows=10, predict_ns=14)),
        Line("digits", 2, 0, Counts(rows=5, predict_ns=7, failures=1)),
    ]


def test_what_dead_processes_counted_stays_and_their_place_is_used_again():
    statistics = Statistics(processes=2)

    for _ in range(100):
        in_a_process(lambda: statistics.add("digits", 1, Counts(successes=1)))

    assert [line.counts.successes for line in statistics.lines()] == [100]


def test_versions_past_the_room_are_not_counted_and_do_no_harm():
    statistics = Statistics(processes=1)

    for version in range(1, MAX_VERSIONS + 10):
        statistics.add("m" * 64, version, Counts(rows=1))

    lines = statistics.lines()
    assert [line.version for line in lines] == list(range(1, MAX_VERSIONS + 1))
    assert {line.model for line in lines} == {"m" * 64}
