import numpy as np
import pytest

from nncore.errors import NonFiniteLossError, ShapeError
from nncore.layers import Dense, ReLU
from nncore.losses import MeanSquaredError, SoftmaxCrossEntropy
from nncore.network import Network
from nncore.optimizers import OPTIMIZERS, SGD, Adam
from nncore.scaling import PixelScaler
from nncore.schedules import Constant
from nncore.training import Examples, evaluate, fit, minibatches


def blobs(rows=300, seed=0):
    """Three clouds of pixels around three centres: easy, but not linearly ordered."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, rows)
    centres = np.array([[30, 30, 200, 90], [200, 40, 30, 10], [90, 220, 120, 200]])
    pixels = np.clip(centres[labels] + rng.normal(0, 20, (rows, 4)), 0, 255).astype(np.uint8)
    return Examples(pixels, labels)


def train(*, seed=0, epochs=5, optimizer=None, on_epoch=lambda stats: None, data=None, **changed):
    network = Network([Dense(16), ReLU(), Dense(3)], (4,))
    rng = np.random.default_rng(seed)
    network.init(rng)
    arguments = {
        "loss": SoftmaxCrossEntropy(),
        "optimizer": optimizer or Adam(learning_rate=0.01),
        "schedule": Constant(),
        "epochs": epochs,
        "batch_size": 32,
        "rng": rng,
        "scaler": PixelScaler(),
        "on_epoch": on_epoch,
    } | changed
    fit(network, data or blobs(), blobs(100, seed=1), **arguments)
    return network


def test_training_learns():
    network = train(epochs=20)

    _, accuracy = evaluate(
        network, blobs(200, seed=2), loss=SoftmaxCrossEntropy(), scaler=PixelScaler()
    )

    assert accuracy > 0.97


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(), MeanSquaredError()])
def test_every_optimizer_lowers_every_loss(name, loss):
    stats = []

    train(epochs=10, optimizer=OPTIMIZERS[name](), loss=loss, on_epoch=stats.append)

    assert stats[-1].loss < stats[0].loss


def test_same_seed_and_data_give_the_same_bytes():
    assert train(seed=3).params.tobytes() == train(seed=3).params.tobytes()


def test_another_seed_gives_other_weights():
    assert train(seed=3).params.tobytes() != train(seed=4).params.tobytes()


def test_the_hook_sees_each_epoch_once_with_its_figures():
    stats = []

    train(epochs=3, on_epoch=stats.append)

    assert [s.epoch for s in stats] == [1, 2, 3]
    assert all(np.isfinite(s.loss) and s.seconds > 0 for s in stats)
    assert all(0 <= s.validation_accuracy <= 1 and s.validation_loss > 0 for s in stats)


def test_what_the_hook_raises_ends_the_training():
    class Enough(Exception):
        pass

    seen = []

    def stop(stats):
        seen.append(stats.epoch)
        raise Enough

    with pytest.raises(Enough):
        train(epochs=5, on_epoch=stop)

    assert seen == [1]


def test_a_loss_that_is_not_finite_ends_training_with_advice():
    with (
        np.errstate(all="ignore"),
        pytest.raises(NonFiniteLossError, match="Try a smaller learning rate"),
    ):
        train(optimizer=SGD(learning_rate=1e30), loss=MeanSquaredError())


def test_minibatches_give_every_row_once_in_random_order():
    examples = Examples(np.arange(10)[:, None], np.arange(10))

    batches = list(minibatches(examples, 4, np.random.default_rng(0)))

    assert [len(labels) for _, labels in batches] == [4, 4, 2]
    rows = np.concatenate([labels for _, labels in batches])
    assert sorted(rows) == list(range(10))
    assert list(rows) != list(range(10))
    assert all((pixels[:, 0] == labels).all() for pixels, labels in batches)


def test_without_validation_rows_its_figures_are_nan():
    empty = Examples(np.zeros((0, 4), np.uint8), np.zeros(0, int))

    figures = evaluate(
        Network([Dense(3)], (4,)), empty, loss=SoftmaxCrossEntropy(), scaler=PixelScaler()
    )

    assert np.isnan(figures).all()


@pytest.mark.parametrize(("rows", "labels"), [(0, 0), (3, 2)])
def test_training_rows_and_labels_must_be_as_many_and_not_none(rows, labels):
    data = Examples(np.zeros((rows, 4), np.uint8), np.zeros(labels, int))

    with pytest.raises(ShapeError, match=f"got {rows} and {labels}"):
        train(data=data)


def test_a_network_can_learn_a_few_rows_by_heart():
    rng = np.random.default_rng(0)
    data = Examples(rng.integers(0, 256, (8, 4)).astype(np.uint8), rng.integers(0, 3, 8))
    stats = []

    train(epochs=600, data=data, batch_size=8, on_epoch=stats.append)

    assert stats[-1].loss < 0.05
