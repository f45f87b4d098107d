"""``gunicorn -c service/gunicorn.conf.py service.wsgi:app``: settings from the environment."""

import gc
import os
import sys
from pathlib import Path

# One process a core: more BLAS threads than one would only wait for each other. OpenBLAS reads
# this when NumPy is imported, so it stands before our own imports.
os.putenv("OPENBLAS_NUM_THREADS", "1")

from gunicorn import util
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger

from nncore.logs import dict_config
from nncore.memory import keep_freed_memory
from service.file_limit import most_connections
from service.gunicorn_errors import write_error
from service.patient_worker import PatientWorker
from service.settings import Settings, SettingsError
from service.shared_load import SharedLoad

util.write_error = write_error

try:
    _settings = Settings.from_env()
except SettingsError as error:
    sys.exit(f"Error: {error}")
_load = SharedLoad()
_memory = Path("/dev/shm")  # noqa: S108 - only heartbeats, in files that gunicorn unlinks at once


class _Log(Logger):
    """gunicorn's log, but none of requests: it would be put together for each, and thrown away."""

    access_log_enabled = False


# Of a thread that calculates, while others wait for Python's lock: each step of the event loop's
# answers may wait so long. Python's own 5 ms make a hundredth of a second of most of them.
SECONDS_OF_A_TURN = 0.001
KEPT_BYTES = 16 * 2**20  # of freed memory: the arrays of a request of some hundred rows

bind = [f"{_settings.host}:{_settings.port}"]
worker_class = "service.patient_worker.PatientWorker"
workers = _settings.web_workers
# Who watches a job holds a thread: they have their own, and predicting has the rest.
threads = _settings.web_threads + _settings.max_streams
# Connections, most of them idle or slow: they cost an event loop a few kilobytes each. One more
# than there are file descriptors would end the process.
worker_connections = most_connections(4096)
# Imports happen once, before the fork: processes start at once and share their memory.
preload_app = True
keepalive = 75
timeout = 60
graceful_timeout = 30
worker_tmp_dir = str(_memory) if _memory.is_dir() else None
control_socket_disable = True
logger_class = _Log
logconfig_dict = dict_config(_settings.log) | {
    "loggers": {"gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True}}
}


def pre_fork(server: Arbiter, worker: PatientWorker) -> None:
    """Let no process look for garbage among what it has from the master: that stays shared."""
    gc.freeze()
    worker.load = _load
    worker.place = _load.free_place([other.place for other in server.WORKERS.values()])


def post_fork(server: Arbiter, worker: PatientWorker) -> None:
    """Let the threads share one heap: one each would keep hundreds of megabytes."""
    keep_freed_memory(KEPT_BYTES)
    sys.setswitchinterval(SECONDS_OF_A_TURN)
    worker.early_signals = server.SIG_QUEUE


def post_worker_init(worker: PatientWorker) -> None:
    """Let /readyz tell that the process is to end, and let streams end: they would hold it up."""
    worker.wsgi.extensions["stopping"] = lambda: worker.stops_at is not None
