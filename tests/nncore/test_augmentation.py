import numpy as np
import pytest

from nncore.augmentation import (
    Augmentation,
    affine_basis,
    elastic_basis,
    inverse_affine,
    resample,
    thicken,
)
from nncore.errors import ConfigError, ShapeError

SIDE = 28
ALL = Augmentation(shift=2, rotate=15, scale=0.15, shear=10, elastic=1, thickness=0.8)


def rng():
    return np.random.default_rng(7)


def noise(*shape):
    return rng().integers(0, 256, shape, dtype=np.uint8)


def block(count=1, *, top=10, left=8, height=8, width=12):
    pictures = np.zeros((count, SIDE, SIDE), np.uint8)
    pictures[:, top : top + height, left : left + width] = 255
    return pictures


def blob(count=1):
    """Ink that fades smoothly into paper, so that resampling loses none of it."""
    distance = np.hypot(*np.meshgrid(np.arange(SIDE) - 14, np.arange(SIDE) - 13))
    picture = 250 * np.exp(-((distance / 4) ** 2))
    return np.tile(picture.astype(np.uint8), (count, 1, 1))


def centres(pictures):
    """Return the rows and columns of the pictures' centres of mass."""
    mass = pictures.sum(axis=(1, 2))
    places = np.arange(SIDE)
    return (pictures.sum(axis=2) @ places) / mass, (pictures.sum(axis=1) @ places) / mass


def spreads(pictures):
    """Return the standard deviations of the pictures' ink along rows and columns."""
    mass = pictures.sum(axis=(1, 2))
    squares = (np.arange(SIDE) - np.stack(centres(pictures))[:, :, None]) ** 2
    return [
        np.sqrt((pictures.sum(axis=2 - axis) * squares[axis]).sum(axis=1) / mass) for axis in (0, 1)
    ]


def changed(pictures, **change):
    """Apply one known affine change to all pictures."""
    count, side, _ = pictures.shape
    still = {"turn": 0.0, "slant": 0.0, "factors": (1, 1), "shift": (0, 0)}
    values = {
        name: np.broadcast_to(np.transpose([value]), (*np.shape(value), count))
        for name, value in (still | change).items()
    }
    weights = inverse_affine(**values, middle=(side - 1) / 2)
    return resample(pictures, weights @ affine_basis(side))


def drawn(count=20_000, **strengths):
    return Augmentation(**strengths).draw(count, SIDE, rng())


def test_without_any_strength_the_pictures_come_back_and_nothing_is_drawn():
    pixels, generator = noise(3, 784), rng()
    before = generator.bit_generator.state

    assert Augmentation()(pixels, generator) is pixels
    assert generator.bit_generator.state == before


@pytest.mark.parametrize("shape", [(5, 784), (5, 28, 28), (0, 784), (1, 28, 28), (3, 64), (2, 1)])
def test_shape_and_bytes_are_kept(shape):
    pixels = ALL(noise(*shape), rng())

    assert pixels.shape == shape
    assert pixels.dtype == np.uint8


def test_flat_rows_and_squares_are_changed_alike():
    pixels = noise(5, 784)

    flat = ALL(pixels, rng())

    np.testing.assert_array_equal(flat, ALL(pixels.reshape(5, 28, 28), rng()).reshape(5, 784))


def test_the_input_is_left_as_it_is():
    pixels = noise(5, 784)
    pixels.setflags(write=False)

    result = ALL(pixels, rng())

    assert not np.shares_memory(result, pixels)
    np.testing.assert_array_equal(pixels, noise(5, 784))


def test_the_same_state_gives_the_same_bytes():
    pixels, generator = noise(5, 784), rng()
    first, second = ALL(pixels, generator), ALL(pixels, generator)

    np.testing.assert_array_equal(first, ALL(pixels, rng()))
    assert (first != second).any()


def test_each_picture_is_changed_in_its_own_way():
    pixels = ALL(block(20), rng())

    assert len(np.unique(pixels.reshape(20, -1), axis=0)) == 20


def test_a_batch_larger_than_a_chunk_is_changed_like_a_small_one(monkeypatch):
    pixels = noise(10, 784)
    whole = ALL(pixels, rng())

    monkeypatch.setattr("nncore.augmentation.CHUNK", 3 * 784)

    # The matrix products may round differently where they have other shapes.
    assert np.abs(ALL(pixels, rng()).astype(int) - whole).max() <= 1


def test_no_change_gives_the_same_bytes():
    pixels = noise(4, 28, 28)

    np.testing.assert_array_equal(changed(pixels), pixels)


