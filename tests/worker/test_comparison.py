import math
from statistics import NormalDist

import numpy as np
import pytest

from nncore.training import Examples
from worker.comparison import LEVEL, MARGIN, MAX_PICTURES, Comparison, non_inferiority


def comparison(lost=0, gained=0, both=50, neither=0, label=0):
    """Two versions on images of one class, so many lost, gained, and answered alike."""
    wrong = 1 - label
    champion = [label] * lost + [wrong] * gained + [label] * both + [wrong] * neither
    challenger = [wrong] * lost + [label] * gained + [label] * both + [wrong] * neither
    rows = len(champion)
    test = Examples(np.zeros((rows, 4), np.uint8), np.full(rows, label))
    return Comparison(test, ("no", "yes"), np.array(champion), np.array(challenger))


@pytest.mark.parametrize(("lost", "gained"), [(3, 9), (9, 3), (0, 5), (7, 7), (100, 61)])
def test_without_a_margin_it_is_mcnemars_test(lost, gained):
    statistic = (gained - lost) / math.sqrt(gained + lost)

    p = non_inferiority(lost, gained, 1000, 0)

    assert p == pytest.approx(1 - NormalDist().cdf(statistic), abs=1e-12)


@pytest.mark.parametrize(
    ("lost", "gained", "rows"), [(60, 80, 10_000), (0, 0, 360), (5, 0, 50), (0, 3, 90)]
)
def test_its_variance_is_that_of_the_most_likely_shares_under_the_margin(lost, gained, rows):
    margin = 0.01
    q = np.linspace(1e-9, (1 - margin) / 2 - 1e-9, 2_000_001)
    likelihood = (
        (gained * np.log(q) if gained else 0)
        + lost * np.log(q + margin)
        + (rows - lost - gained) * np.log(1 - 2 * q - margin)
    )
    best = q[np.argmax(likelihood)]
    statistic = (gained - lost + rows * margin) / math.sqrt(rows * (2 * best + margin - margin**2))

    p = non_inferiority(lost, gained, rows, margin)

    assert p == pytest.approx(1 - NormalDist().cdf(statistic), abs=1e-4)


@pytest.mark.parametrize("rows", [360, 10_000])
@pytest.mark.parametrize("gained_share", [0.0, 0.003, 0.01])
def test_a_challenger_that_is_worse_by_the_margin_passes_as_rarely_as_the_level_says(
    rows, gained_share
):
    """Sums over all outcomes, whose probabilities are those of two independent counts."""
    lost_share = gained_share + MARGIN
    passing = sum(
        _poisson(lost, rows * lost_share) * _poisson(gained, rows * gained_share)
        for lost in range(round(rows * lost_share * 2) + 20)
        for gained in range(round(rows * gained_share * 2) + 40)
        if non_inferiority(lost, gained, rows, MARGIN) < LEVEL
    )

    assert passing < LEVEL + 0.01  # a score test is as exact as the normal distribution is near


def _poisson(count, mean):
    if mean == 0:
        return float(count == 0)
    return math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))


def test_the_more_images_the_less_is_left_to_chance():
    p_values = [non_inferiority(0, 0, rows, MARGIN) for rows in (10, 100, 1_000, 10_000)]

    assert p_values == sorted(p_values, reverse=True)
    assert p_values[0] > 0.4
    assert p_values[-1] < 1e-4
    assert non_inferiority(0, 0, 5, 0) == 0.5


def test_lost_and_gained_are_where_one_is_right_and_the_other_wrong():
    seen = comparison(lost=3, gained=5, both=40, neither=2)

    assert (seen.lost, seen.gained) == (3, 5)
    assert seen.numbers()["champion_accuracy"] == 43 / 50
    assert seen.numbers()["challenger_accuracy"] == 45 / 50
    assert seen.p_value == non_inferiority(3, 5, 50, MARGIN)


@pytest.mark.parametrize(
    ("lost", "gained", "rows", "falls"),
    [
        (20, 0, 1000, False),
        (21, 0, 1000, True),
        (71, 50, 1000, True),
        (2, 0, 12, False),  # 17 points, and nothing unusual
        (3, 0, 12, True),
        (3, 1, 12, False),
        (200, 178, 1000, False),  # two points, of versions that differ nearly everywhere
        (0, 0, 1, False),
    ],
)
def test_a_class_falls_where_it_loses_more_than_two_of_a_hundred_and_more_than_chance_explains(
    lost, gained, rows, falls
):
    seen = comparison(lost=lost, gained=gained, both=rows - lost - gained)

    assert [c["label"] for c in seen.fallen()] == (["no"] if falls else [])


def test_classes_without_images_are_left_out():
    assert [c["label"] for c in comparison(label=1).classes()] == ["yes"]


def test_the_pictures_of_disagreement_are_those_that_are_answered_differently():
    rows = np.arange(200)
    test = Examples(np.stack([rows, rows], axis=1).astype(np.uint8), np.zeros(200, int))
    champion = np.where(rows % 2, 1, 0)
    seen = Comparison(test, ("a", "b"), champion, np.zeros(200, int))

    pictures = seen.disagreements()

    assert len(pictures) == MAX_PICTURES
    assert pictures[0] == {
        "row": 1,
        "label": "a",
        "champion": "b",
        "challenger": "a",
        "pixels": [1, 1],
    }
