"""What a job costs Redis: `python -m benchmarks.redis_cost`.

Trains jobs through the real stack, and compares Redis's own counts before and after.
"""

import tempfile
from pathlib import Path

from redis import Redis

from benchmarks.machine import machine
from jobs.records import connect
from tests.stack import Stack

JOBS, EPOCHS = 10, 20


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder))
        try:
            print(measure(stack.start()))
        finally:
            stack.stop()


def measure(stack: Stack) -> str:
    """Return what was found, as Markdown."""
    with connect(stack.environ["INKWELL_REDIS_URL"]) as redis:
        train(stack, seed=0)  # what is made once
        commands, size = redis.info("stats")["total_commands_processed"], used(redis)
        for seed in range(1, JOBS + 1):
            train(stack, seed)
        done = redis.info("stats")["total_commands_processed"] - commands
        kept = used(redis) - size
    return (
        f"A job of {EPOCHS} epochs: {done / JOBS:.0f} commands, "
        f"{kept / JOBS / 1000:.1f} kB kept in the history. {machine()}"
    )


def train(stack: Stack, seed: int) -> None:
    job = stack.train(epochs=EPOCHS, seed=seed, promote="never")
    assert job["status"] == "finished", job["error"]  # noqa: S101 - nothing to measure then


def used(redis: Redis) -> int:
    """Return the bytes of all keys."""
    return sum(redis.memory_usage(key, samples=0) for key in redis.scan_iter(count=1000))


if __name__ == "__main__":
    main()
