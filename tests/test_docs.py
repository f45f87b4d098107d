"""Documents and code must say the same."""

import dataclasses
import re
from pathlib import Path

import pytest

from nncore.config import TrainConfig
from nncore.initializers import INITIALIZERS
from nncore.layers import LAYERS
from nncore.losses import LOSSES
from nncore.optimizers import OPTIMIZERS
from nncore.schedules import SCHEDULES

ROOT = Path(__file__).parents[1]


def names_in(path):
    return set(re.findall(r"INKWELL_[A-Z_]+", (ROOT / path).read_text()))


def test_the_readme_lists_every_setting_and_no_other():
    read = set().union(*(names_in(f"{r}/settings.py") for r in ("service", "worker", "inkwell")))
    table = (ROOT / "README.md").read_text().partition("## Settings")[2].partition("\n## ")[0]

    assert set(re.findall(r"^\| `(INKWELL_[A-Z_]+)`", table, re.M)) == read


@pytest.mark.parametrize("name", [*LAYERS, *LOSSES, *OPTIMIZERS, *SCHEDULES, *INITIALIZERS])
def test_the_api_document_names_every_layer_loss_optimizer_and_schedule(name):
    text = (ROOT / "docs/http-api.md").read_text()

    assert f"`{name}`" in text or f'"{name}"' in text


def test_the_api_document_names_every_key_of_a_training_configuration():
    text = (ROOT / "docs/http-api.md").read_text()

    for field in dataclasses.fields(TrainConfig):
        assert f"| `{field.name}` |" in text


def test_the_tree_in_the_readme_names_every_room():
    tree = (ROOT / "README.md").read_text().partition("```\nnncore/")[2].partition("```")[0]

    for room in ("jobs/", "worker/", "service/", "inkwell/", "tests/", "benchmarks/", "docs/"):
        assert f"\n{room}" in tree


@pytest.mark.parametrize(
    "path", ["README.md", "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
)
def test_links_between_documents_lead_somewhere(path):
    document = ROOT / path
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
        assert (document.parent / target).exists(), f"{path}: {target}"


# Which test runs the commands that a document shows, and which commands are run elsewhere.
RUN = {
    "README.md": "integration/test_examples.py",
    "docs/http-api.md": "integration/test_examples.py",
    "docs/http-examples.md": "integration/test_examples.py",
    "docs/getting-started.md": "integration/test_documents.py",
    "docs/troubleshooting.md": "integration/test_documents.py",
}
ELSEWHERE = {
    "docker compose": "compose/test_containers.py",
    "make": "test_docs.py",  # that there are such targets; CI's own run is `make test lint type`
    "kubectl": "",  # no cluster is at hand: the only commands that nothing runs
    "sleep": "",
}


def test_every_command_that_the_documents_show_is_run_by_a_test():
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        name = str(document.relative_to(ROOT))
        shown = re.findall(r"^```sh\n(.*?)^```$", document.read_text(), re.M | re.S)
        shown += re.findall(r"^```console\n(.*?)^```$", document.read_text(), re.M | re.S)
        for block in shown:
            if name in RUN and not block.startswith(("make", "docker")):
                assert document.name in (ROOT / "tests" / RUN[name]).read_text()
                continue
            joined = re.sub(r"\\\n\s*", " ", block)
            for line in filter(None, joined.splitlines()):
                assert line.startswith(tuple(ELSEWHERE)), f"{name}: nothing runs {line}"


def test_every_make_target_that_the_documents_name_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]

    for document in documents:
        for line in re.findall(r"(?:^|`)make ([a-z -]+)", document.read_text(), re.M):
            assert set(line.split()) <= targets | {"alone"}, f"{document}: make {line}"
