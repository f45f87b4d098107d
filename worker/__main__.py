"""``python -m worker``: take training jobs from the queue until told to stop.

Importing this module imports what every job needs, before the fork for a job: that then starts in
milliseconds. What few need, scikit-learn above all, is imported where it is used.
"""

import logging
import signal
import sys
import time

from redis.exceptions import RedisError

from nncore import logs
from nncore.memory import keep_freed_memory
from worker.job_folder import make_jobs_folder
from worker.queue_worker import Stop, TrainingWorker
from worker.settings import Settings, SettingsError

log = logging.getLogger("worker")

SECONDS_BETWEEN_TRIES = 1.0


def main() -> int:
    """Work until SIGTERM or SIGINT: a running job makes way. Return the exit code."""
    try:
        settings = Settings.from_env()
    except SettingsError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    logs.configure(settings.log)
    keep_freed_memory()
    try:
        make_jobs_folder(settings.store)
    except OSError as error:  # each job will tell
        log.error("The store cannot be used: %s", error)
    stop = Stop()
    signal.signal(signal.SIGTERM, stop.request)
    signal.signal(signal.SIGINT, stop.request)
    while not stop.requested:
        try:
            worker = TrainingWorker(settings, stop)
            log.info("Taking jobs from the queue %r.", settings.queue)
            worker.work(logging_level="WARNING")
        except RedisError as error:
            log.warning("No Redis at %s: %s Trying again.", settings.redis_url, error)
            time.sleep(SECONDS_BETWEEN_TRIES)
    return 0


if __name__ == "__main__":
    sys.exit(main())
