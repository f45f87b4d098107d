"""The trials of a sweep."""

import numpy as np
import pytest

from jobs.sweep_request import read_sweep
from worker.sweeps import plan

BASE = {"model": "digits", "dataset": "digits"}


def planned(tmp_path, **body):
    return plan(read_sweep({"base": BASE, **body}, tmp_path))


def test_a_grid_has_every_point(tmp_path):
    trials = planned(tmp_path, grid={"batch_size": [16, 32], "seed": [0, 1, 2]})

    assert len(trials) == 6
    assert {(t["batch_size"], t["seed"]) for t in trials} == {
        (b, s) for b in (16, 32) for s in (0, 1, 2)
    }


def test_draws_are_within_their_range_of_their_kind_and_the_same_again(tmp_path):
    body = {
        "random": {
            "optimizer.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
            "batch_size": {"low": 16, "high": 64, "integer": True},
            "optimizer": ["adam", {"type": "adamw", "weight_decay": 0.1}],
        },
        "trials": 200,
    }
    trials = planned(tmp_path, **body)

    rates = np.array([t["optimizer.learning_rate"] for t in trials])
    assert len(trials) == 200
    assert ((rates >= 1e-4) & (rates <= 1e-1)).all()
    assert np.median(np.log10(rates)) == pytest.approx(-2.5, abs=0.3)
    assert all(type(t["batch_size"]) is int and 16 <= t["batch_size"] <= 64 for t in trials)
    assert trials == planned(tmp_path, **body)
    assert trials != planned(tmp_path, **body, seed=1)


def test_lists_are_drawn_from_without_putting_back(tmp_path):
    trials = planned(tmp_path, random={"batch_size": [16, 32], "seed": [0, 1]}, trials=100)

    assert len(trials) == 4
    assert len({tuple(t.items()) for t in trials}) == 4
