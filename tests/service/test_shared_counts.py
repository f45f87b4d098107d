import os
import signal

import pytest

from service.shared_counts import PART_WORDS, SharedCounts

# Newer Pythons warn of forking beside threads, here pytest-xdist's; the child uses none of them.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def in_a_process(work):
    """Run `work` in a forked process, which is killed then."""
    child = os.fork()
    if child == 0:
        work()
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


def told(shared):
    return {key: row.numbers.tolist() for key, row in shared.totals().items()}


def test_the_counts_of_all_processes_are_added_up():
    shared = SharedCounts(processes=3)

    for name in ("b", "a", "b"):
        in_a_process(lambda name=name: shared.add((name, "é"), 2, [(0, 1), (1, 5)], 7))
    shared.add(("b", "é"), 2, [(1, 1)], 9)

    assert told(shared) == {("a", "é"): [1, 5], ("b", "é"): [2, 11]}
    assert shared.totals()["b", "é"].last_ms == 9


def test_what_a_hundred_killed_processes_counted_stays_and_their_place_is_used_again():
    shared = SharedCounts(processes=2)

    for number in range(100):
        in_a_process(lambda n=number: shared.add(("all",), 2, [(0, 1), (1, n)], n))

    assert told(shared) == {("all",): [100, sum(range(100))]}
    assert len(shared.by_process()) == 1


def test_who_finds_no_room_is_counted_and_does_no_harm():
    shared = SharedCounts(processes=1)
    size = PART_WORDS // 4

    for name in "abcdef":
        shared.add((name,), size, [(size - 1, 1)], 0)
    shared.add(("a",), size, [(size - 1, 1)], 0)

    assert list(shared.totals()) == [("a",), ("b",), ("c",)]
    assert shared.totals()["a",].numbers.tolist() == [0] * (size - 1) + [2]
    assert shared.lost() == 3


def test_a_process_more_than_there_was_room_for_disturbs_nobody():
    shared = SharedCounts(processes=1)
    shared.add(("a",), 1, [(0, 1)], 0)

    in_a_process(lambda: shared.add(("a",), 1, [(0, 1)], 0))

    assert told(shared) == {("a",): [1]}
