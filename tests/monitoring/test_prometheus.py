"""A real Prometheus reads the real stack: queries of the dashboard, rules, names of metrics."""

import math
import re
import shutil
import socket

import httpx
import pytest
import yaml

from nncore.registry import WEIGHTS_FILE, Registry
from tests.conftest import publish
from tests.load import Load
from tests.monitoring.deployed import FOLDER, PROMETHEUS, QUERIES, RULES, metrics_of
from tests.stack import Stack, free_port, wait_for

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        shutil.which("prometheus") is None,
        reason="Prometheus is missing: apt-get install prometheus",
    ),
]

SCRAPES = "2s"  # also how long one may take: on a busy machine some are late
ROWS = 20  # in a request: drift is told of 500
SECONDS = 240  # until a query has to have answered; most do after two scrapes


class Prometheus:
    """Reads a stack, with our own configuration but for where the service is and how often."""

    def __init__(self, stack):
        (job,) = PROMETHEUS["scrape_configs"]
        job = {key: value for key, value in job.items() if key != "dns_sd_configs"}
        config = PROMETHEUS | {
            "global": {
                "scrape_interval": SCRAPES,
                "scrape_timeout": SCRAPES,
                "evaluation_interval": SCRAPES,
            },
            "rule_files": [str(FOLDER / name) for name in PROMETHEUS["rule_files"]],
            "scrape_configs": [
                job | {"static_configs": [{"targets": [f"127.0.0.1:{stack.port}"]}]}
            ],
        }
        file = stack.folder / "prometheus.yml"
        file.write_text(yaml.safe_dump(config))
        address = f"127.0.0.1:{free_port()}"
        self.api = httpx.Client(base_url=f"http://{address}/api/v1", timeout=60)
        data = stack.folder / "prometheus"
        command = ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={data}"]
        stack.run("prometheus", [*command, f"--web.listen-address={address}"])

    def query(self, expression):
        """Return the values, without those that are not numbers (nothing by nothing)."""
        answer = self.api.get("/query", params={"query": expression})
        assert answer.status_code == 200, answer.text
        values = [float(one["value"][1]) for one in answer.json()["data"]["result"]]
        return [value for value in values if not math.isnan(value)]

    def firing(self):
        alerts = self.api.get("/alerts").json()["data"]["alerts"]
        return {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}


@pytest.fixture(scope="module")
def busy_stack(tmp_path_factory):
    """A stack in which there is something to see of all that is measured."""
    running = Stack(tmp_path_factory.mktemp("stack"))
    running.prometheus = None
    try:
        running.start()
        running.prometheus = Prometheus(running)
        for seed in range(2):  # the second is taken up in the place of the first
            running.train(epochs=1, seed=seed, promote="always")
        _damage(running, "damaged")
        assert _predict(running, "damaged").status_code == 503
        _send_no_http(running)
        running.stand_still(running.post(epochs=100_000, batch_size=1)["id"])
        running.post(epochs=1, seed=7)  # waits
        with Load(running.url, clients=1, body=bytes(784 * ROWS)):
            yield running
    finally:
        running.stop()
        if running.prometheus:
            running.prometheus.api.close()


def _damage(stack, model):
    registry = Registry(stack.store)
    number = publish(registry, model=model)
    weights = stack.store / "models" / model / "versions" / str(number) / WEIGHTS_FILE
    weights.chmod(0o644)
    weights.write_bytes(weights.read_bytes()[:-1])


def _predict(stack, model):
    content_type = {"Content-Type": "application/octet-stream"}
    path = f"/api/v1/models/{model}/predict"
    return stack.client.post(path, content=bytes(784), headers=content_type)


def _send_no_http(stack):
    with socket.create_connection(("127.0.0.1", stack.port), 60) as connection:
        connection.sendall(b"this is not HTTP\r\n\r\n")
        connection.recv(1)


@pytest.mark.parametrize(("panel", "ref", "query"), QUERIES, ids=lambda value: str(value)[:40])
def test_each_query_of_the_dashboard_answers_with_data(busy_stack, panel, ref, query):
    query = query.replace("$__rate_interval", "1m").replace("$model", ".*")
    assert "$" not in query

    assert wait_for(lambda: busy_stack.prometheus.query(query), SECONDS, f"{panel} {ref}: {query}")


def test_an_alert_fires_by_the_real_rules(busy_stack):
    _predict(busy_stack, "damaged")
    firing = wait_for(busy_stack.prometheus.firing, SECONDS, "an alert")

    assert firing <= {"InkwellVersionRefused", "InkwellFails", "InkwellDrift"}


def test_dashboard_and_alerts_ask_for_metrics_that_there_are(busy_stack):
    text = httpx.get(f"{busy_stack.url}/metrics", timeout=60).text
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
    there = set(kinds) | {
        f"{name}_{part}"
        for name, kind in kinds.items()
        if kind == "histogram"
        for part in ("bucket", "sum", "count")
    }
    expressions = [query for *_, query in QUERIES] + [rule["expr"] for rule in RULES]

    asked = set().union(*map(metrics_of, expressions))

    assert asked
    assert asked <= there
