"""A round: what is brought on beside the job that a worker has in hand."""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from redis.exceptions import RedisError

log = logging.getLogger(__name__)

T = TypeVar("T")


def for_each(items: Iterable[T], bring_on: Callable[[T], None]) -> None:
    """Bring on each of `items`. One that cannot be, whatever its record says, stops no other.

    Raises RedisError without Redis.
    """
    for item in items:
        try:
            bring_on(item)
        except RedisError:
            raise
        except Exception:
            log.exception("Could not be brought on: %s", item)
