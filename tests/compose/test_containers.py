"""The README's and the documents' `docker compose` commands, on a real engine, in their order."""

import os
import re
import time
import uuid
from pathlib import Path

import httpx
import pytest

from tests.compose.containers import (
    BASE_IMAGE,
    ROOT,
    Containers,
    docker,
    engine_runs,
    has_image,
)
from tests.load import Load
from tests.stack import wait_for

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.skipif(not engine_runs(), reason="no Docker engine runs here"),
]

OURS = ("service", "worker")
LONG = {"epochs": 300, "augment": {"shift": 1}, "promote": "always"}  # some seconds


def seven(client):
    picture = (ROOT / "docs" / "seven.png").read_bytes()
    answer = client.post("/api/v1/predict", content=picture, headers={"Content-Type": "image/png"})
    answer.raise_for_status()
    return answer.json()["predictions"][0]["label"]


@pytest.fixture(scope="module")
def mnist():
    """Return variables that give the containers MNIST, where it is at hand."""
    folder = os.environ.get("INKWELL_MNIST_DIR")
    return {"INKWELL_MNIST_DIR": str(Path(folder).resolve())} if folder else {}


@pytest.fixture(scope="module")
def containers(mnist):
    """Return the running stack, built and started by the README's command."""
    name = f"inkwell-test-{uuid.uuid4().hex[:8]}"
    running = Containers(name, f"{name}:one")
    try:
        running.compose("up", "--build", "--detach", "--wait", **mnist)
        yield running
    finally:
        print(running.logs())
        running.down()
        docker("image", "rm", "--force", f"{name}:one", f"{name}:two", check=False)


def test_all_is_healthy_and_nobody_is_root(containers):
    for service in ("redis", *OURS):
        (container,) = containers.ids(service)
        found = containers.inspect(container)
        assert found["State"]["Health"]["Status"] == "healthy"
        assert found["Config"]["User"].split(":")[0] not in ("", "0", "root")
        assert found["HostConfig"]["ReadonlyRootfs"]


def test_the_image_tells_what_it_is_and_holds_no_tools_to_build(containers):
    labels = containers.inspect(containers.image)["Config"]["Labels"]

    named = {name.rpartition(".")[2] for name in labels if name.startswith("org.opencontainers.")}
    assert named == {"title", "description", "licenses", "version", "revision", "created"}
    assert labels["org.opencontainers.image.title"] == "Inkwell"
    for program in ("gcc", "cc", "strip"):
        assert not docker("run", "--rm", containers.image, "sh", "-c", f"command -v {program} || :")
    assert docker("run", "--rm", containers.image, "id", "-u").split() == [b"10001"]
    tools = "import importlib.util as u; print(*map(u.find_spec, ('pip', 'setuptools')))"
    assert docker("run", "--rm", containers.image, "python", "-c", tools).split() == [b"None"] * 2


def test_the_image_adds_less_than_230_mb_to_its_base(containers):
    whole, base = (
        containers.inspect(name)["Size"] / 1e6 for name in (containers.image, BASE_IMAGE)
    )

    told = "du -sb lib/python3*/site-packages/* | sort -rn | head -20"
    parts = containers.compose("exec", "-T", "service", "sh", "-c", told).decode()
    print(f"image {whole:.0f} MB, of which its base has {base:.0f} MB:\n{parts}")
    assert "scipy" in parts
    assert whole - base < 230


def test_it_trains_and_answers_from_outside(containers, mnist):
    assert containers.client.get("/readyz").status_code == 503

    job = containers.train(dataset="mnist" if mnist else "digits", epochs=2 if mnist else 20)

    assert job["status"] == "finished", job
    assert job["result"]["promoted"]
    assert containers.client.get("/readyz").status_code == 200
    assert seven(containers.client) == "7"


def test_the_pages_and_all_that_they_are_made_of_are_in_the_image(containers):
    page = containers.client.get("/")

    parts = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
    assert page.status_code == 200
    assert parts
    for part in parts:
        assert containers.client.get(part).status_code == 200


def test_three_workers_train_three_jobs_at_once(containers, mnist):
    containers.compose("up", "--detach", "--wait", "--scale", "worker=3", **mnist)
    jobs = [containers.post(epochs=100_000, seed=seed)["id"] for seed in range(3)]

    running = wait_for(
        lambda: all(containers.job(job)["status"] == "started" for job in jobs), what="three jobs"
    )

    assert running
    for job in jobs:
        containers.client.post(f"/api/v1/jobs/{job}/stop")
        assert containers.wait(job)["status"] == "stopped"
    containers.compose("up", "--detach", "--wait", "--scale", "worker=1", **mnist)


