"""What the documents tell a person to type works, in their order."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import ROOT, blocks
from tests.stack import TOKEN

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def environ(stack):
    """What finds this stack, and the program `inkwell`, with a first model as `inkwell up` has."""
    stack.train(epochs=5)
    folders = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return stack.environ | {
        "INKWELL_URL": stack.url,
        "INKWELL_ADMIN_TOKEN": TOKEN,
        "PATH": folders,
        "PYTHONPATH": str(ROOT),
    }


def run(command, environ, folder=ROOT):
    return subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize("document", ["docs/getting-started.md", "docs/troubleshooting.md"])
def test_the_commands_of_a_document_work(environ, document):
    for block in blocks(document, "sh"):
        done = run(["bash", "-euc", block], environ)

        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"


def test_the_programs_of_getting_started_work(environ):
    printed = []
    for block in blocks("docs/getting-started.md", "python"):
        done = run([sys.executable, "-c", block], environ)
        assert done.returncode == 0, f"{block}\n{done.stderr}"
        printed += done.stdout.splitlines()

    label, probability = printed[0].split()
    assert label in "0123456789"
    assert 0 < float(probability) <= 1
    assert printed[1].startswith("<2 predictions by digits version ")
    assert 0 < float(printed[3]) <= 1


def test_the_notebook_runs_from_start_to_end(environ):
    cells = json.loads((ROOT / "docs/tour.ipynb").read_text())["cells"]
    assert all(not cell.get("outputs") for cell in cells)
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    ends = "\nprint(before == after != during, len(job.history), job._repr_html_()[:5])"

    done = run([sys.executable, "-c", code + ends], environ, ROOT / "docs")

    assert done.stdout == "True 15 <div>\n", done.stderr
