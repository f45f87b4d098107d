"""The report of a version: how it learned and where it errs, as pictures and as JSON."""

import io
import json
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nncore.arrays import Floats, Ints, Pixels
from nncore.calibration import bins, expected_calibration_error
from nncore.classifier import Classifier
from nncore.registry import Version
from nncore.training import Examples, outputs

MAX_MISTAKES = 25
MAX_OF_A_CELL = 10  # of the confusion matrix
MAX_LABELS = 20  # of a confusion matrix with its counts written in
SMALLEST_SIDE = 8  # of what is taken for a picture
COLUMNS = 5
TITLE, GAP = 6, 4  # pixels above and beside a picture of a mistake
DOTS_PER_INCH = 100


class Answers(NamedTuple):
    """What a version answers to the test images, as it is served and before calibration."""

    test: Examples
    labels: tuple[str, ...]
    served: Floats
    before: Floats

    @classmethod
    def of(cls, version: Version, test: Examples) -> "Answers":
        """Ask the version."""
        manifest = version.manifest
        logits = outputs(version.network, test.pixels, manifest.pixel_scaling)
        before = manifest.loss.probabilities(logits * (manifest.metrics["temperature"] or 1))
        served = Classifier.of(version).probabilities(test.pixels)
        return cls(test, manifest.labels, served, before)

    @property
    def answered(self) -> Ints:
        """The answer to each image, as the place of its label."""
        return self.served.argmax(axis=1)

    @property
    def sure(self) -> Floats:
        """How probable each answer was said to be."""
        return self.served.max(axis=1)


def report_files(version: Version, test: Examples) -> dict[str, bytes]:
    """Return the files of a version's report by name; `test` are images not trained on."""
    answers, manifest = Answers.of(version, test), version.manifest
    mistakes = find_mistakes(answers)
    confusion = np.array(manifest.metrics["confusion_matrix"])
    calibration = calibration_of(answers, manifest.metrics["temperature"])
    files = {
        "loss.png": _draw(lambda a: _curves(a, manifest.history, ("loss", "validation_loss"))),
        "accuracy.png": _draw(lambda a: _curves(a, manifest.history, ("validation_accuracy",))),
        "confusion_matrix.png": _draw(lambda a: _matrix(a, manifest.labels, confusion)),
        "calibration.png": _draw(lambda a: _calibration(a, calibration)),
        "calibration.json": _to_json(calibration),
        "mistakes.json": _to_json({"mistakes": mistakes}),
    }
    if len(manifest.labels) <= MAX_LABELS:
        files["cells.json"] = _to_json({"pictures": pictures_of_cells(answers)})
    if mistakes and _side(test.pixels):
        files["mistakes.png"] = _mistakes(mistakes, _side(test.pixels))
    return files


def calibration_of(answers: Answers, temperature: float | None) -> dict[str, Any]:
    """Return how sure and how often right the answers are, before and as served: JSON values."""
    truth = answers.test.labels
    return {
        "temperature": temperature,
        **{
            name: {
                "expected_calibration_error": expected_calibration_error(probabilities, truth),
                "bins": [found._asdict() for found in bins(probabilities, truth)],
            }
            for name, probabilities in (("before", answers.before), ("served", answers.served))
        },
    }


def find_mistakes(answers: Answers) -> list[dict[str, Any]]:
    """Return the wrong answers that were given most surely, surest first, as `_told` has them."""
    wrong = np.flatnonzero(answers.answered != answers.test.labels)
    surest = wrong[np.argsort(-answers.sure[wrong], kind="stable")]
    return _told(answers, surest[:MAX_MISTAKES])


