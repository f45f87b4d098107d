"""``python -m worker``: take training jobs from the queue until told to stop.

Importing this module imports NumPy and scikit-learn, before RQ forks for a job: a job then starts
in milliseconds.
"""

import logging
import os
import signal
import sys
import threading
from types import FrameType

from redis.exceptions import RedisError

from nncore import logs
from nncore.memory import keep_freed_memory
from worker.queue_worker import TrainingWorker, build_worker
from worker.settings import Settings, SettingsError

log = logging.getLogger("worker")

SECONDS_BETWEEN_TRIES = 1.0


def main() -> int:
    """Work until SIGTERM or SIGINT: the running job is finished first. Return the exit code."""
    try:
        settings = Settings.from_env()
    except SettingsError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    logs.configure(settings.log)
    keep_freed_memory()
    stop = threading.Event()
    worker: TrainingWorker | None = None

    pid = os.getpid()

    def request_stop(signum: int, frame: FrameType | None) -> None:
        if os.getpid() != pid:
            # RQ's scheduler, forked just now, before it has a handler of its own: its parent waits.
            os._exit(0)
        stop.set()
        if worker is not None:
            worker.stop_before_next_job()

    signal.signal(signal.SIGTERM, request_stop)
    signal.signal(signal.SIGINT, request_stop)
    while not stop.is_set():
        try:
            worker = build_worker(settings)
        except RedisError as error:
            log.warning("No Redis at %s: %s Trying again.", settings.redis_url, error)
            stop.wait(SECONDS_BETWEEN_TRIES)
        else:
            return work(worker)
    return 0


def work(worker: TrainingWorker) -> int:
    """Work until asked to stop. After a fault begin afresh, in the same process."""
    try:
        log.info("Taking jobs from the queue %r.", worker.queues[0].name)
        worker.work(with_scheduler=True, logging_level="WARNING")
    except RedisError as error:
        log.warning("Redis went away: %s", error)
    if not worker.stop_requested:
        # RQ leaves threads and signal handlers behind; a new program has none of them.
        log.warning("Beginning afresh.")
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - the very command we were started by
    return 0


if __name__ == "__main__":
    sys.exit(main())
