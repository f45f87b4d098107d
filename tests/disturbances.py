"""What may happen to a job while it runs. Each function does it to a job of a running stack."""

import os
import random
import signal
import time

from tests.stack import children, wait_for


def stop_and_resume(stack, job_id):
    stack.client.post(f"/api/v1/jobs/{job_id}/stop").raise_for_status()
    assert stack.wait(job_id)["status"] == "stopped"
    stack.client.post(f"/api/v1/jobs/{job_id}/resume").raise_for_status()


def sigterm_of_the_worker(stack, job_id):
    name, _ = stack.horse(job_id)
    stack.kill(name, signal.SIGTERM)
    assert "Its worker was stopped." in str(stack.job(job_id)["story"])
    stack.start_worker(name)


def sigkill_of_the_horse(stack, job_id):
    os.kill(stack.horse(job_id)[1], signal.SIGKILL)


def sigkill_of_the_worker(stack, job_id):
    """Where there are two: the other takes the job over."""
    name, _ = stack.horse(job_id)
    stack.kill(name)
    wait_for(lambda: "was lost" in str(stack.job(job_id)["story"]), what="the loss noticed")
    stack.start_worker(name)


def redis_killed_and_restarted(stack, job_id):
    stack.kill("redis")
    time.sleep(random.uniform(0, 3))
    stack.start_redis()


def power_lost(stack, job_id):
    """Every process is killed at once; then all are started again."""
    processes = list(stack.processes.items())
    for process in (process for _, process in processes):
        for pid in (process.pid, *children(process.pid)):
            os.kill(pid, signal.SIGKILL)
        process.wait()
    stack.start_redis()
    for name, _ in processes:
        if name.startswith("worker"):
            stack.start_worker(name)
    stack.start_service()


DISTURBANCES = [
    stop_and_resume,
    sigterm_of_the_worker,
    sigkill_of_the_horse,
    sigkill_of_the_worker,
    redis_killed_and_restarted,
    power_lost,
]
