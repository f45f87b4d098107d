"""What posting, reading and listing jobs costs with 10 and with 10,000 in the history.

``python -m benchmarks.job_history`` starts a Redis and a service for each and asks both in turn.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from benchmarks.machine import machine
from jobs.executions import Executions
from jobs.options import read_job
from jobs.queue import JobQueue
from jobs.records import connect
from tests.stack import Stack

SIZES = (10, 10_000)
ROUNDS = 300
JOB = {"model": "digits", "dataset": "digits", "force": True}
MODELS = 5  # the jobs of the history are those of so many models
CALLS = {
    "POST /jobs": lambda client, known: client.post("/api/v1/jobs", json=JOB),
    "GET /jobs/{id}": lambda client, known: client.get(f"/api/v1/jobs/{known}"),
    "GET /jobs": lambda client, known: client.get("/api/v1/jobs"),
    # Pages of as many jobs as the shorter history has.
    **{
        f"GET /jobs?{query}": lambda client, known, query=query: client.get(f"/api/v1/jobs?{query}")
        for query in ("status=finished&limit=5", "status=failed&model=digits-0&limit=1")
    },
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        stacks = [Stack(Path(folder) / str(size), INKWELL_WEB_WORKERS="1") for size in SIZES]
        try:
            known = [fill(stack, size) for stack, size in zip(stacks, SIZES, strict=True)]
            print(report({name: times(stacks, known, call) for name, call in CALLS.items()}))
        finally:
            for stack in stacks:
                stack.stop()


def fill(stack: Stack, size: int) -> str:
    """Start Redis and service; let `size` jobs have ended. Return one of them."""
    stack.folder.mkdir()
    stack.start_redis()
    redis = connect(stack.environ["INKWELL_REDIS_URL"])
    queue, executions = JobQueue(redis, "training"), Executions(redis, "training")
    for number in range(size):
        body = JOB | {"model": f"digits-{number % MODELS}"}
        job = queue.enqueue(*read_job(body, stack.store), request_id="benchmark").job
        redis.lpop("rq:queue:training")
        begun = executions.begin(job.id, "benchmark")
        executions.report(job.id, {"epoch": 1}, [{"epoch": 1, "loss": 0.1}] * 10)
        # Every job of the first model fails once in a thousand: few among many.
        if number % 1000 == 0:
            executions.fail(*begun, "As the benchmark has it.")
        else:
            executions.finish(*begun, {"version": number})
    stack.start_service()
    return job.id


def times(
    stacks: list[Stack],
    known: list[str],
    call: Callable[[httpx.Client, str], httpx.Response],
) -> list[float]:
    """Return the median time of a call at each stack, in milliseconds."""
    taken: list[list[float]] = [[] for _ in stacks]
    for _ in range(ROUNDS):
        for stack, job_id, seconds in zip(stacks, known, taken, strict=True):
            started = time.perf_counter()
            call(stack.client, job_id).raise_for_status()
            seconds.append(time.perf_counter() - started)
    return [1000 * statistics.median(seconds) for seconds in taken]


def report(medians: dict[str, list[float]]) -> str:
    """Return the table as Markdown."""
    few, many = (f"{size:,} jobs" for size in SIZES)
    lines = [f"| call | {few} | {many} | ratio |", "| --- | --- | --- | --- |"]
    lines += [
        f"| `{name}` | {few:.2f} ms | {many:.2f} ms | {many / few:.2f} |"
        for name, (few, many) in medians.items()
    ]
    return "\n".join([*lines, "", f"Medians of {ROUNDS}, in turn, {machine()}"])


if __name__ == "__main__":
    main()
