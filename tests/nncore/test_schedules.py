import pytest

from nncore.schedules import SCHEDULES, Cosine


def test_cosine_falls_from_one_to_zero():
    factors = [Cosine().factor(step / 100) for step in range(101)]

    assert factors[0] == 1
    assert factors[50] == pytest.approx(0.5)
    assert factors[100] == pytest.approx(0, abs=1e-12)
    assert factors == sorted(factors, reverse=True)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_gives_a_factor_from_zero_to_one(name):
    assert all(0 <= SCHEDULES[name]().factor(step / 100) <= 1 for step in range(100))