@pytest.mark.parametrize(("down", "right"), [(1, 0), (0, -1), (2, 3), (-4, 2), (-27, 27), (40, 0)])
def test_a_shift_of_whole_pixels_moves_bytes_and_leaves_paper(down, right):
    pixels = noise(3, 28, 28)
    surrounded = np.pad(pixels, ((0, 0), (50, 50), (50, 50)))
    expected = np.roll(surrounded, (down, right), axis=(1, 2))[:, 50:-50, 50:-50]

    np.testing.assert_array_equal(changed(pixels, shift=(down, right)), expected)


def test_half_a_pixel_is_the_mean_of_two():
    pixels = noise(3, 28, 28)

    moved = changed(pixels, shift=(0, 0.5))[:, :, 1:]

    mean = (pixels[:, :, 1:].astype(float) + pixels[:, :, :-1]) / 2
    np.testing.assert_array_equal(moved, np.floor(mean + 0.5))


@pytest.mark.parametrize("side", [7, 8, 28])
@pytest.mark.parametrize("quarters", [1, 2, 3, -1])
def test_a_quarter_turn_is_exact_and_counter_clockwise(side, quarters):
    pixels = noise(3, side, side)

    turned = changed(pixels, turn=quarters * np.pi / 2)

    np.testing.assert_array_equal(turned, np.rot90(pixels, quarters, axes=(1, 2)))


def test_a_picture_is_turned_before_it_is_moved():
    pixels = noise(3, 28, 28)

    both = changed(pixels, turn=np.pi / 2, shift=(3, -2))

    np.testing.assert_array_equal(both, changed(changed(pixels, turn=np.pi / 2), shift=(3, -2)))


def test_a_shear_slants_upright_strokes_to_the_right_and_keeps_rows():
    pixels = block(top=0, height=28, left=12, width=4)

    slanted = changed(pixels, slant=0.25)[0]

    columns = (slanted @ np.arange(28)) / slanted.sum(axis=1)
    np.testing.assert_allclose(np.diff(columns), -0.25, atol=0.01)  # rows count downwards


@pytest.mark.parametrize(("factors", "height", "width"), [((2, 1), 16, 12), ((0.5, 1.5), 4, 18)])
def test_factors_above_1_grow_and_below_shrink(factors, height, width):
    scaled = changed(block(), factors=factors)[0] > 127

    assert (scaled.any(axis=1).sum(), scaled.any(axis=0).sum()) == (height, width)


def test_ink_is_kept_by_moving_turning_shearing_and_bending():
    pictures = blob(500)

    for strengths in ({"shift": 3}, {"rotate": 180}, {"shear": 20}):
        mass = Augmentation(**strengths)(pictures, rng()).sum(axis=(1, 2))
        np.testing.assert_allclose(mass / pictures[0].sum(), 1, atol=0.02)
    bent = Augmentation(elastic=1)(pictures, rng()).sum(axis=(1, 2))
    assert abs(np.median(bent) / pictures[0].sum() - 1) < 0.05


def test_the_centre_of_mass_moves_by_at_most_the_shift():
    pictures = block(2000)
    start = np.stack(centres(pictures[:1]))

    moves = np.stack(centres(Augmentation(shift=2.5)(pictures, rng()))) - start

    assert np.abs(moves).max() <= 2.51
    assert np.all(moves.max(axis=1) > 2.4)
    assert np.all(moves.min(axis=1) < -2.4)
    assert np.abs(moves.mean(axis=1)).max() < 0.1


def test_sizes_change_by_at_most_the_scale_each_axis_on_its_own():
    pictures = blob(2000)
    start = np.stack(spreads(pictures[:1]))

    ratios = np.stack(spreads(Augmentation(scale=0.25)(pictures, rng()))) / start

    assert ratios.max() < 1.27
    assert ratios.min() > 0.785
    assert np.all(ratios.max(axis=1) > 1.22)
    assert np.all(ratios.min(axis=1) < 0.83)
    assert abs(np.corrcoef(ratios)[0, 1]) < 0.1


def test_all_strengths_cover_their_range_evenly():
    def cover(values, low, high):
        values = np.sort(values)
        even = np.linspace(low, high, len(values))
        np.testing.assert_allclose(values, even, atol=(high - low) * 0.02)

    row, column = drawn(rotate=30)
    cover(np.degrees(np.arctan2(row[:, 1], row[:, 0])), -30, 30)
    row, column = drawn(shear=20)
    cover(np.degrees(np.arctan(column[:, 0])), -20, 20)
    row, column = drawn(scale=0.5)
    cover(np.log(row[:, 0]), -np.log(1.5), np.log(1.5))
    cover(np.log(column[:, 1]), -np.log(1.5), np.log(1.5))
    row, column = drawn(shift=3)
    cover(row[:, 2], 10.5, 16.5)
    cover(column[:, 2], 10.5, 16.5)