@pytest.mark.parametrize("service", ["redis", "service", "worker"])
def test_a_container_that_dies_is_back_by_itself(containers, service):
    before = containers.restarts(service)

    containers.kill(service)

    wait_for(lambda: containers.restarts(service) > before, what="a restart")
    containers.wait_until_healthy(service)
    assert wait_for(lambda: seven(containers.client) == "7", what="an answer")
    assert containers.train(epochs=1, force=True)["status"] == "finished"


def test_a_run_whose_worker_is_stopped_by_compose_goes_on_to_the_same_weights(containers, mnist):
    undisturbed = containers.train(**LONG)
    job = containers.post(**LONG, force=True)["id"]
    containers.wait_for_progress(job)

    containers.compose("stop", "--timeout", "60", "worker")
    assert containers.job(job)["status"] == "queued"
    containers.compose("up", "--detach", "--wait", "worker", **mnist)

    done = containers.wait(job)
    assert done["status"] == "finished", done
    assert containers.versions(job) == containers.versions(undisturbed["id"])


def test_an_upgrade_without_a_proxy_is_a_gap_of_seconds(containers, mnist):
    with Load(f"http://127.0.0.1:{containers.port}") as load:
        containers.compose("up", "--detach", "--wait", "--no-deps", "--force-recreate", "service")
        wait_for(lambda: seven(containers.client) == "7", what="an answer")

    print(f"without a proxy: {len(load.failures)} requests refused within {load.longest:.1f} s")
    assert load.failures


def test_an_upgrade_behind_the_proxy_loses_no_request(containers, mnist):
    assert has_image("proxy")
    new = containers.image.replace(":one", ":two")
    proxied = ("--profile", "proxy")
    containers.compose(*proxied, "up", "--detach", "--wait", **mnist)
    url = f"http://127.0.0.1:{containers.proxy_port}"
    containers.compose("build", INKWELL_IMAGE=new, REVISION="two")

    with Load(url) as load:
        time.sleep(1)
        for service in ("service", "service-2"):
            upgrade = (*proxied, "up", "--detach", "--wait", "--no-deps", service)
            containers.compose(*upgrade, INKWELL_IMAGE=new)
            time.sleep(5)

    print(f"behind the proxy: {load.answered} answers, longest pause {load.longest:.2f} s")
    assert load.failures == []
    assert load.answered > 100
    for service in ("service", "service-2"):
        (container,) = containers.ids(service)
        assert containers.inspect(container)["Config"]["Image"] == new


def test_prometheus_finds_each_service_and_its_rules(containers, mnist):
    assert has_image("prometheus")
    containers.compose("--profile", "monitoring", "up", "--detach", "--wait", "prometheus", **mnist)
    url = f"http://127.0.0.1:{containers.prometheus_port}/api/v1"
    prometheus = httpx.Client(base_url=url, timeout=60)
    running = len(containers.ids("service") + containers.ids("service-2"))

    def found():
        answer = prometheus.get("/query", params={"query": 'sum(up{job="inkwell"})'}).json()
        return [one["value"][1] for one in answer["data"]["result"]] == [str(running)]

    with prometheus:
        assert wait_for(found, what=f"{running} services")
        assert prometheus.get("/rules").json()["data"]["groups"]


def test_grafana_shows_the_dashboard_with_data(containers, mnist):
    if not has_image("grafana"):
        pytest.skip("the image of Grafana cannot be pulled")
    containers.compose("--profile", "monitoring", "up", "--detach", "--wait", **mnist)
    url = f"http://127.0.0.1:{containers.grafana_port}/api"
    grafana = httpx.Client(base_url=url, timeout=60)
    query = {"query": "sum(up)"}

    with grafana:
        assert grafana.get("/dashboards/uid/inkwell").json()["dashboard"]["title"] == "Inkwell"
        answer = grafana.get("/datasources/proxy/uid/prometheus/api/v1/query", params=query)
        assert answer.json()["data"]["result"]


def test_volumes_are_backed_up_and_restored(containers, mnist):
    before = containers.client.get("/api/v1/models/digits/versions").json()
    store = containers.compose("exec", "-T", "service", "tar", "-C", "/var/lib/inkwell", "-c", ".")
    containers.compose("stop")
    tar = ("run", "--rm", "-T", "--no-deps")
    queue = containers.compose(*tar, "redis", "tar", "-C", "/data", "-c", ".")
    containers.compose("--profile", "*", "down", "--volumes")
    assert not containers.left()

    for service, folder, saved in (
        ("service", "/var/lib/inkwell", store),
        ("redis", "/data", queue),
    ):
        containers.compose(*tar, service, "tar", "-C", folder, "-x", stdin=saved)
    containers.compose("up", "--detach", "--wait", **mnist)

    assert containers.client.get("/api/v1/models/digits/versions").json() == before
    assert seven(containers.client) == "7"
    assert containers.client.get("/api/v1/jobs").json()["jobs"]
