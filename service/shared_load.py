"""How many connections each process of the service has, so that who has fewest takes the next one.

All of them wait at one socket, and who wakes first takes what comes: of eight connections that a
client keeps, one process often had seven, and the work of two cores was done by one.
"""

import mmap
from collections.abc import Collection

import numpy as np

MOST_PROCESSES = 1024  # at a time: of more, some share a place
TAKES_NONE = np.iinfo(np.int32).max  # in place of its connections: a process that ends


class SharedLoad:
    """The connections of each process that comes from this one by forking, each in its place."""

    def __init__(self) -> None:
        self._connections = np.frombuffer(mmap.mmap(-1, MOST_PROCESSES * 4), np.int32)
        self._connections[:] = TAKES_NONE

    def free_place(self, taken: Collection[int]) -> int:
        """Return the first place that is not taken: a process has that of the one it replaces."""
        return next(i for i in range(len(taken) + 1) if i not in taken) % MOST_PROCESSES

    def tell(self, place: int, connections: int) -> None:
        """Let the others know how many connections the process at a place has."""
        self._connections[place] = connections

    def fewest(self) -> int:
        """Return how many connections the process has that has fewest."""
        return int(self._connections.min())
