"""Made pictures are read nearly as well as the digits in them; the long form is a benchmark."""

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


def trained(settings, **config):
    config = TrainConfig.from_dict({"model": "digits"} | config)
    run_training(config, settings, job_id="j", folder=JobFolder(settings.store, "j", "1"))
    return Classifier.of(Registry(settings.store).load("digits", 1))


def test_what_the_first_start_trains_reads_pictures(tmp_path):
    network = trained(Settings(store=tmp_path), preset="first")

    read, _ = see(photographs(COUNT, 1)).right(network)

    assert read.mean() >= 0.85  # 100 photographs by hand, says the requirement


@pytest.mark.mnist
def test_pictures_are_read_nearly_as_well_as_the_digits_on_their_own(
    tmp_path, mnist_dir, mnist_test
):
    settings = Settings(store=tmp_path, mnist_dir=mnist_dir)
    network = trained(settings, preset="serving", epochs=1)  # the whole takes minutes
    images = mnist_test.pixels.reshape(-1, 28, 28)

    read, clean = see(photographs(COUNT, 2, images, mnist_test.labels)).right(network)

    assert read.mean() >= 0.93
    assert clean.mean() - read.mean() <= 0.04
