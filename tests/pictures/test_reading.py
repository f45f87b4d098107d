"""Made pictures are read nearly as well as the digits in them; the long form is a benchmark.

How what the first start trains reads them is seen where it is started: tests/inkwell/test_up.py.
"""

import pytest

from nncore.classifier import Classifier
from nncore.config import TrainConfig
from nncore.registry import Registry
from tests.pictures.photographs import photographs
from tests.pictures.reading import see
from worker.job_folder import JobFolder
from worker.settings import Settings
from worker.training import run_training

COUNT = 100


@pytest.mark.mnist
def test_pictures_are_read_nearly_as_well_as_the_digits_on_their_own(
    tmp_path, mnist_dir, mnist_test
):
    settings = Settings(store=tmp_path, mnist_dir=mnist_dir)
    # The whole takes minutes.
    config = TrainConfig.from_dict({"model": "digits", "preset": "serving", "epochs": 1})
    run_training(config, settings, job_id="j", folder=JobFolder(settings.store, "j", "1"))
    network = Classifier.of(Registry(settings.store).load("digits", 1))
    images = mnist_test.pixels.reshape(-1, 28, 28)

    read, clean = see(photographs(COUNT, 2, images, mnist_test.labels)).right(network)

    assert read.mean() >= 0.93
    assert clean.mean() - read.mean() <= 0.04
