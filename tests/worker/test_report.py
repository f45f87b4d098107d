import io
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from nncore.calibration import expected_calibration_error
from nncore.losses import SoftmaxCrossEntropy
from nncore.registry import Registry
from nncore.training import outputs
from tests.conftest import classifier_of
from tests.worker.runs import run
from worker import datasets, report
from worker.settings import Settings

FIGURES = ["accuracy.png", "calibration.png", "confusion_matrix.png", "loss.png", "mistakes.png"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A registry with one version, of the 1,797 digits."""
    store = tmp_path_factory.mktemp("report")
    run(store, epochs=8, validation_fraction=0.4)  # 575 images: enough to calibrate on
    return Registry(store)


def read(registry, name, model="digits", version=1):
    return json.loads(registry.report_file(model, version, name))


def test_the_report_of_a_version_has_its_pictures_and_its_numbers(trained):
    assert trained.report("digits", 1) == sorted(
        [*FIGURES, "calibration.json", "cells.json", "mistakes.json", "verdict.json"]
    )
    for name in FIGURES:
        picture = Image.open(io.BytesIO(trained.report_file("digits", 1, name)))
        assert min(picture.size) > 300
        assert len(set(picture.convert("L").get_flattened_data())) > 10  # something is drawn


def test_the_surest_mistakes_come_first_with_what_was_said_of_them(trained):
    mistakes = read(trained, "mistakes.json")["mistakes"]

    test = datasets.load("digits", Settings()).test
    p = classifier_of(trained, 1).probabilities(test.pixels)
    wrong = np.flatnonzero(p.argmax(axis=1) != test.labels)
    assert len(mistakes) == min(25, len(wrong)) > 3
    assert mistakes[0]["row"] == wrong[np.argmax(p[wrong].max(axis=1))]
    surest = [mistake["probability"] for mistake in mistakes]
    assert surest == sorted(surest, reverse=True)
    for mistake in mistakes:
        row = mistake["row"]
        assert mistake["pixels"] == test.pixels[row].tolist()
        assert mistake["label"] == str(test.labels[row]) != mistake["answer"]
        assert mistake["label_probability"] == pytest.approx(float(p[row, test.labels[row]]))


def test_every_cell_of_the_confusion_matrix_has_its_pictures(trained):
    pictures = read(trained, "cells.json")["pictures"]

    confusion = np.array(trained.manifest("digits", 1).metrics["confusion_matrix"])
    shown = np.zeros_like(confusion)
    for picture in pictures:
        shown[int(picture["label"]), int(picture["answer"])] += 1
    assert (shown == np.minimum(confusion, report.MAX_OF_A_CELL)).all()
    mistakes = read(trained, "mistakes.json")["mistakes"]
    assert {mistake["row"] for mistake in mistakes} <= {picture["row"] for picture in pictures}
    sevens = [one["probability"] for one in pictures if one["label"] == one["answer"] == "7"]
    test = datasets.load("digits", Settings()).test
    p = classifier_of(trained, 1).probabilities(test.pixels)
    right = p[(p.argmax(axis=1) == 7) & (test.labels == 7), 7]
    assert sevens == pytest.approx(np.sort(right)[:10])  # the least sure of those that are right


def test_the_calibration_before_and_as_served_is_told_and_agrees_with_the_metrics(trained):
    calibration = read(trained, "calibration.json")

    metrics = trained.manifest("digits", 1).metrics
    test = datasets.load("digits", Settings()).test
    served = classifier_of(trained, 1).probabilities(test.pixels)
    error = expected_calibration_error(served, test.labels)
    assert calibration["temperature"] == metrics["temperature"] != 1
    assert calibration["served"]["expected_calibration_error"] == error
    assert error == metrics["expected_calibration_error"]
    assert calibration["before"]["expected_calibration_error"] == pytest.approx(
        metrics["uncalibrated_error"], abs=1e-6
    )
    for part in ("before", "served"):
        assert sum(b["rows"] for b in calibration[part]["bins"]) == 360


def test_what_is_published_and_so_all_that_is_exported_is_calibrated(trained):
    """A network of the published arrays needs no temperature to answer as the service does."""
    version = trained.load("digits", 1)
    test = datasets.load("digits", Settings()).test

    logits = outputs(version.network, test.pixels, version.manifest.pixel_scaling)

    np.testing.assert_allclose(
        SoftmaxCrossEntropy().probabilities(logits),
        classifier_of(trained, 1).probabilities(test.pixels),
        atol=1e-5,
    )


def test_calibration_changes_no_answer(trained):
    version = trained.load("digits", 1)
    test = datasets.load("digits", Settings()).test
    logits = outputs(version.network, test.pixels, version.manifest.pixel_scaling)
    raw = logits * version.manifest.metrics["temperature"]

    np.testing.assert_array_equal(raw.argmax(axis=1), logits.argmax(axis=1))


@pytest.mark.parametrize(
    "changed",
    [
        {"validation_fraction": 0},
        {"loss": "mean_squared_error"},
        {"network": [{"type": "dense", "units": 10}, {"type": "tanh"}]},
    ],
)
def test_where_nothing_can_be_calibrated_that_is_told(tmp_path, changed):
    run(tmp_path, epochs=1, **changed)

    registry = Registry(tmp_path)
    metrics = registry.manifest("digits", 1).metrics
    assert metrics["temperature"] is None
    assert metrics["expected_calibration_error"] == pytest.approx(
        metrics["uncalibrated_error"], abs=1e-6
    )
    assert read(registry, "calibration.json")["temperature"] is None


def test_rows_that_are_no_pictures_have_a_report_without_them(tmp_path):
    run(tmp_path, model="toy", dataset="xor", preset="two-layer-sse", epochs=2)

    registry = Registry(tmp_path)
    assert "mistakes.png" not in registry.report("toy", 1)
    assert "loss.png" in registry.report("toy", 1)


def test_a_report_that_cannot_be_drawn_harms_no_run(tmp_path, monkeypatch, caplog):
    def fail(version, test):
        raise ZeroDivisionError("no ink")

    monkeypatch.setattr(report, "report_files", fail)

    result = run(tmp_path, epochs=1)

    assert (result["version"], result["promoted"]) == (1, True)
    assert result["report_error"] == "ZeroDivisionError: no ink"
    assert Registry(tmp_path).report("digits", 1) == ["verdict.json"]
    assert "No report of version 1 of 'digits'" in caplog.text


def test_only_a_job_loads_the_drawing_library():
    code = "import sys, worker.__main__; print('matplotlib' in sys.modules)"

    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert told.stdout.strip() == "False"
