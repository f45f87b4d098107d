"""What tests of every room use: versions to answer with, MNIST, the running stack."""

import os
import signal
from pathlib import Path

# SciPy reads it when it is imported; one of scikit-learn's checks of an estimator wants it.
os.environ["SCIPY_ARRAY_API"] = "1"
# So does OpenBLAS, also in the processes that tests start. There are more of them than cores: a
# thread of a pair would spin while the other one has no core.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as property_settings

from nncore.classifier import Classifier
from nncore.golden import Golden
from nncore.idx import read_idx
from nncore.layers import Dense, ReLU
from nncore.losses import SoftmaxCrossEntropy
from nncore.manifest import Manifest, TrainedOn, libraries, now
from nncore.network import Network
from nncore.object_store import open_store
from nncore.registry import Registry
from nncore.scaling import PixelScaler
from nncore.training import Examples
from tests.s3_server import S3Server

# How long examples take is the machine's affair, and what decides whether work lands is not chance.
property_settings.register_profile(
    "steady", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
property_settings.load_profile("steady")

# What is started in the background of a script ignores Ctrl-C, and what `nohup` starts the end of
# its terminal. So would all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# The folders whose files take longest: they begin first, so that at the end nobody waits for one.
LONG = ("compose", "integration", "browser", "chaos", "monitoring", "worker", "pictures")

LAYERS = (Dense(32), ReLU(), Dense(10))


def pytest_collection_modifyitems(items):
    places = {folder: place for place, folder in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.parent.name, len(LONG)))


def publish(registry, *, model="digits", seed=0, live=True, sketch=None, job_id=None):
    """Publish a network of random weights, whose answers its seed decides. Return its number."""
    network = Network(LAYERS, (784,))
    network.init(np.random.default_rng(seed))
    manifest = Manifest(
        model=model,
        layers=LAYERS,
        input_shape=(784,),
        pixel_scaling=PixelScaler(),
        loss=SoftmaxCrossEntropy(),
        labels=tuple("0123456789"),
        config={},
        seed=seed,
        dataset=TrainedOn("none", "", 0, 0),
        metrics={"test_accuracy": 0.1},
        history=[],
        parent=None,
        job_id=job_id,
        libraries=libraries(),
        created_at=now(),
    )
    images = np.random.default_rng(0).integers(0, 256, (40, 784)).astype(np.uint8)
    golden = Golden.of(Classifier(network, manifest.pixel_scaling, manifest.loss), images)
    number = registry.publish(model, network, manifest, golden, sketch)
    if live:
        registry.promote(model, number, reason="test")
    return number


def classifier_of(registry, number, model="digits"):
    """Return what should answer for a version."""
    return Classifier.of(registry.load(model, number))


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "store")


@pytest.fixture(scope="session")
def s3_server():
    """A real S3 server, which this process knows as obstore does: by its environment."""
    server = S3Server()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environ.items():
            patch.setenv(name, value)
        yield server
    server.end()


@pytest.fixture
def bucket(s3_server, tmp_path):
    """A store in a bucket, empty."""
    return open_store(s3_server.store_url(tmp_path.name), str(tmp_path / "cache"))


@pytest.fixture
def pixels():
    """Twelve rows of random pixels, as bytes."""
    return np.random.default_rng(5).integers(0, 256, (12, 784)).astype(np.uint8)


@pytest.fixture(scope="session")
def mnist_dir():
    """The folder with the four IDX files, or a skip that says what is missing."""
    named = os.environ.get("INKWELL_MNIST_DIR")
    if not named or not (Path(named) / "t10k-images-idx3-ubyte.gz").is_file():
        pytest.skip("the MNIST files are not there: point INKWELL_MNIST_DIR at them")
    return Path(named)


@pytest.fixture(scope="session")
def mnist_test(mnist_dir):
    """MNIST's 10,000 test images as Examples."""
    return Examples(
        read_idx(mnist_dir / "t10k-images-idx3-ubyte.gz").reshape(-1, 784),
        read_idx(mnist_dir / "t10k-labels-idx1-ubyte.gz").astype(np.int64),
    )