def pictures_of_cells(answers: Answers) -> list[dict[str, Any]]:
    """Return some images of each cell of the confusion matrix, as `_told` has them.

    Of what was wrong those that were answered most surely, of what was right the least sure.
    """
    truth, answered = answers.test.labels, answers.answered
    telling = np.where(answered == truth, answers.sure, -answers.sure)
    order = np.lexsort((telling, answered, truth))
    cells = (truth * len(answers.labels) + answered)[order]
    places = np.arange(len(cells)) - np.searchsorted(cells, cells)  # within a cell
    return _told(answers, order[places < MAX_OF_A_CELL])


def _told(answers: Answers, rows: Ints) -> list[dict[str, Any]]:
    """Return what is to be told of some test images, as JSON values.

    Each has its row among them, its label, what was answered, how probable that and the label were
    said to be, and its pixels as a request to predict takes them.
    """
    test, labels, probabilities, _ = answers
    answered = answers.answered
    return [
        {
            "row": int(row),
            "label": labels[test.labels[row]],
            "answer": labels[answered[row]],
            "probability": float(probabilities[row, answered[row]]),
            "label_probability": float(probabilities[row, test.labels[row]]),
            "pixels": test.pixels[row].tolist(),
        }
        for row in rows
    ]


def _curves(axes: Axes, history: list[dict[str, Any]], names: tuple[str, ...]) -> None:
    epochs = [line["epoch"] for line in history]
    for name in names:
        values = [math.nan if line[name] is None else line[name] for line in history]
        axes.plot(epochs, values, marker="." if len(epochs) < 100 else "", label=name)
    axes.set_xlabel("epoch")
    axes.legend()
    axes.grid(alpha=0.3)


def _matrix(axes: Axes, labels: tuple[str, ...], counts: Any) -> None:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xlabel("answer")
    axes.set_ylabel("label")
    if len(labels) > MAX_LABELS:
        return
    axes.set_xticks(range(len(labels)), labels)
    axes.set_yticks(range(len(labels)), labels)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)


def _calibration(axes: Axes, calibration: dict[str, Any]) -> None:
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, label="as sure as right")
    for name in ("before", "served"):
        found = calibration[name]["bins"]
        error = calibration[name]["expected_calibration_error"]
        axes.plot(
            [b["confidence"] for b in found],
            [b["accuracy"] for b in found],
            "o-",
            label=f"{name}: expected calibration error {error:.2%}",
        )
    temperature = calibration["temperature"]
    axes.set_title("not calibrated" if temperature is None else f"temperature {temperature:.3f}")
    axes.set_xlabel("how sure")
    axes.set_ylabel("how often right")
    axes.legend()


def _mistakes(mistakes: list[dict[str, Any]], side: int) -> bytes:
    """Draw the pictures in one, each below what it was taken for: axes for each take a second."""
    rows = -(-len(mistakes) // COLUMNS)
    high, wide = side + TITLE, side + GAP
    sheet = np.full((rows * high, COLUMNS * wide), 255)
    figure = Figure(figsize=(1.4 * COLUMNS, 1.4 * rows * high / wide))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    for place, mistake in enumerate(mistakes):
        top, left = place // COLUMNS * high + TITLE, place % COLUMNS * wide
        sheet[top : top + side, left : left + side] = np.reshape(mistake["pixels"], (side, side))
        told = f"{mistake['label']} as {mistake['answer']}, {mistake['probability']:.1%}"
        axes.text(left + side / 2, top - 1, told, ha="center", va="bottom", fontsize=8)
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=255)
    return _png(figure)


def _side(pixels: Pixels) -> int:
    """Return the side of the square pictures that the rows are, or 0."""
    size = math.prod(pixels.shape[1:])
    side = math.isqrt(size)
    return side if side * side == size and side >= SMALLEST_SIDE else 0


def _draw(draw: Callable[[Axes], None]) -> bytes:
    figure = Figure(figsize=(6.4, 4.8))
    draw(figure.add_subplot())
    return _png(figure)


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return file.getvalue()


def _to_json(values: dict[str, Any]) -> bytes:
    return json.dumps(values, allow_nan=False).encode() + b"\n"
