"""What deploy/monitoring holds, for tests."""

import json
import re

import yaml

from tests.stack import ROOT

FOLDER = ROOT / "deploy" / "monitoring"
PROMETHEUS = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
RULES = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((FOLDER / "grafana" / "inkwell.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [
    (panel["title"], target["refId"], target["expr"])
    for panel in PANELS
    for target in panel["targets"]
]


def metrics_of(expression):
    """Return the names of our metrics that a query asks for."""
    return set(re.findall(r"\b(?:inkwell|nv)_\w+", expression))
