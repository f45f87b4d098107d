"""A training run: data, network, training, measures, a published version."""

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from nncore.arrays import Floats, Ints
from nncore.checkpoint import decode_checkpoint, encode_checkpoint
from nncore.classifier import Classifier
from nncore.config import TrainConfig
from nncore.errors import CorruptVersionError, RegistryError, TrainingError
from nncore.golden import Golden
from nncore.manifest import Manifest, TrainedOn, libraries, now
from nncore.network import Network
from nncore.registry import LIVE, Registry
from nncore.scaling import PixelScaler
from nncore.sketch import ROWS, Sketch, spread
from nncore.training import EpochStats, Examples, TrainingState, fit, ignore
from worker import datasets
from worker.checkpoints import NEVER, Checkpoints
from worker.datasets import Dataset
from worker.job_folder import StoredJob
from worker.measures import calibrate, measure
from worker.progress import Progress, Report
from worker.receipt import CODE_SHA256, this_machine
from worker.release import release
from worker.settings import Settings

PRODUCT_FOR_ALL_CORES = 50_000_000  # multiplications: batch rows x weights of the largest layer

# What came out of a run that did not publish, beside what it reached.
TRIAL = {"version": None, "test_accuracy": None, "promoted": False, "reason": "A trial."}

WHOLE_SET = 10_000  # rows, as far as threads are concerned

log = logging.getLogger(__name__)


class DataChangedError(TrainingError):
    """The data are not those that the run began with."""


def run_training(
    config: TrainConfig,
    settings: Settings,
    *,
    job_id: str,
    folder: StoredJob,
    publish: bool = True,
    report: Report = ignore,
    publishing: Callable[[bool], None] = ignore,
    interruption: AbstractContextManager[Callable[[], bool]] = NEVER,
) -> dict[str, Any]:
    """Train as `config` says and publish a version; go on where the job stood, if it was begun.

    Parameters
    ----------
    config : TrainConfig
    settings : Settings
        Where the data and the store are.
    job_id : str
        Goes into the manifest and the history. A job gets one version, however often it is begun.
    folder : StoredJob
        Where the job's checkpoint is.
    publish : bool
        Whether the run ends with a version. A trial of a sweep does not, but is kept so that a
        later attempt may publish it.
    report : callable
        Called at most twice a second with the progress and the history, and once at the end.
    publishing : callable
        Told when it begins that it has to train, or True where its version is there; told True
        before it publishes.
    interruption : context manager
        Entered while the run trains; tells whether it is to make way.

    Returns
    -------
    result : dict
        What `release` returns; of a run that does not publish, what it reached, as the last line of
        its history that counts.

    Raises
    ------
    DatasetError, NonFiniteLossError, DataChangedError, OSError
        If the data cannot be had, the training diverged, the data are others than when the run
        began, the store cannot be written.
    InterruptedRunError, SupersededError
        If the run makes way; if it is another's by now.
    """
    begun_before = folder.take()
    registry = Registry(settings.store)
    version = published_by(registry, config.model, job_id) if begun_before else None
    publishing(version is not None)
    # Feedback that came after the run was first begun waits for the next.
    dataset = datasets.load_all(
        config, settings, lambda feedback: folder.once("feedback", feedback.length)
    )
    if version is None:
        run = Run(config, dataset, folder, registry)
        with interruption as interrupted:
            run.train(report, interrupted)
        if not publish:
            return run.keep()
        publishing(True)
        version = run.publish(registry, job_id)
    return release(registry, config, version, dataset.test, settings)


