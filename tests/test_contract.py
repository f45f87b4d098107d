"""What service and worker must agree on without knowing each other."""

import importlib

from jobs.training_job import TASKS
from nncore.config import TrainConfig
from nncore.datasets import DATASETS
from worker.datasets import LOADERS


def test_every_task_that_a_job_may_name_is_there():
    for task in TASKS:
        module, _, name = task.rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))


def test_every_data_set_that_a_config_may_name_can_be_loaded():
    assert set(LOADERS) == set(DATASETS)


def test_a_payload_is_plain_json():
    payload = TrainConfig.from_dict({"model": "m", "dataset": "digits"}).to_dict()

    assert TrainConfig.from_dict(payload).to_dict() == payload
