import pytest

from nncore.schedules import SCHEDULES, Cosine, OneCycle, Step


def test_cosine_falls_from_one_to_zero():
    factors = [Cosine().factor(step / 100) for step in range(101)]

    assert factors[0] == 1
    assert factors[50] == pytest.approx(0.5)
    assert factors[100] == pytest.approx(0, abs=1e-12)
    assert factors == sorted(factors, reverse=True)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_gives_a_factor_from_zero_to_one(name):
    assert all(0 <= SCHEDULES[name]().factor(step / 100) <= 1 for step in range(100))


def test_step_drops_from_part_to_part():
    schedule = Step(parts=4, drop=0.5)

    assert [schedule.factor(p) for p in (0, 0.24, 0.25, 0.6, 0.99)] == [1, 1, 0.5, 0.25, 0.125]


def test_one_cycle_warms_up_and_comes_down():
    schedule = OneCycle(warm_up=0.25, start=0.1, end=0.01)

    factors = [schedule.factor(step / 100) for step in range(101)]

    assert factors[0] == pytest.approx(0.1)
    assert factors[25] == max(factors) == 1
    assert factors[100] == pytest.approx(0.01)
    assert factors[:26] == sorted(factors[:26])
    assert factors[25:] == sorted(factors[25:], reverse=True)


def test_one_cycle_is_pytorchs():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed (make peers)")
    optimizer = torch.optim.SGD([torch.zeros(1)], 1.0)
    steps = 1001
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1.0, steps, cycle_momentum=False, div_factor=25, final_div_factor=1e4
    )

    for step in range(steps - 1):
        # Theirs counts from the first step to the last, ours in shares of the run.
        end_of_warm_up = 0.3 * steps - 1
        share = (
            0.3 * step / end_of_warm_up
            if step <= end_of_warm_up
            else 0.3 + 0.7 * (step - end_of_warm_up) / (steps - 1 - end_of_warm_up)
        )
        assert OneCycle().factor(share) == pytest.approx(theirs.get_last_lr()[0], abs=1e-9)
        optimizer.step()
        theirs.step()
