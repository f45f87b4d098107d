"""How long a fault lasts, and what it costs those who predict."""

import os
import statistics
import time

from tests.load import Load

SECONDS = float(os.environ.get("CHAOS_SECONDS", "1.5"))  # of each fault; `make chaos` takes more
WINDOW = 4  # seconds: 800 predictions, eight of them slower than the 99th percentile
ROUNDS = max(int(SECONDS / WINDOW), 1)
CALM = SECONDS / ROUNDS if SECONDS > WINDOW else 0.2  # seconds without a fault, to compare with


class Disturbed:
    """Steady load beside a fault, and without it, in turn."""

    def __init__(self):
        self.calm, self.disturbed = [], []

    @property
    def failures(self):
        """What went wrong while the fault lasted."""
        return [failure for load in self.disturbed for failure in load.failures]

    def __str__(self):
        answered = sum(load.answered for load in self.disturbed)
        calm, disturbed = (
            statistics.median(load.p99 for load in loads) for loads in (self.calm, self.disturbed)
        )
        return (
            f"{answered:,} predictions, {len(self.failures)} failed; "
            f"p99 {disturbed:.1f} ms, undisturbed {calm:.1f} ms: {disturbed / calm:.2f}"
        )


def disturb(url, fault, meanwhile=lambda: None):
    """Predict while a fault begins, lasts and ends, and without it, in turn.

    `fault` returns a context that is broken until it ends; `meanwhile` is called within it.
    """
    seen = Disturbed()
    for _ in range(ROUNDS):
        with Load(url) as load:
            time.sleep(CALM)
        seen.calm.append(load)
        with Load(url) as load, fault():
            ends = time.monotonic() + SECONDS / ROUNDS
            meanwhile()
            time.sleep(max(ends - time.monotonic(), 0))
        seen.disturbed.append(load)
    return seen
