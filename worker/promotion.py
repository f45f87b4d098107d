"""Whether a new version goes live."""

from typing import NamedTuple

from nncore.classifier import Classifier
from nncore.errors import RegistryError
from nncore.metrics import accuracy
from nncore.registry import LIVE, Registry, Version
from nncore.training import Examples


class Verdict(NamedTuple):
    """Whether to promote, and why: a sentence for people."""

    promote: bool
    reason: str


def judge(
    registry: Registry, model: str, *, promote: str, test: Examples, test_accuracy: float
) -> Verdict:
    """Decide by `promote`, one of "always", "never", "if_better".

    "if_better" promotes where the accuracy on the test images is not below that of the live
    version on the same images.
    """
    if promote == "always":
        return Verdict(True, 'The job says "always".')
    if promote == "never":
        return Verdict(False, 'The job says "never".')
    champion = registry.aliases(model).readable(LIVE)
    if champion is None:
        return Verdict(True, "No version was live.")
    try:
        version = registry.load(model, champion)
    except RegistryError as error:
        return Verdict(True, f"Version {champion} was live but cannot be loaded: {error}")
    return _compare(version, test, test_accuracy)


def _compare(champion: Version, test: Examples, test_accuracy: float) -> Verdict:
    classifier = Classifier.of(champion)
    if classifier.input_shape != test.pixels.shape[1:]:
        return Verdict(
            False,
            f"Version {champion.number} is live and takes rows of shape "
            f"{classifier.input_shape}, not {test.pixels.shape[1:]}: it cannot be compared.",
        )
    before = accuracy(classifier.predict(test.pixels), test.labels)
    better = test_accuracy >= before
    return Verdict(
        better,
        f"Test accuracy {test_accuracy:.2%} is {'not ' if better else ''}below the "
        f"{before:.2%} of version {champion.number} on the same {len(test.labels):,} images.",
    )
