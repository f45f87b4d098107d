"""Several versions behind one alias, answered by several processes."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from nncore.registry import Registry
from nncore.targets import choose
from tests.conftest import classifier_of, publish
from tests.stack import Stack, wait_for

pytestmark = pytest.mark.integration

REQUESTS = 200


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """Four processes that serve versions 1 to 3."""
    running = Stack(tmp_path_factory.mktemp("canary"), INKWELL_WEB_WORKERS="4")
    for seed in range(3):
        publish(Registry(running.store), seed=seed, live=seed == 0)
    try:
        running.start_service()
        yield running
    finally:
        running.stop()


def predict(stack, request_id, pixels):
    """Ask over a connection of its own, which any of the processes may take."""
    response = stack.client.post(
        "/api/v1/predict",
        content=pixels.tobytes(),
        headers={
            "Content-Type": "application/octet-stream",
            "X-Request-ID": request_id,
            "Connection": "close",
        },
    )
    return response.raise_for_status().json()["version"]


def test_every_process_gives_an_id_the_same_version_and_shadows_are_counted_over_all(stack, pixels):
    body = {"split": {"1": 0.75, "2": 0.25}, "shadow": 3}
    stack.client.put("/api/v1/models/digits/aliases/live", json=body).raise_for_status()
    ids = [f"id-{i % 100}" for i in range(REQUESTS)]

    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(lambda name: predict(stack, name, pixels), ids))

    assert versions == [1 + choose((0.75, 0.25), name) for name in ids]

    def looked():
        shown = stack.client.get("/api/v1/models/digits/shadows").json()["shadows"]
        return shown if sum(line["requests"] for line in shown) == REQUESTS else None

    found = wait_for(looked, what="all requests in the shadow")
    third = classifier_of(Registry(stack.store), 3).predict(pixels)
    for line in found:
        asked = versions.count(line["version"])
        answers = classifier_of(Registry(stack.store), line["version"]).predict(pixels)
        agreed = int((answers == third).sum())
        assert (line["requests"], line["rows"], line["unseen"]) == (asked, 12 * asked, 0)
        assert line["agreed"] == asked * agreed
        assert np.isclose(line["agreement"], agreed / 12)
