"""What service and worker must agree on without knowing each other."""

import importlib

from nncore.config import TrainConfig
from nncore.datasets import DATASETS
from service.job_queue import TRAIN_TASK
from worker.datasets import LOADERS
from worker.queue_worker import TASK


def test_the_service_names_the_task_that_the_worker_runs():
    module, _, name = TRAIN_TASK.rpartition(".")

    assert callable(getattr(importlib.import_module(module), name))
    assert TRAIN_TASK == TASK


def test_every_data_set_that_a_config_may_name_can_be_loaded():
    assert set(LOADERS) == set(DATASETS)


def test_a_payload_is_plain_json():
    payload = TrainConfig.from_dict({"model": "m", "dataset": "digits"}).to_dict()

    assert TrainConfig.from_dict(payload).to_dict() == payload
