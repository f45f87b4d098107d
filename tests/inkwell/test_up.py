"""`inkwell up` with the real Redis, worker and service."""

import json
import os
import re
import signal
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from inkwell.cli import main
from inkwell.client import Client
from inkwell.sessions import members, wait_until
from inkwell.settings import Settings
from nncore.classifier import Classifier
from nncore.registry import Registry
from tests.pictures.photographs import photographs
from tests.pictures.reading import see
from tests.stack import free_port

pytestmark = pytest.mark.integration

READY = r"Inkwell is ready: (http\S+)"
Start = Callable[..., Any]


def environment(store: Path) -> dict[str, str]:
    unset = {name: "" for name in os.environ if name.startswith("INKWELL_")}
    return unset | {
        **{"INKWELL_STORE": str(store), "INKWELL_PORT": str(free_port())},
        **{
            "INKWELL_WEB_WORKERS": "1",
            "INKWELL_HOST": "127.0.0.1",
            "INKWELL_URL": "",
            "INKWELL_REDIS_URL": "",
        },
    }


class Stack:
    """A running `inkwell up`."""

    def __init__(self, start: Start, environ: dict[str, str]) -> None:
        self.environ = environ
        self.settings = Settings.from_env(environ)
        # As the installed `inkwell` does, without the current folder among Python's.
        self.up = start("-P", "-m", "inkwell", "up", environ=environ)

    def call(self, *arguments: object, **options: Any) -> Result:
        return CliRunner(env=self.environ).invoke(main, [str(a) for a in arguments], **options)

    def children(self) -> list[int]:
        pid = self.up.process.pid
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def child(self, word: str) -> int:
        """The youngest process of `up` with this word in its command, 0 if there is none."""
        commands = {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in self.children()}
        return max((pid for pid, command in commands.items() if word in command), default=0)

    def sessions(self) -> list[int]:
        return [pid for leader in self.children() for pid in members(leader)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, start_for_module: Any) -> Stack:
    for name in ("worker", "service", "inkwell"):
        # A file of the person's own that happens to have this name is not run.
        (start_for_module.folder / f"{name}.py").write_text("raise SystemExit('mine')\n")
    stack = Stack(start_for_module, environment(tmp_path_factory.mktemp("up") / "var"))
    stack.up.wait_for(READY, seconds=360)
    return stack


def blank(rows: int) -> bytes:
    """An IDX3 file of pictures with nothing on them."""
    return struct.pack(">4B3I", 0, 0, 8, 3, rows, 28, 28) + bytes(784 * rows)


def test_the_first_start_trains_a_model_and_says_where_to_look(stack: Stack) -> None:
    assert stack.up.wait_for(READY) == [stack.settings.url]
    assert "training a first one" in stack.up.text
    assert re.search(r"digits version 1, test accuracy 0\.9\d+, promoted", stack.up.text)
    assert stack.up.wait_for(r"token +in (.*)") == [str(stack.settings.token_file)]


def test_what_the_first_start_trained_reads_pictures(stack: Stack) -> None:
    network = Classifier.of(Registry(stack.settings.store).load("digits", 1))

    read, _ = see(photographs(100, 1)).right(network)

    assert read.mean() >= 0.85  # 100 photographs by hand, says the requirement


def test_the_printed_one_liner_answers(stack: Stack, start: Start) -> None:
    (line,) = stack.up.wait_for(r"try it +(.*)")

    tried = start("-c", "import os, sys; os.execvp('sh', ['sh', '-c', sys.argv[1]])", line)

    assert tried.wait() == 0
    assert '"predictions"' in tried.text


def test_predict_reads_an_idx_file_from_standard_input(stack: Stack) -> None:
    answered = stack.call("predict", "--json", "-", input=blank(3))

    assert answered.exit_code == 0, answered.output
    assert len(json.loads(answered.stdout)["predictions"]) == 3


def test_a_refused_file_is_one_line_and_the_others_are_answered(
    stack: Stack, tmp_path: Path
) -> None:
    (tmp_path / "cut.idx").write_bytes(blank(2)[:-1])
    (tmp_path / "whole.idx").write_bytes(blank(1))

    answered = stack.call("predict", tmp_path / "cut.idx", tmp_path / "whole.idx")

    assert answered.exit_code == 1
    assert answered.stderr.startswith(f"Error: {tmp_path}/cut.idx: ")
    assert answered.stderr.count("\n") == 1
    assert "whole.idx" in answered.stdout


def test_train_waits_for_a_version_that_models_and_jobs_then_list(stack: Stack) -> None:
    trained = stack.call(
        *("train", "--wait", "--epochs", 4, "--hidden", 16, "--seed", 5, "--promote", "never"),
        *("--learning-rate", 0.002, "--batch-size", 50),
    )

    assert trained.exit_code == 0, trained.output
    assert "epoch 4/4  loss " in trained.stdout
    version = int(re.findall(r"digits version (\d+), .*not promoted", trained.stdout)[0])
    rows = [line.split() for line in stack.call("models").stdout.splitlines()]
    assert [row[:3] for row in rows if row[1] == "1"] == [["digits", "1", "live"]]
    assert [row[0] for row in rows if row[1] == str(version)] == ["digits"]
    latest = stack.call("jobs").stdout.splitlines()[1].split()
    assert latest[1:5] == ["finished", "digits", "digits", "4/4"]


