"""Whether a new version goes live: it is judged against the live one on the same images."""

import json
import operator
from functools import partial
from typing import Any, NamedTuple

from nncore.arrays import Ints
from nncore.classifier import Classifier
from nncore.errors import AliasMovedError, RegistryError
from nncore.registry import LIVE, VERDICT_FILE, Registry, Version
from nncore.training import Examples
from worker.comparison import CLASS_MARGIN, LEVEL, MARGIN, Comparison

DISAGREEMENTS_FILE = "disagreements.json"
SMALLEST_SHOWN = 0.0001  # of p, to people


class Verdict(NamedTuple):
    """Whether to promote, and why: a sentence for people, and the comparison where there is one."""

    promote: bool
    reason: str
    champion: int | None = None
    comparison: Comparison | None = None

    def files(self) -> dict[str, bytes]:
        """Return what is kept of it with the version: the numbers, and the pictures."""
        values: dict[str, Any] = {
            "promote": self.promote,
            "reason": self.reason,
            "champion": self.champion,
        }
        if self.comparison is None:
            return {VERDICT_FILE: _to_json(values)}
        return {
            VERDICT_FILE: _to_json(values | self.comparison.numbers()),
            DISAGREEMENTS_FILE: _to_json({"disagreements": self.comparison.disagreements()}),
        }


def judge_and_promote(
    registry: Registry, version: Version, *, promote: str, test: Examples
) -> Verdict:
    """Judge a version against the live one, keep the verdict with it, let it go live if so.

    Parameters
    ----------
    registry : Registry
    version : Version
        Published already.
    promote : str
        "if_better": promote where a loss of `MARGIN` is ruled out and no class falls by more than
        `CLASS_MARGIN` beyond chance, or where there is no champion; "always", "never": compare
        only.
    test : Examples
        Not trained on.
    """
    model, labels = version.manifest.model, version.manifest.labels
    predictions = Classifier.of(version).predict(test.pixels)
    while True:
        champion = registry.aliases(model).readable(LIVE)
        verdict = judge(
            registry,
            model,
            champion.to,
            promote=promote,
            labels=labels,
            test=test,
            predictions=predictions,
        )
        registry.add_report(model, version.number, verdict.files())
        if not verdict.promote:
            return verdict
        try:
            registry.promote(
                model,
                version.number,
                reason=verdict.reason,
                actor=f"job {version.manifest.job_id}",
                accept=partial(operator.eq, champion.tag),
            )
        except AliasMovedError:
            # Of two jobs that end at once the second is judged by what the first made live.
            continue
        return verdict


def judge(
    registry: Registry,
    model: str,
    champion: int | None,
    *,
    promote: str,
    labels: tuple[str, ...],
    test: Examples,
    predictions: Ints,
) -> Verdict:
    """Compare a new version with the live one, the champion, and decide."""
    if champion is None:
        verdict = Verdict(True, "No version was live.")
    else:
        try:
            version = registry.load(model, champion)
        except RegistryError as error:
            reason = f"Version {champion} was live but cannot be loaded: {error}"
            verdict = Verdict(True, reason, champion)
        else:
            verdict = _compare(version, labels, test, predictions)
    if promote == "if_better":
        return verdict
    return verdict._replace(promote=promote == "always", reason=f'The job says "{promote}".')


def _compare(
    champion: Version, labels: tuple[str, ...], test: Examples, predictions: Ints
) -> Verdict:
    classifier, known = Classifier.of(champion), champion.manifest.labels
    if classifier.input_shape != test.pixels.shape[1:] or known != labels:
        reason = (
            f"Version {champion.number} is live and cannot be compared: it takes rows of shape "
            f"{classifier.input_shape} and knows {len(known)} labels, here they are of shape "
            f"{test.pixels.shape[1:]} with {len(labels)}{'' if known != labels else ' too'}."
        )
        return Verdict(False, reason, champion.number)
    comparison = Comparison(test, labels, classifier.predict(test.pixels), predictions)
    promote, why = _decide(comparison)
    numbers = comparison.numbers()
    reason = (
        f"On {numbers['rows']:,} images {numbers['challenger_accuracy']:.2%}, version "
        f"{champion.number} {numbers['champion_accuracy']:.2%}: {comparison.gained} gained, "
        f"{comparison.lost} lost. {why}"
    )
    return Verdict(promote, reason, champion.number, comparison)


def _decide(comparison: Comparison) -> tuple[bool, str]:
    p, loss = comparison.p_value, f"A loss of {MARGIN * 100:g} points is"
    shown = f"p = {p:.2g}" if p >= SMALLEST_SHOWN else f"p < {SMALLEST_SHOWN}"
    if p >= LEVEL:
        return False, f"{loss} not ruled out: {shown}, not below {LEVEL:g}."
    fallen = [
        f"{c['label']!r} from {c['champion_accuracy']:.2%} to {c['challenger_accuracy']:.2%}"
        for c in comparison.fallen()
    ]
    allowed = f"{CLASS_MARGIN * 100:g} points"
    if fallen:
        return False, f"A class falls by more than {allowed}: {', '.join(fallen)}."
    return True, (
        f"{loss} ruled out ({shown}), and no class falls by more than {allowed} beyond chance."
    )


def _to_json(values: dict[str, Any]) -> bytes:
    return json.dumps(values, allow_nan=False).encode() + b"\n"
