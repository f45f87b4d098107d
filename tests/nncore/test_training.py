import numpy as np
import pytest

from nncore.checkpoint import decode_checkpoint, encode_checkpoint
from nncore.errors import CorruptVersionError, NonFiniteLossError, ShapeError
from nncore.layers import BatchNorm, Dense, Dropout, ReLU
from nncore.losses import LOSSES, MeanSquaredError, SoftmaxCrossEntropy
from nncore.network import Network
from nncore.optimizers import OPTIMIZERS, SGD, Adam
from nncore.recipe import EarlyStopping, Recipe
from nncore.scaling import PixelScaler
from nncore.schedules import Constant, OneCycle
from nncore.training import Examples, TrainingState, evaluate, fit, minibatches

LAYERS = (Dense(16), ReLU(), Dense(3))


def blobs(rows=300, seed=0):
    """Three clouds of pixels around three centres: easy, but not linearly ordered."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, rows)
    centres = np.array([[30, 30, 200, 90], [200, 40, 30, 10], [90, 220, 120, 200]])
    pixels = np.clip(centres[labels] + rng.normal(0, 20, (rows, 4)), 0, 255).astype(np.uint8)
    return Examples(pixels, labels)


def small_network(seed=0, layers=LAYERS):
    network = Network(layers, (4,))
    network.init(np.random.default_rng(seed))
    return network


def recipe(**changed):
    values = {
        "optimizer": Adam(learning_rate=0.01),
        "schedule": Constant(),
        "epochs": 5,
        "batch_size": 32,
    }
    return Recipe(**values | changed)


NOTHING_DONE = TrainingState({}, None, None)


def train(*, seed=0, data=None, layers=LAYERS, on_epoch=lambda stats: None, **changed):
    network = small_network(seed, layers)
    fit(
        network,
        data or blobs(),
        blobs(100, seed=1),
        recipe(**changed),
        rng=np.random.default_rng(seed),
        scaler=PixelScaler(),
        on_epoch=on_epoch,
    )
    return network


def test_training_learns():
    network = train(epochs=20)

    _, accuracy = evaluate(
        network, blobs(200, seed=2), loss=SoftmaxCrossEntropy(), scaler=PixelScaler()
    )

    assert accuracy > 0.97


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("loss", [LOSSES[name]() for name in LOSSES])
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

    batches = list(minibatches(examples, 4, np.random.default_rng(0), NOTHING_DONE))

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


def test_all_rows_at_once_are_one_batch():
    examples = Examples(np.arange(10)[:, None], np.arange(10))
    stats = []

    batches = list(minibatches(examples, 10, np.random.default_rng(0), NOTHING_DONE))
    train(batch_size=None, epochs=3, on_epoch=stats.append)

    assert len(batches) == 1
    assert batches[0] == examples
    assert len(stats) == 3


def test_l2_draws_the_weights_towards_zero_and_spares_the_biases():
    plain, drawn = train(epochs=10), train(epochs=10, l2=0.05)

    weights = slice(plain.weights)
    assert np.square(drawn.params[weights]).sum() < 0.5 * np.square(plain.params[weights]).sum()

    one_step = {"epochs": 1, "batch_size": None, "optimizer": SGD(0.1)}
    plain, drawn = train(**one_step), train(**one_step, l2=0.05)
    np.testing.assert_array_equal(drawn.params[plain.weights :], plain.params[plain.weights :])
    assert (drawn.params[weights] != plain.params[weights]).all()


def test_clipping_bounds_each_step():
    bound, rate = 1e-3, 1.0

    network = train(epochs=1, optimizer=SGD(learning_rate=rate), clip_norm=bound)

    steps = -(-300 // 32)
    moved = np.linalg.norm(network.params - small_network().params)
    assert 0 < moved <= steps * bound * rate * 1.001


def test_clipping_with_a_large_bound_changes_nothing():
    assert train(clip_norm=1e6).params.tobytes() == train().params.tobytes()


def test_the_average_is_kept_and_is_calmer_than_the_last_weights():
    stats = []

    averaged = train(average=0.95, optimizer=Adam(0.05), on_epoch=stats.append)
    plain = train(optimizer=Adam(0.05))

    measured = evaluate(
        averaged, blobs(100, seed=1), loss=SoftmaxCrossEntropy(), scaler=PixelScaler()
    )
    assert (stats[-1].validation_loss, stats[-1].validation_accuracy) == measured
    assert np.abs(averaged.params - plain.params).max() > 1e-3


def test_early_stopping_ends_the_run_and_keeps_the_best_weights():
    stats = []
    pixels, labels = blobs()
    # Half of the labels are wrong, so that learning them by heart harms.
    noise = np.random.default_rng(0)
    wrong = np.where(noise.random(len(labels)) < 0.5, noise.integers(0, 3, len(labels)), labels)

    network = train(
        epochs=500,
        data=Examples(pixels, wrong),
        optimizer=Adam(0.05),
        early_stopping=EarlyStopping(patience=4),
        on_epoch=stats.append,
    )

    losses = [s.validation_loss for s in stats]
    assert len(stats) == losses.index(min(losses)) + 1 + 4 < 500
    kept, _ = evaluate(
        network, blobs(100, seed=1), loss=SoftmaxCrossEntropy(), scaler=PixelScaler()
    )
    assert kept == min(losses)


EVERYTHING = {
    "layers": (Dense(16), BatchNorm(), ReLU(), Dropout(0.2), Dense(3)),
    "schedule": OneCycle(),
    "average": 0.9,
    "l2": 1e-4,
    "clip_norm": 1.0,
    "early_stopping": EarlyStopping(patience=100),
}


def fit_with_checkpoints(stop_at=None, content=None, *, optimizer, epochs=6):
    """Train; return the network, or the checkpoint at `stop_at`, such as ("step", 3)."""

    class Stop(Exception):
        pass

    changed = {key: value for key, value in EVERYTHING.items() if key != "layers"}
    how = recipe(epochs=epochs, optimizer=optimizer, **changed)
    network, rng = small_network(3, EVERYTHING["layers"]), np.random.default_rng(3)
    state, made = TrainingState.start(network, how), []
    if content is not None:
        state, extra = decode_checkpoint(content, network, rng)
        assert extra == ["history"]

    def stop(unit):
        if (unit, getattr(state, unit)) == stop_at:
            made.append(encode_checkpoint(network, state, rng, extra=["history"]))
            raise Stop

    try:
        fit(
            network,
            blobs(),
            blobs(100, seed=1),
            how,
            rng=rng,
            scaler=PixelScaler(),
            state=state,
            on_step=lambda: stop("step"),
            on_epoch=lambda stats: stop("epoch"),
        )
    except Stop:
        return None, made[0]
    return network, None


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize(
    "stop_at", [("epoch", 1), ("epoch", 5), ("step", 1), ("step", 10), ("step", 33)]
)
def test_a_run_resumed_from_a_checkpoint_ends_with_the_bytes_of_an_undisturbed_one(name, stop_at):
    optimizer = SGD(0.05, 0.9) if name == "sgd" else OPTIMIZERS[name]()
    undisturbed, _ = fit_with_checkpoints(optimizer=optimizer)

    _, content = fit_with_checkpoints(stop_at, optimizer=optimizer)
    resumed, _ = fit_with_checkpoints(None, content, optimizer=optimizer)

    assert resumed.params.tobytes() == undisturbed.params.tobytes()
    assert resumed.state.tobytes() == undisturbed.state.tobytes()


def test_a_checkpoint_of_another_network_is_refused_and_changes_nothing():
    _, content = fit_with_checkpoints(("epoch", 1), optimizer=Adam())
    other = small_network()
    before = other.params.copy()

    with pytest.raises(CorruptVersionError, match="the network has"):
        decode_checkpoint(content, other, np.random.default_rng(0))

    np.testing.assert_array_equal(other.params, before)


@pytest.mark.parametrize("content", [b"", b"hello", bytes(100)])
def test_what_is_no_checkpoint_is_refused(content):
    with pytest.raises(CorruptVersionError):
        decode_checkpoint(content, small_network(), np.random.default_rng(0))


def test_pictures_are_changed_anew_in_each_batch():
    seen = []

    class Watching:
        def __call__(self, pixels, rng):
            seen.append(len(pixels))
            return pixels

    train(epochs=2, augment=Watching())

    assert sum(seen) == 2 * 300