def test_promote_changes_who_answers(stack: Stack) -> None:
    trained = stack.call("train", "--wait", "--epochs", 1, "--seed", 6, "--promote", "never")
    version = re.findall(r"version (\d+)", trained.stdout)[0]

    promoted = stack.call("promote", "digits", version, "--reason", "a test")

    assert promoted.output == f"digits version {version} is live.\n"
    answered = stack.call("predict", "-", input=blank(1)).stdout
    assert f"Answered by digits version {version}" in answered
    assert stack.call("promote", "digits", 1).exit_code == 0


def test_errors_of_the_service_are_one_line(stack: Stack) -> None:
    for command in (
        ("promote", "digits", 999),
        ("train", "--dataset", "mnits"),
        ("--token", "wrong", "train"),
        ("jobs", "--status", "nonsense"),
    ):
        refused = stack.call(*command)

        assert (refused.exit_code, refused.stdout) == (1, ""), command
        assert refused.stderr.startswith("Error: "), command
        assert refused.stderr.count("\n") == 1, command


def test_a_second_up_on_the_same_store_is_refused(stack: Stack) -> None:
    refused = stack.call("up")

    assert refused.exit_code == 1
    assert f"process {stack.up.process.pid}" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_refused_before_anything_starts(
    stack: Stack, tmp_path: Path
) -> None:
    refused = stack.call("up", env={"INKWELL_STORE": str(tmp_path)})

    assert refused.exit_code == 1
    assert f"Port {stack.settings.port} is taken" in refused.stderr
    assert not (tmp_path / "redis").exists()


def test_redis_comes_back_after_it_was_killed_and_jobs_work_again(stack: Stack) -> None:
    redis = stack.child("redis-server")
    before = stack.call("jobs").stdout

    os.kill(redis, signal.SIGKILL)

    stack.up.wait_for("The redis was ended by SIGKILL")
    assert stack.call("predict", "-", input=blank(1)).exit_code == 0
    assert wait_until(lambda: stack.child("redis-server") not in (0, redis), 90)
    assert wait_until(lambda: stack.call("jobs").exit_code == 0, 90)
    assert stack.call("jobs").stdout == before
    trained = stack.call("train", "--wait", "--epochs", 1, "--seed", 7)
    assert trained.exit_code == 0, trained.output


@pytest.mark.parametrize("name", ["gunicorn", "worker"])
def test_a_killed_service_or_worker_comes_back(stack: Stack, name: str) -> None:
    killed = stack.child(name)

    os.kill(killed, signal.SIGKILL)

    assert wait_until(lambda: stack.child(name) not in (0, killed), 90)
    with Client(stack.settings.url) as client:
        assert wait_until(client.live, 90)
    trained = stack.call("train", "--wait", "--epochs", 1, "--seed", 8, "--promote", "never")
    assert trained.exit_code == 0, trained.output


def test_waiting_for_a_job_survives_a_restart_of_the_service(stack: Stack, start: Start) -> None:
    command = ["-m", "inkwell", "train", "--wait", "--epochs", "300", "--promote", "never"]
    training = start(*command, environ=stack.environ)
    training.wait_for(r"epoch 1/300")

    os.kill(stack.child("gunicorn"), signal.SIGKILL)

    assert training.wait(360) == 0, training.text
    assert "epoch 300/300" in training.text


def test_down_stops_everything_and_the_next_start_finds_the_model(
    stack: Stack, start: Start
) -> None:
    jobs = stack.call("jobs").stdout
    running = stack.sessions()
    assert len(running) >= 4

    down = stack.call("down")

    assert down.output == "Stopped.\n", down.output
    assert stack.up.wait() == 0
    assert wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in running), 60)
    again = stack.call("down")
    assert (again.exit_code, again.output) == (0, f"Nothing runs on {stack.settings.store}.\n")
    second = Stack(start, stack.environ)
    second.up.wait_for(READY, seconds=360)
    assert "training a first one" not in second.up.text
    assert second.call("jobs").stdout == jobs
    second.up.send(signal.SIGINT)
    assert second.up.wait() == 0


def test_no_orphan_stays_when_up_is_killed(tmp_path: Path, start: Start) -> None:
    stack = Stack(start, environment(tmp_path / "var"))
    stack.up.wait_for("epoch ", seconds=360)
    running = stack.sessions()

    stack.up.send(signal.SIGKILL)

    assert wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in running), 90)
    time.sleep(0.1)
    with socket.create_server(("127.0.0.1", stack.settings.port)):
        pass
