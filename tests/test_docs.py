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


def test_every_make_target_that_the_documents_name_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]

    for document in documents:
        for line in re.findall(r"(?:^|`)make ([a-z -]+)", document.read_text(), re.M):
            assert set(line.split()) <= targets | {"alone"}, f"{document}: make {line}"