def test_one_strength_does_not_change_what_another_draws():
    alone, beside = drawn(10, shift=2), drawn(10, shift=2, elastic=1)

    np.testing.assert_array_equal(beside[:, :, :3], alone)


def test_a_strength_of_0_leaves_its_part_alone():
    row, column = drawn(100, shift=3)

    np.testing.assert_array_equal(row[:, :2], np.tile([1, 0], (100, 1)))
    np.testing.assert_array_equal(column[:, :2], np.tile([0, 1], (100, 1)))


def elastic_field(count=3000, *, strength=1.0, smoothing=4.0):
    weights = drawn(count, elastic=strength, smoothing=smoothing)[:, :, 3:]
    return (weights @ elastic_basis(SIDE, smoothing)[3:]).reshape(2, count, SIDE, SIDE)


@pytest.mark.parametrize("smoothing", [1.5, 4.0, 8.0])
@pytest.mark.parametrize("strength", [0.5, 2.0])
def test_the_elastic_field_is_as_strong_as_it_claims_on_both_axes(strength, smoothing):
    field = elastic_field(strength=strength, smoothing=smoothing)

    np.testing.assert_allclose(np.sqrt((field**2).mean(axis=(1, 2, 3))), strength, rtol=0.03)


def test_the_elastic_field_is_about_as_strong_in_the_corners_as_in_the_middle():
    sizes = np.sqrt((elastic_field() ** 2).mean(axis=(0, 1)))

    np.testing.assert_allclose(sizes, 1, atol=0.06)


def test_the_elastic_field_is_white_noise_smoothed_by_the_gaussian():
    positions = np.arange(-40, SIDE + 40)
    kernel = np.exp(-(((np.arange(SIDE)[:, None] - positions) / 4) ** 2) / 2)
    covariance = kernel @ kernel.T / (kernel[0] @ kernel[0])

    modes = elastic_basis(SIDE, 4.0)[3:]

    np.testing.assert_allclose(modes.T @ modes, np.kron(covariance, covariance), atol=0.06)


def test_rows_and_columns_are_displaced_independently():
    rows, columns = elastic_field(1000)

    assert abs(np.corrcoef(rows[:, 14, 14], columns[:, 14, 14])[0, 1]) < 0.1


@pytest.mark.parametrize(
    ("pixels", "height", "edge"), [(1, 10, 255), (-1, 6, 255), (0, 8, 255), (0.5, 10, 128)]
)
def test_strokes_become_thicker_or_thinner_by_so_much_at_each_side(pixels, height, edge):
    changed = thicken(block(height=8), np.array([pixels]))[0]

    rows = np.flatnonzero(changed.max(axis=1))
    assert len(rows) == height
    assert changed[rows[0]].max() == edge


def test_thickness_is_drawn_evenly_for_each_picture():
    ink = Augmentation(thickness=0.6)(block(2000), rng()).sum(axis=(1, 2)) / 255
    thickest, thinnest = 8 * 12 + 0.6 * (10 * 14 - 8 * 12), 8 * 12 - 0.6 * (8 * 12 - 6 * 10)

    assert thinnest - 1 < ink.min() < thinnest + 1
    assert thickest - 1 < ink.max() < thickest + 1
    assert 0.45 < (ink > 8 * 12).mean() < 0.55


def test_cached_matrices_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        elastic_basis(SIDE, 4.0)[0] = 0


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("shift", -1, "at least 0"),
        ("rotate", 181, "at most 180"),
        ("scale", -0.1, "at least 0"),
        ("shear", 90, "at most 80"),
        ("thickness", 2, "at most 1"),
        ("elastic", float("nan"), "got nan"),
        ("smoothing", 0, "at least 1"),
        ("shift", "2", "got '2'"),
    ],
)
def test_a_value_outside_its_bounds_is_refused_by_name(field, value, words):
    with pytest.raises(ConfigError) as caught:
        Augmentation(**{field: value})

    (error,) = caught.value.errors
    assert error.pointer == f"/{field}"
    assert words in error.detail


@pytest.mark.parametrize(
    "shape", [(2, 783), (2, 28, 27), (784,), (2, 0), (2, 0, 0), (2, 1, 28, 28)]
)
@pytest.mark.parametrize("augment", [ALL, Augmentation()])
def test_what_is_not_square_is_refused(shape, augment):
    with pytest.raises(ShapeError) as caught:
        augment(np.zeros(shape, np.uint8), rng())

    assert "Expected square pictures" in str(caught.value)
    assert f"got shape {shape}" in str(caught.value)
