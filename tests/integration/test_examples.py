"""The requests that README and docs show get the answers that stand there."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.browser.drawing import photograph
from tests.documents import ROOT, agrees, blocks, exchanges
from tests.stack import TOKEN, Stack

pytestmark = pytest.mark.integration

SECONDS = 300  # until a job that was begun has come as far as is shown
PEERS = ("tritonclient", "onnxruntime", "torch")
PRELUDE = """import numpy as np
pixels = np.zeros((2, 784), np.uint8)
images = pixels.astype(np.float32)
"""
ID_OF_A_JOB = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ID = re.compile(r'"id": ?"([0-9a-f-]+)"')
CHANGES = re.compile(r" -(?:X|d|T|F|-data-binary)\b|inkwell (?:promote|rollback)")


@pytest.fixture
def first(tmp_path):
    """A stack with a first model."""
    stack = Stack(tmp_path / "stack")
    stack.folder.mkdir()
    try:
        stack.start()
        stack.train(epochs=5)
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def folder(tmp_path):
    """A folder as a person has it, with what the documents name."""
    folder = tmp_path / "inkwell"
    (folder / "var").mkdir(parents=True)
    (folder / "var/admin_token").write_text(TOKEN)
    (folder / ".venv").mkdir()
    (folder / ".venv/bin").symlink_to(Path(sys.executable).parent)
    for name in ("docs", "README.md"):
        (folder / name).symlink_to(ROOT / name)
    digits = {"letters/7": "7", "letters/3": "3", "folder": "4"}
    for place, digit in digits.items():
        (folder / place).mkdir(parents=True)
        for i in range(20):
            (folder / place / f"{i}.jpg").write_bytes(photograph(digit, (90 + i, 80)))
    shutil.make_archive(str(folder / "letters"), "zip", folder / "letters")
    shutil.make_archive(str(folder / "photographs"), "zip", folder / "folder")
    (folder / "seven.jpg").write_bytes(photograph("7"))
    (folder / "three.png").write_bytes(photograph("3"))
    return folder


@pytest.fixture
def console(first, folder):
    """A shell in that folder, in front of that model."""
    folders = f"{folder}/.venv/bin{os.pathsep}{os.environ['PATH']}"
    environ = first.environ | {"INKWELL_URL": first.url, "TOKEN": TOKEN, "PATH": folders}

    def run(command, *, interpreter=("bash", "-c")):
        command = command.replace("localhost:8000", f"127.0.0.1:{first.port}")
        return subprocess.run(
            [*interpreter, command], cwd=folder, env=environ, capture_output=True, text=True
        )

    return run


def play(document, run):
    """Run the commands of a document, and hold their answers to what it shows."""
    ids = {}
    for command, shown in exchanges(document):
        for there, here in ids.items():
            command = command.replace(there, here)
        until, reads = time.monotonic() + SECONDS, not CHANGES.search(command)
        answer = run(command).stdout
        while reads and not agrees(shown, answer) and time.monotonic() < until:
            time.sleep(0.3)
            answer = run(command).stdout
        assert agrees(shown, answer), f"{command}\n\nshown:\n{shown}\n\nanswered:\n{answer}"
        ids.update(zip(ID.findall(shown), ID.findall(answer), strict=False))


def test_the_requests_of_the_examples_get_the_answers_that_stand_there(console):
    play("docs/http-examples.md", console)


def test_the_commands_of_the_readme_get_the_answers_that_stand_there(console, mnist_dir):
    play("README.md", console)


def test_the_commands_and_programs_of_the_api_document_work(console, first, folder):
    run_commands(console, first)
    run_programs(console, first, folder)


def run_commands(console, first):
    job = first.client.get("/api/v1/jobs").json()["jobs"][0]["id"]
    for seed in (1, 2):
        first.train(epochs=1, seed=seed, promote="never")
    refused_fails = 'curl() { command curl --silent --fail-with-body "$@"; }; set -e\n'

    for block in blocks("docs/http-api.md", "sh"):
        done = console(refused_fails + ID_OF_A_JOB.sub(job, block))
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"


def run_programs(console, first, folder):
    for name, path in (("onnx", "export?format=onnx"), ("npz", "export?format=npz")):
        got = first.client.get(f"/api/v1/models/digits/versions/1/{path}").raise_for_status()
        (folder / f"digits-v1.{name}").write_bytes(got.content)
    weights = first.client.get("/api/v1/models/digits/versions/1/weights").raise_for_status()
    (folder / "digits-v1.safetensors").write_bytes(weights.content)

    for block in blocks("docs/http-api.md", "python"):
        missing = [name for name in PEERS if name in block and not importlib.util.find_spec(name)]
        if missing:  # `make peers` installs them
            continue
        done = console(PRELUDE + block, interpreter=(sys.executable, "-c"))
        assert done.returncode == 0, f"{block}\n{done.stderr}"
