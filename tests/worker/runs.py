"""A training run as the worker makes it, without a queue."""

import itertools

from nncore.config import TrainConfig
from nncore.training import ignore
from worker.checkpoints import NEVER
from worker.job_folder import JobFolder
from worker.settings import Settings
from worker.training import run_training

NUMBERS = itertools.count(1)


def run(
    store,
    *,
    job_id=None,
    execution_id="e1",
    report=ignore,
    interruption=NEVER,
    mnist_dir=None,
    **changed,
):
    """Run a job, a new one where none is named."""
    payload = {"model": "digits", "dataset": "digits", "epochs": 3} | changed
    job_id = job_id or f"job-{next(NUMBERS)}"
    return run_training(
        TrainConfig.from_dict(payload),
        Settings(store=store, mnist_dir=mnist_dir),
        job_id=job_id,
        folder=JobFolder(store, job_id, execution_id),
        report=report,
        interruption=interruption,
    )
