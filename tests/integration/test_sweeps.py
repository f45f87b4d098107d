"""A sweep of twelve trials on two workers."""

import contextlib
import os
import signal
import xml.etree.ElementTree as ElementTree

import pytest

from tests.stack import TRAIN_SECONDS, wait_for

pytestmark = pytest.mark.integration

EPOCHS = 10
SWEEP = {
    "base": {"model": "digits", "dataset": "digits", "epochs": EPOCHS, "promote": "always"},
    "grid": {
        "optimizer.learning_rate": [0.0003, 0.001, 0.003, 0.01],
        "network.0.units": [16, 64, 128],
    },
}


@pytest.fixture(scope="module")
def stack(stack):
    stack.start_worker("worker2")
    wait_for(lambda: "Taking jobs" in stack.log("worker2"), what="the second worker")
    return stack


def show(stack, sweep_id):
    return stack.client.get(f"/api/v1/sweeps/{sweep_id}").json()


def ended(stack, sweep_id):
    def there():
        sweep = show(stack, sweep_id)
        return sweep if sweep["times"]["ended_at"] else None

    return wait_for(there, TRAIN_SECONDS, "the sweep")


def table(sweep):
    """Return what does not hang on when and where the trials ran."""
    kept = ("status", "parameters", "epoch", "validation_accuracy", "validation_loss", "loss")
    return [{name: row[name] for name in kept} for row in sweep["trials"]]


def start(stack, **changed):
    response = stack.client.post("/api/v1/sweeps", json=SWEEP | changed)
    assert response.status_code == 202, response.text
    assert response.headers["Location"].endswith(response.json()["id"])
    return response.json()["id"]


def kill_one_trial(stack, sweep_id):
    """Kill the process of a trial in the middle of its run."""

    def killed():
        rows = show(stack, sweep_id)["trials"]
        job = next((row["job"] for row in rows if row["status"] == "started"), None)
        found = job and stack.running(job)
        if not found:
            return False
        _, process = found
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.kill(process, signal.SIGKILL)
        wait_for(lambda: stack.job(job)["status"] != "started", what="its end")
        return "Killed by SIGKILL" in str(stack.job(job)["story"])

    wait_for(killed, what="a trial that is killed")


def test_twelve_trials_on_two_workers_one_killed_in_the_middle_changes_nothing(stack):
    undisturbed = ended(stack, start(stack))
    sweep_id = start(stack)
    kill_one_trial(stack, sweep_id)
    sweep = ended(stack, sweep_id)

    assert sweep["status"] == "finished", sweep
    assert len(sweep["trials"]) == 12
    assert table(sweep) == table(undisturbed)
    accuracies = [row["validation_accuracy"] for row in sweep["trials"]]
    assert accuracies == sorted(accuracies, reverse=True)
    assert sweep["best"] == sweep["trials"][0]
    assert all(row["validation_loss"] > 0 for row in sweep["trials"])

    jobs = [stack.job(row["job"]) for row in sweep["trials"]]
    assert "Killed by SIGKILL" in str([job["story"] for job in jobs])
    workers = {event["event"] for job in jobs for event in job["story"] if "Started" in str(event)}
    assert len(workers) == 2

    one, other = (stack.versions(s["best"]["job"]) for s in (undisturbed, sweep))
    assert one == other
    assert len(one) == 1
    assert sweep["result"]["promoted"]
    live = stack.client.get("/api/v1/models/digits").json()
    assert (live["live"], live["versions"]) == (sweep["result"]["version"], 2)
    assert os.listdir(stack.store / "jobs") == []


def test_its_plot_has_a_line_a_trial(stack):
    sweep = ended(stack, start(stack, grid={"batch_size": [32, 64]}, publish=False))

    plot = stack.client.get(sweep["plot"])

    assert plot.headers["Content-Type"].startswith("image/svg+xml")
    lines = ElementTree.fromstring(plot.text).findall(".//{*}polyline")  # noqa: S314 - our own
    assert [len(line.get("points").split()) for line in lines] == [EPOCHS, EPOCHS]
    assert lines[-1].find("{*}title").text in ("batch_size = 32", "batch_size = 64")
    assert sweep["result"] is None


def test_a_sweep_is_stopped_with_its_trials(stack):
    sweep_id = start(stack, base=SWEEP["base"] | {"epochs": 100_000})
    wait_for(lambda: show(stack, sweep_id)["trials"], what="the trials")

    stack.client.post(f"/api/v1/sweeps/{sweep_id}/stop").raise_for_status()

    stopped = ended(stack, sweep_id)
    assert stopped["status"] == "stopped"
    assert {row["status"] for row in stopped["trials"]} <= {"stopped", "canceled"}
    again = stack.client.post(f"/api/v1/sweeps/{sweep_id}/stop")
    assert again.status_code == 409


def test_sweeps_are_listed_and_unknown_ones_told(stack):
    newest = start(stack, grid={"seed": [0]}, publish=False)

    listed = stack.client.get("/api/v1/sweeps", params={"limit": 1}).json()

    assert [sweep["id"] for sweep in listed["sweeps"]] == [newest]
    assert listed["next_cursor"]
    assert stack.client.get("/api/v1/sweeps/nothing").status_code == 404
    assert stack.client.post("/api/v1/sweeps/nothing/stop").status_code == 404
    assert stack.client.get("/api/v1/sweeps/nothing/plot").status_code == 404
    wrong = stack.client.post("/api/v1/sweeps", json={"base": {}, "grid": {"epochs": [0]}})
    assert wrong.status_code == 422
    assert wrong.json()["errors"]


def test_a_sweep_that_is_posted_again_with_its_key_is_begun_once(stack):
    small = SWEEP | {"grid": {"epochs": [1, 2]}, "publish": False}
    key = {"Idempotency-Key": "a sweep"}

    first, again = (stack.client.post("/api/v1/sweeps", json=small, headers=key) for _ in range(2))
    other = stack.client.post("/api/v1/sweeps", json=SWEEP, headers=key)

    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 422)
    assert first.json()["id"] == again.json()["id"]
    assert other.json()["type"] == "urn:inkwell:problem:idempotency-key-reused"
