"""The keys by which KEDA scales workers (deploy/kubernetes/worker.yaml)."""

import pytest
import yaml

from tests.stack import ROOT

pytestmark = pytest.mark.integration


def test_the_keys_count_jobs_that_wait_and_jobs_that_run(redis, executions, post):
    (scaled,) = (
        one
        for one in yaml.safe_load_all((ROOT / "deploy/kubernetes/worker.yaml").read_text())
        if one["kind"] == "ScaledObject"
    )
    keys = {one["name"]: one["metadata"]["listName"] for one in scaled["spec"]["triggers"]}
    for priority in ("high", "normal", "low"):
        job = post(priority=priority)
    redis.lrem(f"rq:queue:{job.origin}", 1, job.id)
    executions.begin(job.id, "w")

    assert {name: redis.zcard(key) for name, key in keys.items()} == {"waiting": 2, "running": 1}
