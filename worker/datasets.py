"""Data sets by name: images, 0-255 in MNIST's framing, and labels; train and test."""

import gzip
import io
import json
import logging
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nncore.arrays import Floats, Pixels
from nncore.config import TrainConfig
from nncore.dataset_store import DatasetStore, data_sha256
from nncore.datasets import DATASETS, DIGIT_LABELS, FEEDBACK
from nncore.durable import stage, sync_folder
from nncore.errors import InkwellError, NotFoundError, RegistryError
from nncore.feedback import Feedback
from nncore.framing import frame_digit, resampling
from nncore.idx import IdxError, read_idx
from nncore.manifest import now
from nncore.object_store import ObjectStore, Store
from nncore.training import Examples
from worker.ones import drawn_ones
from worker.settings import Settings

log = logging.getLogger(__name__)

MNIST_TRAIN_ROWS = 60_000
MNIST_ROWS = 70_000
MNIST_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
MNIST_KEY = "datasets/mnist/data.npz"  # in a bucket
# scikit-learn's, parted by its `train_test_split`: the same fifth is the test of every version. In
# a file of our own, as each job would import scikit-learn for them: two seconds, and memory. From
# E. Alpaydin & C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998 (CC BY 4.0).
DIGITS_FILE = Path(__file__).with_name("digits.npz")
DIGITS_FULL_INK = 16
LARGE = 64, 80  # scikit-learn's are narrower than MNIST's for their height
STROKE_INK, STROKE_EDGE = 0.6, 0.3  # share of ink at a stroke's edge, and how much it fades there


class DatasetError(InkwellError):
    """A data set cannot be had, or is not what it must be."""


class UnreachableDatasetError(DatasetError):
    """A data set cannot be fetched now; later it may be."""


class Dataset(NamedTuple):
    """A data set as it is trained on. Pixels are uint8 (n, 784), labels int64 (n,).

    What an example's label says is the place in `labels`. So many lines of `feedback` count.
    """

    name: str
    train: Examples
    test: Examples
    labels: tuple[str, ...] = DIGIT_LABELS
    feedback: int = 0

    def sha256(self) -> str:
        """Return the hash of all pixels and labels, train before test."""
        return data_sha256(self.train, self.test)


def load(name: str, settings: Settings) -> Dataset:
    """Return the data set called `name`.

    Raises
    ------
    DatasetError
        If it cannot be had; the message says where it was looked for.
    """
    if name in LOADERS:
        return LOADERS[name](settings)
    uploaded = DatasetStore(settings.store)
    try:
        return Dataset(name, *uploaded.load(name), uploaded.spec(name).labels)
    except RegistryError as error:
        raise DatasetError(str(error)) from None


def load_all(
    config: TrainConfig, settings: Settings, feedback_length: Callable[[Feedback], int]
) -> Dataset:
    """Return the data of a run as one: trained on are all of them, tested with is the first.

    `feedback_length` tells how many lines of feedback count, if it is asked for.

    Raises
    ------
    DatasetError
        If one cannot be had, or has a label that the first does not know.
    """
    first, *others = (load(name, settings) for name in config.datasets if name != FEEDBACK)
    parts, length = [first.train, *(_relabelled(other, first) for other in others)], 0
    if FEEDBACK in config.datasets:
        feedback = Feedback(settings.store, config.model)
        length = feedback_length(feedback)
        try:
            parts.append(feedback.examples(first.labels, length))
        except NotFoundError as error:
            raise DatasetError(str(error)) from None
    pixels, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    train = Examples(pixels, labels)
    return first._replace(name="+".join(config.datasets), train=train, feedback=length)


def _relabelled(dataset: Dataset, first: Dataset) -> Examples:
    if not {*dataset.labels} <= {*first.labels}:
        raise DatasetError(f"{dataset.name!r} has labels that {first.name!r} does not know.")
    places = np.array([first.labels.index(label) for label in dataset.labels])
    return Examples(dataset.train.pixels, places[dataset.train.labels])


def load_digits_framed(settings: Settings) -> Dataset:
    """Return scikit-learn's 1,797 digits, 8x8, brought to MNIST's form; a fifth is the test."""
    return _digits()


@cache  # framing them takes longer than some epochs
def _digits() -> Dataset:
    with np.load(DIGITS_FILE, allow_pickle=False) as arrays:
        train, test = (
            _framed(arrays[f"{part}_images"], arrays[f"{part}_labels"])
            for part in ("train", "test")
        )
    return Dataset("digits", train, test)


def _framed(images: Pixels, labels: Pixels) -> Examples:
    pixels = np.stack([frame_digit(written_large(image)).reshape(-1) for image in images])
    examples = Examples(pixels, labels.astype(np.int64))
    for array in examples:
        array.flags.writeable = False
    return examples


def written_large(image: Pixels) -> Floats:
    """Return one of scikit-learn's digits as a pen's strokes, 0 to 1: float array (64, 80).

    Their pixels count the ink, 0 to 16, of an eighth of the digit's height and width. Strokes go
    where the ink between those is dense enough.
    """
    down, across = (resampling(len(image), length) for length in LARGE)
    ink = down @ (image / DIGITS_FULL_INK) @ across.T
    return np.clip((ink - STROKE_INK) / STROKE_EDGE + 0.5, 0, 1)


