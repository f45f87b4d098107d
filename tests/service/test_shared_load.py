"""What processes know of each other's connections; their memory is shared by forking."""

import multiprocessing

import pytest

from service.shared_load import TAKES_NONE, SharedLoad

# Newer Pythons warn of forking beside threads, here pytest-xdist's; the child uses none of them.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture
def load():
    return SharedLoad()


def test_what_a_process_tells_the_others_know(load):
    load.tell(0, 3)
    process = multiprocessing.get_context("fork").Process(target=load.tell, args=(1, 2))
    process.start()
    process.join()

    assert load.fewest() == 2


def test_a_process_that_takes_none_has_not_the_fewest(load):
    load.tell(0, 3)
    load.tell(1, TAKES_NONE)

    assert load.fewest() == 3


@pytest.mark.parametrize(
    ("taken", "place"), [([], 0), ([0], 1), ([1, 2], 0), ([0, 2], 1), (range(1024), 0)]
)
def test_a_new_process_has_the_first_free_place(load, taken, place):
    assert load.free_place(taken) == place