class Run:
    """A training run: where it stands, in memory and in its folder.

    It begins where its checkpoint says, if there is one, else with the version that it is to start
    from, else with random weights.
    """

    def __init__(
        self, config: TrainConfig, dataset: Dataset, folder: StoredJob, registry: Registry
    ) -> None:
        self.config = config
        self.dataset = dataset
        self.data_sha256 = dataset.sha256()
        self.scaler = PixelScaler()
        init, split, self.rng = np.random.default_rng(config.seed).spawn(3)
        self.network = config.build_network(init)
        self.examples, self.validation = hold_out(dataset.train, config.validation_fraction, split)
        self.history: list[dict[str, Any]] = []
        self._seconds_before = 0.0
        self._started = time.perf_counter()
        self._folder = folder
        self.state = self._resume() or self._begin(registry)

    @property
    def seconds(self) -> float:
        """How long the run has been going, in all processes that it had."""
        return self._seconds_before + time.perf_counter() - self._started

    def train(self, report: Report, interrupted: Callable[[], bool]) -> None:
        """Train to the end. Raises what `run_training` does."""
        progress = Progress(
            self.state,
            self.history,
            epochs=self.config.epochs,
            rows=len(self.examples.labels),
            report=report,
        )
        checkpoints = Checkpoints(self._folder, self._encode, interrupted)

        def on_step() -> None:
            checkpoints.after_step()
            progress.after_step()

        def on_epoch(stats: EpochStats) -> None:
            progress.after_epoch(stats)
            checkpoints.after_epoch()

        try:
            with threadpool_limits(blas_threads(self.config), user_api="blas"):
                fit(
                    self.network,
                    self.examples,
                    self.validation,
                    self.config,
                    rng=self.rng,
                    scaler=self.scaler,
                    state=self.state,
                    on_step=on_step,
                    on_epoch=on_epoch,
                )
            progress.end()
        finally:
            progress.report()

    def calibrate_and_measure(self) -> dict[str, Any]:
        """Calibrate the trained network, in place, and return its measures on the test images."""
        network, scaler, loss = self.network, self.scaler, self.config.loss
        temperature = calibrate(network, scaler, loss, self.validation)
        return measure(network, scaler, loss, self.dataset.test, temperature)

    def publish(self, registry: Registry, job_id: str) -> int:
        """Publish the trained network, return its number. Raises SupersededError, OSError."""
        manifest = self._manifest(registry, job_id, self.calibrate_and_measure())
        classifier = Classifier(self.network, self.scaler, self.config.loss)
        golden = Golden.of(classifier, self.dataset.test.pixels)
        sketch = Sketch.of(self.examples.pixels, self._held_out_answers(classifier))
        with self._folder.owned():
            return registry.publish(self.config.model, self.network, manifest, golden, sketch)

    def _held_out_answers(self, classifier: Classifier) -> Floats:
        """Answer rows that were not trained on: of those that were, answers are surer."""
        held_out = self.validation if len(self.validation.labels) else self.dataset.test
        return classifier.probabilities(spread(held_out.pixels, ROWS))

    def keep(self) -> dict[str, Any]:
        """Keep the trained run in its folder; return what it reached. Raises as `publish`."""
        self._folder.save(self._encode())
        best = self.state.best_epoch if self.config.early_stopping else 0
        return TRIAL | self.history[best - 1]

    def _manifest(self, registry: Registry, job_id: str, metrics: dict[str, Any]) -> Manifest:
        config = self.config
        return Manifest(
            model=config.model,
            layers=config.network,
            input_shape=self.network.input_shape,
            pixel_scaling=self.scaler,
            loss=config.loss,
            labels=self.dataset.labels,
            config=config.to_dict(),
            seed=config.seed,
            dataset=TrainedOn(
                self.dataset.name,
                self.data_sha256,
                len(self.dataset.train.labels),
                len(self.dataset.test.labels),
                self.dataset.feedback,
            ),
            metrics=metrics | {"training_seconds": round(self.seconds, 3)},
            history=self.history,
            parent=config.start_version or registry.aliases(config.model).readable(LIVE).to,
            job_id=job_id,
            libraries=libraries(),
            created_at=now(),
            code_sha256=CODE_SHA256,
            machine=this_machine(blas_threads(config)),
        )

    def _encode(self) -> bytes:
        extra = {
            "history": self.history,
            "data_sha256": self.data_sha256,
            "seconds": self.seconds,
        }
        return encode_checkpoint(self.network, self.state, self.rng, extra=extra)

    def _begin(self, registry: Registry) -> TrainingState:
        """Be where the run begins."""
        if (version := self.config.start_version) is not None:
            start = registry.load(self.config.model, version)
            self.network.from_tensors(start.network.to_tensors())
        return TrainingState.start(self.network, self.config)

    def _resume(self) -> TrainingState | None:
        """Go to where the checkpoint says, and return that; None where there is none."""
        content = self._folder.load()
        if content is None:
            return None
        try:
            state, extra = decode_checkpoint(content, self.network, self.rng)
        except CorruptVersionError as error:
            # The disk lost it. Same seed, same data: the run from the start has the same end.
            log.warning("The checkpoint cannot be read, the run begins anew: %s", error)
            return None
        if extra["data_sha256"] != self.data_sha256:
            raise DataChangedError(
                f"The data set {self.dataset.name!r} is not what it was when this run began. "
                "Post the job anew."
            )
        self.history = extra["history"]
        self._seconds_before = extra["seconds"]
        log.info("Going on after epoch %d.", state.epoch)
        return state


def published_by(registry: Registry, model: str, job_id: str) -> int | None:
    """Return the version that the job has published before, if it has."""
    for version in reversed(registry.versions(model)):
        try:
            if registry.manifest(model, version).job_id == job_id:
                return version
        except RegistryError:
            continue  # a damaged one is not looked at
    return None


def blas_threads(config: TrainConfig) -> int | None:
    """Return how many threads the matrix products of a step should have; None: one a core.

    Below the limit a second thread gains nothing over a whole step (0.63 s an epoch of the default
    network with one, 0.69 s with two), and where other programs want the cores too, threads that
    wait for each other 3,000 times an epoch slow it down tenfold.
    """
    network = Network(config.network, config.input_shape)
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


def _rows(examples: Examples, rows: Ints) -> Examples:
    return Examples(examples.pixels[rows], examples.labels[rows])
