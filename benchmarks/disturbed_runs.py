"""Runs, each disturbed at a random moment, beside one that nothing disturbed.

``python -m benchmarks.disturbed_runs [RUNS]`` starts Redis, two workers and a service, prints a
line a run, and ends with 1 where one made another version than the undisturbed run, none, or two.
"""

import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from tests.disturbances import DISTURBANCES
from tests.stack import Stack

RUN = {"epochs": 150, "augment": {"shift": 1}, "promote": "always"}  # some seconds
LATEST = 0.7  # of the run's time: so late it is disturbed at the latest


def main() -> int:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder))
        try:
            stack.start()
            stack.start_worker("worker2")
            return disturb_all(stack, runs)
        finally:
            stack.stop()


def disturb_all(stack: Stack, runs: int) -> int:
    """Disturb so many runs and print what came of each; return the exit code."""
    job = stack.train(**RUN)
    seconds = training_seconds(stack, job)
    (expected,) = stack.versions(job["id"])
    print(f"Undisturbed: {seconds:.1f} s of training, SHA-256 {expected[:16]}…\n")
    print("| run | disturbed by | after | done after | starts | versions | SHA-256 |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    same = 0
    for number in range(runs):
        disturb = DISTURBANCES[number % len(DISTURBANCES)]
        job = stack.post(**RUN)
        stack.wait_for_progress(job["id"])
        began, moment = time.monotonic(), random.uniform(0, LATEST * seconds)  # noqa: S311
        time.sleep(moment)
        disturb(stack, job["id"])
        done = stack.wait(job["id"])
        versions = stack.versions(job["id"])
        is_same = versions == [expected]
        same += is_same
        starts = str(done["story"]).count("Started by worker")
        print(
            f"| {number + 1} | {disturb.__name__.replace('_', ' ')} | {moment:.1f} s | "
            f"{time.monotonic() - began:.1f} s | {starts} | {len(versions)} | "
            f"{'the same' if is_same else 'ANOTHER'} |",
            flush=True,
        )
    print(f"\n{same} of {runs} made one version, that of the undisturbed run. {machine()}")
    return 0 if same == runs else 1


def training_seconds(stack: Stack, job: dict[str, Any]) -> float:
    """Return how long the run trained."""
    version = job["result"]["version"]
    manifest = stack.client.get(f"/api/v1/models/digits/versions/{version}").json()
    return float(manifest["metrics"]["training_seconds"])


if __name__ == "__main__":
    sys.exit(main())