def load_ones(settings: Settings) -> Dataset:
    """Return ones with a flag, 2,000 and 400, drawn by program; always the same."""
    spec, rng = DATASETS["ones"], np.random.default_rng(0)
    train, test = (
        Examples(drawn_ones(rows, rng), np.ones(rows, np.int64))
        for rows in (spec.train_rows, spec.test_rows)
    )
    return Dataset("ones", train, test)


def load_mnist(settings: Settings) -> Dataset:
    """Return MNIST, 60,000 and 10,000: from the IDX files, else the store, else OpenML."""
    if settings.mnist_dir is not None:
        return _mnist_from_files(settings.mnist_dir)
    with np.load(_stored_mnist(settings.store), allow_pickle=False) as arrays:
        return _split_mnist(arrays["pixels"], arrays["labels"])


def load_xor(settings: Settings) -> Dataset:
    """Return the four rows of the articles: the first two columns' exclusive or; the third is 1."""
    rows = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], np.uint8)
    examples = Examples(rows * 255, np.array([0, 1, 1, 0]))
    return Dataset("xor", examples, examples, DATASETS["xor"].labels)


LOADERS: dict[str, Callable[[Settings], Dataset]] = {
    "digits": load_digits_framed,
    "mnist": load_mnist,
    "ones": load_ones,
    "xor": load_xor,
}


def _mnist_from_files(folder: Path) -> Dataset:
    parts = {}
    for part, (images, labels) in MNIST_FILES.items():
        pixels, classes = _read(folder, images), _read(folder, labels)
        if pixels.shape[1:] != (28, 28) or classes.shape != pixels.shape[:1]:
            raise DatasetError(
                f"Expected {images} (n, 28, 28) and {labels} (n,) in {folder}; "
                f"got {pixels.shape} and {classes.shape}."
            )
        parts[part] = Examples(pixels.reshape(-1, 784), classes.astype(np.int64))
    return Dataset("mnist", parts["train"], parts["test"])


def _read(folder: Path, name: str) -> Pixels:
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            try:
                return read_idx(path)
            except (IdxError, OSError, gzip.BadGzipFile) as error:
                raise DatasetError(f"{path} cannot be read: {error}") from error
    raise DatasetError(
        f"MNIST is not in INKWELL_MNIST_DIR={folder}: there is neither {name}.gz nor {name}."
    )


def _split_mnist(pixels: Pixels, labels: Pixels) -> Dataset:
    train, test = slice(MNIST_TRAIN_ROWS), slice(MNIST_TRAIN_ROWS, None)
    return Dataset(
        "mnist", Examples(pixels[train], labels[train]), Examples(pixels[test], labels[test])
    )


def _stored_mnist(store: Store) -> Path | io.BytesIO:
    """Return the file that MNIST was stored in, or is now."""
    if isinstance(store, ObjectStore):
        try:
            content = store.read_immutable(MNIST_KEY)
        except FileNotFoundError:
            with tempfile.TemporaryDirectory() as fetched:
                _store_mnist(Path(fetched) / "mnist")
                content = (Path(fetched) / "mnist" / "data.npz").read_bytes()
            store.write(MNIST_KEY, content)
        return io.BytesIO(content)
    folder = store / "datasets" / "mnist"
    if not folder.is_dir():
        _store_mnist(folder)
    return folder / "data.npz"


def _store_mnist(folder: Path) -> None:
    """Fetch MNIST from OpenML into `folder`, which is there whole or not at all."""
    log.info("Fetching MNIST from OpenML; it is kept in %s.", folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = stage(folder.parent)
    try:
        pixels, labels = _fetch_mnist(staging / "download")
        np.savez_compressed(staging / "data.npz", pixels=pixels, labels=labels, allow_pickle=False)
        shutil.rmtree(staging / "download", ignore_errors=True)
        manifest = {"name": "mnist", "source": "OpenML mnist_784 version 1", "created_at": now()}
        (staging / "manifest.json").write_text(json.dumps(manifest, indent=2))
        staging.chmod(0o755)
        sync_folder(staging)
        staging.rename(folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        # Of two workers that fetch at once, one is first: its copy is as good.
        if not folder.is_dir():
            raise


def _fetch_mnist(cache: Path) -> tuple[Pixels, Pixels]:
    # Here, as a worker fetches once for each store, and would take seconds longer to start.
    from sklearn.datasets import fetch_openml

    try:
        bunch = fetch_openml(
            "mnist_784", version=1, as_frame=False, parser="liac-arff", data_home=cache
        )
    except (OSError, ValueError) as error:
        raise UnreachableDatasetError(
            "MNIST cannot be had: INKWELL_MNIST_DIR names no folder with its four IDX files, "
            f"and OpenML could not be reached ({error})."
        ) from error
    if bunch.data.shape != (MNIST_ROWS, 784):
        raise DatasetError(f"OpenML sent {bunch.data.shape}, not {(MNIST_ROWS, 784)}, as MNIST.")
    return bunch.data.astype(np.uint8), bunch.target.astype(np.int64)
