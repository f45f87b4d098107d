"""What follows when a version is published: it is judged, goes live, is reported on."""

import logging
from typing import Any

from nncore.config import TrainConfig
from nncore.registry import Registry, Version
from nncore.training import Examples
from worker.promotion import Verdict, judge_and_promote
from worker.settings import Settings

log = logging.getLogger(__name__)


def release(
    registry: Registry, config: TrainConfig, number: int, test: Examples, settings: Settings
) -> dict[str, Any]:
    """Judge a published version, let it go live if so, draw its report, remove old versions.

    It may be called again where it was called for the version before and did not come to its end.

    Returns
    -------
    result : dict
        version, test_accuracy, promoted, reason, report_error (None where there is a report): JSON
        values.
    """
    version = registry.load(config.model, number)
    verdict = _verdict_before(registry, version) or judge_and_promote(
        registry, version, promote=config.promote, test=test
    )
    report_error = write_report(registry, version, test)
    remove_old(registry, config.model, settings)
    return {
        "version": number,
        "test_accuracy": version.manifest.metrics["test_accuracy"],
        "promoted": verdict.promote,
        "reason": verdict.reason,
        "report_error": report_error,
    }


def _verdict_before(registry: Registry, version: Version) -> Verdict | None:
    """Return how the version was judged, if what followed from that has been done."""
    model, number = version.manifest.model, version.number
    told = registry.verdict(model, number)
    if told is None:
        return None
    moves = registry.aliases(model).history()
    done = not told["promote"] or any(move["to"] == number for move in moves)
    return Verdict(told["promote"], told["reason"]) if done else None


def write_report(registry: Registry, version: Version, test: Examples) -> str | None:
    """Draw the report of a version; return what went wrong, which harms no run."""
    try:
        # Here, so that only a job that has a report to draw loads the library.
        from worker.report import report_files

        registry.add_report(version.manifest.model, version.number, report_files(version, test))
    except Exception as error:
        log.exception("No report of version %d of %r", version.number, version.manifest.model)
        return f"{type(error).__name__}: {error}"
    return None


def remove_old(registry: Registry, model: str, settings: Settings) -> None:
    """Remove the versions that the settings do not keep. A disk that refuses harms no run."""
    if settings.keep_last is None and not settings.keep_best:
        return
    try:
        removed = registry.prune(model, last=settings.keep_last or 1, best=settings.keep_best)
    except OSError as error:
        log.warning("Old versions of %r could not be removed: %s", model, error)
    else:
        if removed:
            log.info("Removed versions of %r: %s.", model, ", ".join(map(str, removed)))
