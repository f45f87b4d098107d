"""A training run: data, network, training, measures, a published version."""

import logging
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from nncore.arrays import Ints
from nncore.classifier import Classifier
from nncore.config import TrainConfig
from nncore.datasets import DATASETS
from nncore.golden import Golden
from nncore.manifest import Manifest, TrainedOn, libraries, now
from nncore.metrics import accuracy, confusion_matrix
from nncore.network import Network
from nncore.registry import LIVE, Registry
from nncore.scaling import PixelScaler
from nncore.training import EpochStats, Examples, evaluate, fit
from worker import datasets
from worker.datasets import Dataset
from worker.promotion import judge_and_promote
from worker.settings import Settings

log = logging.getLogger(__name__)

PRODUCT_FOR_ALL_CORES = 50_000_000  # multiplications: batch rows x weights of the largest layer

WHOLE_SET = 10_000  # rows, as far as threads are concerned

Report = Callable[[dict[str, Any], dict[str, Any]], None]


def run_training(
    config: TrainConfig, settings: Settings, *, job_id: str | None, report: Report
) -> dict[str, Any]:
    """Train as `config` says and publish a version.

    Parameters
    ----------
    config : TrainConfig
    settings : Settings
        Where the data and the store are.
    job_id : str or None
        Goes into the manifest and the history.
    report : callable
        Called after each epoch with the progress and with the epoch's line of history.

    Returns
    -------
    result : dict
        version, test_accuracy, promoted, reason: JSON values.

    Raises
    ------
    DatasetError, NonFiniteLossError, OSError
        If the data cannot be had, the training diverged, the store cannot be written.
    """
    dataset = datasets.load(config.dataset, settings)
    init, split, shuffle = np.random.default_rng(config.seed).spawn(3)
    network = config.build_network(init)
    train, validation = hold_out(dataset.train, config.validation_fraction, split)
    scaler = PixelScaler()
    history: list[dict[str, Any]] = []

    def on_epoch(stats: EpochStats) -> None:
        history.append(_line(stats))
        report(_progress(stats, config.epochs, len(train.labels)), history[-1])

    started = time.perf_counter()
    with threadpool_limits(blas_threads(config), user_api="blas"):
        fit(
            network,
            train,
            validation,
            config,
            rng=shuffle,
            scaler=scaler,
            on_epoch=on_epoch,
        )
    classifier = Classifier(network, scaler, config.loss)
    predictions = classifier.predict(dataset.test.pixels)
    metrics = measure(network, scaler, config, dataset.test, predictions)
    metrics |= {"training_seconds": round(time.perf_counter() - started, 3)}
    registry = Registry(settings.store)
    manifest = _manifest(config, dataset, network, scaler, metrics, history, registry, job_id)
    golden = Golden.of(classifier, dataset.test.pixels)
    result = _publish(registry, config, network, manifest, golden, dataset.test, predictions)
    remove_old(registry, config.model, settings)
    return result


def blas_threads(config: TrainConfig) -> int | None:
    """Return how many threads the matrix products of a step should have; None: one a core.

    Below the limit a second thread gains nothing over a whole step (0.63 s an epoch of the default
    network with one, 0.69 s with two), and where other programs want the cores too, threads that
    wait for each other 3,000 times an epoch slow it down tenfold.
    """
    network = Network(config.network, DATASETS[config.dataset].input_shape)
    largest = max((param.size for _, param, _ in network.named_params()), default=0)
    rows = config.batch_size or WHOLE_SET
    return 1 if rows * largest < PRODUCT_FOR_ALL_CORES else None


def hold_out(
    examples: Examples, fraction: float, rng: np.random.Generator
) -> tuple[Examples, Examples]:
    """Return two parts of `examples`, drawn by `rng`; the second has `fraction` of the rows."""
    order = rng.permutation(len(examples.labels))
    held = round(len(order) * fraction)
    return _rows(examples, order[held:]), _rows(examples, order[:held])


def measure(
    network: Network,
    scaler: PixelScaler,
    config: TrainConfig,
    test: Examples,
    predictions: Ints,
) -> dict[str, Any]:
    """Return the measures on the test images; `predictions` are those of what will answer."""
    test_loss, _ = evaluate(network, test, loss=config.loss, scaler=scaler)
    classes = len(DATASETS[config.dataset].labels)
    return {
        "test_accuracy": accuracy(predictions, test.labels),
        "test_loss": test_loss,
        "test_rows": len(test.labels),
        "confusion_matrix": confusion_matrix(predictions, test.labels, classes).tolist(),
    }


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


def _rows(examples: Examples, rows: Ints) -> Examples:
    return Examples(examples.pixels[rows], examples.labels[rows])


def _publish(
    registry: Registry,
    config: TrainConfig,
    network: Network,
    manifest: Manifest,
    golden: Golden,
    test: Examples,
    predictions: Ints,
) -> dict[str, Any]:
    version = registry.publish(config.model, network, manifest, golden)
    verdict = judge_and_promote(
        registry, manifest, version, promote=config.promote, test=test, predictions=predictions
    )
    return {
        "version": version,
        "test_accuracy": manifest.metrics["test_accuracy"],
        "promoted": verdict.promote,
        "reason": verdict.reason,
    }


def _manifest(
    config: TrainConfig,
    dataset: Dataset,
    network: Network,
    scaler: PixelScaler,
    metrics: dict[str, Any],
    history: list[dict[str, Any]],
    registry: Registry,
    job_id: str | None,
) -> Manifest:
    return Manifest(
        model=config.model,
        layers=config.network,
        input_shape=network.input_shape,
        pixel_scaling=scaler,
        loss=config.loss,
        labels=DATASETS[config.dataset].labels,
        config=config.to_dict(),
        seed=config.seed,
        dataset=TrainedOn(
            dataset.name, dataset.sha256(), len(dataset.train.labels), len(dataset.test.labels)
        ),
        metrics=metrics,
        history=history,
        parent=registry.aliases(config.model).readable(LIVE).to,
        job_id=job_id,
        libraries=libraries(),
        created_at=now(),
    )


def _line(stats: EpochStats) -> dict[str, Any]:
    # NaN is no JSON: without validation images there is no validation figure.
    held_out = {
        key: None if np.isnan(value) else value
        for key, value in (
            ("validation_loss", stats.validation_loss),
            ("validation_accuracy", stats.validation_accuracy),
        )
    }
    return {"epoch": stats.epoch, "loss": stats.loss, **held_out, "seconds": stats.seconds}


def _progress(stats: EpochStats, epochs: int, rows: int) -> dict[str, Any]:
    return {
        "epoch": stats.epoch,
        "epochs": epochs,
        "fraction": stats.epoch / epochs,
        "samples_per_second": round(rows / stats.seconds, 1),
        "eta_seconds": round((epochs - stats.epoch) * stats.seconds, 1),
    }
