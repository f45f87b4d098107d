import numpy as np
import pytest

from nncore.errors import CorruptVersionError
from nncore.sketch import Sketch, spread


def answers(count, classes=3, seed=1):
    """Probabilities of `classes` for as many rows, the first class the likeliest of all."""
    logits = np.random.default_rng(seed).normal(size=(count, classes)) + np.arange(classes, 0, -1)
    odds = np.exp(logits).astype(np.float32)
    return odds / odds.sum(axis=1, keepdims=True)


def pictures(count, seed=0):
    """Pictures with a blot of some size somewhere about the middle."""
    rng = np.random.default_rng(seed)
    canvas = np.zeros((count, 28, 28), np.uint8)
    for picture in canvas:
        x, y = rng.integers(8, 12, 2)
        picture[y : y + rng.integers(6, 10), x : x + rng.integers(6, 10)] = rng.integers(100, 256)
    return canvas.reshape(count, -1)


@pytest.fixture(scope="module")
def sketch():
    return Sketch.of(pictures(3000), answers(1000))


def drift(sketch, pixels, seed=2):
    return sketch.drift(sketch.tally(pixels, answers(len(pixels), seed=seed)))


def test_a_sketch_is_shares_that_sum_to_one(sketch):
    shares = sketch._replace(ink_edges=None)[:4]

    assert [len(share) for share in shares] == [10, 49, 8, 3]
    np.testing.assert_allclose([share.sum() for share in shares], 1, atol=1e-5)
    np.testing.assert_allclose(sketch.ink, 0.1, atol=0.01)


def test_data_of_the_same_kind_show_no_drift(sketch):
    assert max(drift(sketch, pictures(1000, seed=7)).values()) < 0.1


@pytest.mark.parametrize(
    ("feature", "change"),
    [
        ("ink", lambda pixels: 255 - pixels),
        ("pixels", lambda pixels: 255 - pixels),
        ("ink", lambda pixels: pixels // 2),
        ("pixels", lambda pixels: np.roll(pixels.reshape(-1, 28, 28), 5, axis=2)),
        ("pixels", lambda pixels: np.roll(pixels.reshape(-1, 28, 28), 5, axis=1)),
    ],
    ids=["inverted, ink", "inverted, pixels", "faint", "moved to the right", "moved down"],
)
def test_data_of_another_kind_show_a_large_drift(sketch, feature, change):
    assert drift(sketch, change(pictures(1000, seed=7)))[feature] > 0.5


def test_other_answers_show_a_drift_of_labels_and_of_confidence(sketch):
    pixels = pictures(500)
    surely_the_last = np.tile(np.float32([0, 0, 1]), (500, 1))

    told = sketch.drift(sketch.tally(pixels, surely_the_last))

    assert min(told["labels"], told["confidence"]) > 1
    assert max(told["ink"], told["pixels"]) < 0.1


def test_the_stability_index_is_that_of_its_definition():
    half, quarter = np.float32([0.5, 0.5]), np.float32([0.25, 0.75])
    sketch = Sketch(half, half, half, half, np.float32([1]))

    told = sketch.drift({"ink": 8 * quarter})

    assert told["ink"] == pytest.approx(-0.25 * np.log(0.5) + 0.25 * np.log(1.5), rel=1e-6)


@pytest.mark.parametrize("shape", [(2,), (100,), (1, 28, 28)])
def test_rows_of_any_shape_and_blank_ones_can_be_sketched(shape):
    rows = np.random.default_rng(0).integers(0, 256, (600, *shape)).astype(np.uint8)
    rows[:5] = 0

    sketch = Sketch.of(rows, answers(600))

    assert max(drift(sketch, rows, seed=1).values()) < 1e-3
    assert np.isfinite(list(drift(sketch, np.zeros_like(rows)).values())).all()


def test_a_sketch_is_read_as_it_was_written_and_another_file_is_told(sketch):
    again = Sketch.decode(sketch.encode())

    for name, share in sketch._asdict().items():
        np.testing.assert_array_equal(getattr(again, name), share)
    with pytest.raises(CorruptVersionError, match="sketch with arrays"):
        Sketch.decode(sketch.encode().replace(b'"ink"', b'"ixk"'))


def test_of_many_rows_some_are_taken_evenly():
    assert spread(np.arange(11), 3).tolist() == [0, 5, 10]
    assert spread(np.arange(2), 3).tolist() == [0, 1]
