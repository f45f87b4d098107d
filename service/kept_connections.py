"""Connections that wait for their next request, the first to be given up first."""

from collections import OrderedDict
from collections.abc import Iterator

from gunicorn.workers.gthread import TConn


class KeptConnections:
    """In the place of gunicorn's deque, in which it takes a search to remove one."""

    def __init__(self) -> None:
        self._kept: OrderedDict[TConn, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[TConn]:
        return iter(self._kept)

    def __getitem__(self, place: int) -> TConn:
        """Return the first, which is all that is ever asked for. Raises IndexError."""
        if place or not self._kept:
            raise IndexError(place)
        return next(iter(self._kept))

    def append(self, conn: TConn) -> None:
        """Keep one more, which is the last to be given up."""
        self._kept[conn] = None

    def remove(self, conn: TConn) -> None:
        """Keep one no longer. Raises KeyError."""
        del self._kept[conn]

    def popleft(self) -> TConn:
        """Keep the first no longer, and return it. Raises IndexError."""
        if not self._kept:
            raise IndexError(0)
        return self._kept.popitem(last=False)[0]
