import gzip
import json
import os
import shutil
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import sklearn.datasets
from sklearn.model_selection import train_test_split

from worker.datasets import DIGITS_FILE, DatasetError, load
from worker.settings import Settings, SettingsError


def test_digits_are_brought_to_mnists_framing(tmp_path):
    digits = load("digits", Settings(store=tmp_path))

    assert digits.train.pixels.shape == (1437, 784)
    assert digits.test.pixels.shape == (360, 784)
    assert digits.train.pixels.dtype == np.uint8
    assert digits.train.labels.dtype == np.int64
    images = digits.test.pixels.reshape(-1, 28, 28).astype(float)
    middles = np.arange(28) + 0.5
    for axis in (1, 2):
        mass = images.sum(axis=3 - axis)
        centres = (mass * middles).sum(axis=1) / mass.sum(axis=1)
        # MNIST: 14 to 15, but for rounding, and for a digit that would stand out of the picture.
        assert 13.75 <= centres.min() <= centres.max() <= 15.01
        assert (centres < 13.99).sum() <= 1
    assert (images.max(axis=(1, 2)) == 255).all()
    assert not images[:, 0].any()


def test_the_split_of_digits_is_always_the_same_and_fair_to_classes(tmp_path):
    one, two = (load("digits", Settings(store=tmp_path)) for _ in range(2))

    assert one.sha256() == two.sha256()
    assert np.bincount(one.test.labels).min() >= 34


def test_the_file_of_digits_is_what_scikit_learn_has_and_how_it_splits_it():
    digits = sklearn.datasets.load_digits()
    parts = train_test_split(
        digits.images, digits.target, test_size=0.2, random_state=0, stratify=digits.target
    )

    with np.load(DIGITS_FILE, allow_pickle=False) as arrays:
        names = "train_images", "test_images", "train_labels", "test_labels"
        for name, part in zip(names, parts, strict=True):
            np.testing.assert_array_equal(arrays[name], part, err_msg=name)


def test_ones_are_always_the_same_and_all_differ(tmp_path):
    one, two = (load("ones", Settings(store=tmp_path)) for _ in range(2))

    assert one.sha256() == two.sha256()
    pixels = np.concatenate([one.train.pixels, one.test.pixels])
    assert pixels.shape == (2400, 784)
    assert len(np.unique(pixels, axis=0)) == 2400
    assert {*one.train.labels, *one.test.labels} == {1}


def test_mnist_is_read_from_its_four_files(mnist_dir, tmp_path):
    mnist = load("mnist", Settings(store=tmp_path, mnist_dir=mnist_dir))

    assert mnist.train.pixels.shape == (60_000, 784)
    assert mnist.test.pixels.shape == (10_000, 784)
    assert np.bincount(mnist.test.labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_named(mnist_dir, tmp_path):
    for name in os.listdir(mnist_dir):
        if "labels" not in name:
            (tmp_path / name).symlink_to(mnist_dir / name)

    with pytest.raises(DatasetError, match=r"neither train-labels-idx1-ubyte\.gz nor"):
        load("mnist", Settings(mnist_dir=tmp_path))


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DatasetError, match=f"INKWELL_MNIST_DIR={tmp_path}/nowhere"):
        load("mnist", Settings(mnist_dir=tmp_path / "nowhere"))


def test_a_damaged_file_is_named(mnist_dir, tmp_path):
    shutil.copytree(mnist_dir, tmp_path / "mnist")
    path = tmp_path / "mnist" / "train-labels-idx1-ubyte.gz"
    path.unlink()
    path.write_bytes(gzip.compress(b"no idx", mtime=0))

    with pytest.raises(DatasetError, match=r"train-labels-idx1-ubyte\.gz cannot be read"):
        load("mnist", Settings(mnist_dir=tmp_path / "mnist"))


def test_without_files_and_without_openml_the_error_names_both(tmp_path, monkeypatch):
    def unreachable(*args, **kwargs):
        raise URLError("no route")

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", unreachable)

    with pytest.raises(DatasetError, match=r"INKWELL_MNIST_DIR names no folder.*no route"):
        load("mnist", Settings(store=tmp_path))

    assert os.listdir(tmp_path / "datasets") == []


def test_what_openml_sends_is_kept_in_the_store_and_not_fetched_twice(tmp_path, monkeypatch):
    fetched = []

    def fetch(name, *, version, as_frame, parser, data_home):
        fetched.append((name, version))
        data = np.zeros((70_000, 784))
        return SimpleNamespace(data=data, target=np.array(["7"] * 70_000))

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    settings = Settings(store=tmp_path)

    one, two = load("mnist", settings), load("mnist", settings)

    assert fetched == [("mnist_784", 1)]
    assert one.sha256() == two.sha256()
    assert (one.train.pixels.shape, one.test.pixels.shape) == ((60_000, 784), (10_000, 784))
    assert one.test.labels.tolist() == [7] * 10_000
    manifest = json.loads((tmp_path / "datasets/mnist/manifest.json").read_text())
    assert manifest["source"] == "OpenML mnist_784 version 1"


def test_settings_refuse_an_unknown_log_format():
    with pytest.raises(SettingsError, match="INKWELL_LOG"):
        Settings.from_env({"INKWELL_LOG": "xml"})
