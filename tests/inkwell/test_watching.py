import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inkwell.client import Client, ServiceUnreachable
from inkwell.watching import follow


def job(status: str, epochs: int = 0, **more: Any) -> dict[str, Any]:
    history = [{"epoch": n + 1, "loss": 0.5, "validation_accuracy": 0.9} for n in range(epochs)]
    return {
        **{"id": "j1", "status": status, "history": history},
        "config": {"model": "digits", "dataset": "digits", "epochs": 4},
        "progress": {"epoch": epochs, "epochs": 4, "fraction": epochs / 4, "eta_seconds": 65.0},
    } | more


def test_a_service_that_stays_away_ends_the_watching(free_port: int) -> None:
    with Client(f"http://127.0.0.1:{free_port}") as client, pytest.raises(ServiceUnreachable):
        follow(lambda: client.job("j1"), print, pause=lambda _: None, patience=0.1)


def test_every_state_of_the_job_is_shown_and_the_last_returned(service: Any) -> None:
    for answer in (job("queued"), job("started", 2), job("finished", 4)):
        service.on("GET /api/v1/jobs/j1", answer)
    seen: list[str] = []

    with Client(service.url) as client:
        last = follow(
            lambda: client.job("j1"), lambda job: seen.append(job["status"]), pause=lambda _: None
        )

    assert seen == ["queued", "started", "finished"]
    assert last["status"] == "finished"


@pytest.mark.integration
def test_a_terminal_gets_a_bar_with_epoch_loss_accuracy_and_time_left(
    service: Any, tmp_path: Path
) -> None:
    service.on("POST /api/v1/jobs", job("queued"), 202)
    for _ in range(3):
        service.on("GET /api/v1/jobs/j1", job("started", 2))
    service.on("GET /api/v1/jobs/j1", job("finished", 4, result={"version": 1, "promoted": True}))
    environ = {"INKWELL_URL": service.url, "INKWELL_STORE": str(tmp_path), "TERM": "xterm"}

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "inkwell", "train", "--wait"]
    with subprocess.Popen(command, stdout=theirs, env=os.environ | environ) as training:
        os.close(theirs)
        shown = _read_all(ours)

    assert training.returncode == 0
    for part in ("epoch 2/4", "loss 0.5000", "validation accuracy 0.9000", "1:05 left", "━"):
        assert part in shown
    assert "digits version 1, promoted" in shown


@pytest.mark.integration
def test_an_id_stays_whole_on_a_narrow_terminal(service: Any, tmp_path: Path) -> None:
    long = job("queued") | {"id": "9c2cd661-544d-402b-bb16-d1a0e4b65855", "times": {}}
    long["times"] = {"created_at": "2026-11-28T01:23:51.351002Z"}
    service.on("GET /api/v1/jobs?limit=20", {"jobs": [long], "next_cursor": None})
    environ = {"INKWELL_URL": service.url, "TERM": "xterm", "COLUMNS": "80"}

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "inkwell", "jobs"]
    with subprocess.Popen(command, stdout=theirs, env=os.environ | environ):
        os.close(theirs)
        shown = _read_all(ours)

    assert long["id"] in shown
    assert all(len(line) <= 80 for line in shown.splitlines() if "\x1b" not in line)


def _read_all(terminal: int) -> str:
    content = b""
    while True:
        try:
            content += os.read(terminal, 4096)
        except OSError:  # Linux' way to say that the other side is closed
            os.close(terminal)
            return content.decode()


@pytest.mark.integration
def test_ctrl_c_ends_the_watching_and_not_the_job(
    service: Any, tmp_path: Path, start: Callable[..., Any]
) -> None:
    service.on("POST /api/v1/jobs", job("queued"), 202)
    service.on("GET /api/v1/jobs/j1", job("started", 2))
    environ = {"INKWELL_URL": service.url, "INKWELL_STORE": str(tmp_path)}
    training = start("-m", "inkwell", "train", "--wait", environ=environ)
    training.wait_for("epoch 2/4")

    training.send(signal.SIGINT)

    assert training.wait() == 130
    assert "Job j1 goes on" in training.text
    assert "Traceback" not in training.text
