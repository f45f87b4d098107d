"""What a job would need, told without starting it."""

import threading
from typing import Any

from redis.exceptions import RedisError

from jobs.queue import JobQueue
from nncore import estimate
from nncore.config import TrainConfig
from nncore.datasets import DatasetSpec

TIMED_SECONDS = 0.3

_timing = threading.Lock()  # two at once would take each other's time, and memory


def dry_run(config: TrainConfig, data: DatasetSpec, queue: JobQueue) -> dict[str, Any]:
    """Return the whole configuration, and what a run of it needs."""
    try:
        rows_per_second = queue.speed(config)
    except RedisError:
        rows_per_second = None
    source = "finished runs" if rows_per_second else "timed steps"
    if rows_per_second is None:
        with _timing:
            rows_per_second = 1 / estimate.seconds_per_row(config, data, budget=TIMED_SECONDS)
    return {
        "config": config.to_dict(),
        "parameters": estimate.parameters(config, data),
        "memory_bytes": estimate.memory_bytes(config, data),
        "seconds": round(estimate.rows_in_all(config, data) / rows_per_second, 1),
        "rows_per_second": round(rows_per_second, 1),
        "seconds_from": source,
    }
