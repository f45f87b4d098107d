"""What is measured of a trained network, on images that it was not trained on."""

from typing import Any

import numpy as np

from nncore.calibration import divide_outputs, expected_calibration_error, fit_temperature
from nncore.classifier import Classifier
from nncore.losses import Loss
from nncore.metrics import accuracy, confusion_matrix
from nncore.network import Network
from nncore.scaling import PixelScaler
from nncore.training import Examples, outputs


def calibrate(
    network: Network, scaler: PixelScaler, loss: Loss, validation: Examples
) -> float | None:
    """Divide the network's outputs, in place, by the temperature that fits the images.

    Returns it, or None where there is none to be found, or the last layer cannot take it up.
    """
    if not len(validation.labels):
        return None
    logits = outputs(network, validation.pixels, scaler)
    temperature = fit_temperature(logits, validation.labels, loss)
    return temperature if temperature and divide_outputs(network, temperature) else None


def measure(
    network: Network,
    scaler: PixelScaler,
    loss: Loss,
    test: Examples,
    temperature: float | None,
) -> dict[str, Any]:
    """Return the measures on the test images, by the very code that will answer requests.

    `temperature` is what the outputs were divided by, None where they were not.
    """
    probabilities = Classifier(network, scaler, loss).probabilities(test.pixels)
    predictions = probabilities.argmax(axis=1)
    # The loss is that of the training: before it was calibrated.
    logits = outputs(network, test.pixels, scaler) * np.float32(temperature or 1)
    test_loss, _ = loss(logits, test.labels)
    before = loss.probabilities(logits)
    confusion = confusion_matrix(predictions, test.labels, probabilities.shape[1])
    return {
        "test_accuracy": accuracy(predictions, test.labels),
        "test_loss": test_loss,
        "test_rows": len(test.labels),
        "temperature": temperature,
        "expected_calibration_error": expected_calibration_error(probabilities, test.labels),
        "uncalibrated_error": expected_calibration_error(before, test.labels),
        "confusion_matrix": confusion.tolist(),
    }
