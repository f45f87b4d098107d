"""Alert rules and the dashboard, by themselves."""

import shutil
import subprocess
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from tests.monitoring.deployed import DASHBOARD, FOLDER, PANELS, RULES

TRIALS = Path(__file__).with_name("alerts.yml")

with_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is missing: apt-get install prometheus"
)


def promtool(*arguments):
    result = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@with_promtool
def test_prometheus_takes_its_configuration_and_the_rules():
    promtool("check", "config", "--lint-fatal", FOLDER / "prometheus.yml")


@with_promtool
def test_each_alert_fires_when_it_is_to_and_not_before():
    promtool("test", "rules", TRIALS)


def test_no_alert_goes_without_a_trial_in_which_it_fires_and_one_in_which_it_is_quiet():
    trials = [
        trial
        for test in yaml.safe_load(TRIALS.read_text())["tests"]
        for trial in test["alert_rule_test"]
    ]
    fired = {trial["alertname"] for trial in trials if trial.get("exp_alerts")}
    quiet = {trial["alertname"] for trial in trials if not trial.get("exp_alerts")}

    assert fired == quiet == {rule["alert"] for rule in RULES}


def test_each_alert_says_what_to_look_at_and_how_urgent_it_is():
    documented = (FOLDER.parents[1] / "docs" / "monitoring.md").read_text()
    for rule in RULES:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]
        assert f"| `{rule['alert']}` |" in documented


def test_panels_lie_side_by_side():
    def cells(panel):
        grid = panel["gridPos"]
        columns = range(grid["x"], grid["x"] + grid["w"])
        return {(x, y) for x in columns for y in range(grid["y"], grid["y"] + grid["h"])}

    for one, other in combinations(DASHBOARD["panels"], 2):
        assert one["id"] != other["id"]
        assert not cells(one) & cells(other)
    assert all(x < 24 for panel in PANELS for x, _ in cells(panel))
