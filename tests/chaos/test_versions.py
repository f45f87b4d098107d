"""Versions that are not what was published are refused, and the old one answers."""

import contextlib
import json

import httpx
import pytest

from nncore.registry import Registry
from tests.chaos.measures import disturb
from tests.conftest import publish
from tests.load import OCTETS, PICTURE
from tests.stack import wait_for

pytestmark = pytest.mark.integration

WEIGHTS, MANIFEST = "weights.safetensors", "manifest.json"
TOLD = 180  # seconds, on a busy machine: each process looks every five


def weights_corrupted(folder, other):
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / WEIGHTS).write_bytes(content)


def weights_truncated(folder, other):
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-1000])


def weights_of_another_model(folder, other):
    (folder / WEIGHTS).write_bytes((other / WEIGHTS).read_bytes())


def files_of_another_model(folder, other):
    for file in other.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())


def manifest_of_a_newer_schema(folder, other):
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | {"schema": manifest["schema"] + 1}))


FAULTS = [
    weights_corrupted,
    weights_truncated,
    weights_of_another_model,
    files_of_another_model,
    manifest_of_a_newer_schema,
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_damaged_version_is_refused_with_the_reason_and_the_old_one_answers(stack, tell, fault):
    registry = Registry(stack.store)
    other = folder_of(stack, "other", publish(registry, model="other", seed=9))
    good = publish(registry)
    live = stack.store / "models/digits/aliases/live"

    @contextlib.contextmanager
    def damaged():
        bad = publish(registry, seed=1, live=False)
        fault(folder_of(stack, "digits", bad), other)
        live.write_text(f"{bad}\n")  # by hand: the service would not let it
        yield
        live.write_text(f"{good}\n")

    answers = []
    seen = disturb(stack.url, damaged, lambda: answers.append(look(stack)))

    assert seen.failures == []
    for version, ready in answers:
        assert version == good
        assert ready["ready"]
        assert ready["refused"], ready
    reason = answers[-1][1]["refused"][0]
    tell(fault.__name__.replace("_", " "), f"{seen}; refused: {reason}")


def test_every_process_tells_of_what_it_answers_with_and_is_damaged_meanwhile(stack, tell):
    good = publish(Registry(stack.store), seed=3)
    folder = folder_of(stack, "digits", good)
    whole = (folder / WEIGHTS).read_bytes()
    for _ in range(20):  # both processes have it
        look_anew(stack)

    @contextlib.contextmanager
    def damaged():
        weights_corrupted(folder, None)
        wait_for(lambda: told(stack, [WEIGHTS]), TOLD, "the damage to be told by both")
        yield
        (folder / WEIGHTS).write_bytes(whole)
        wait_for(lambda: told(stack, []), TOLD, "the end of it to be told by both")

    answers = []
    seen = disturb(stack.url, damaged, lambda: answers.append(look(stack)))

    assert seen.failures == []
    assert {version for version, _ in answers} == {good}
    tell("weights of what answers corrupted", f"{seen}; told by both processes")


def told(stack, files):
    """Tell whether each process says of these files, and of no others, that they are damaged."""
    refused = [look_anew(stack)["refused"] for _ in range(20)]
    return all([one["reason"].split()[0] for one in each] == files for each in refused)


def look_anew(stack):
    """Return what the process says that a new connection comes to."""
    return httpx.get(f"{stack.url}/readyz", timeout=60).json()


def folder_of(stack, model, number):
    return stack.store / "models" / model / "versions" / str(number)


def look(stack):
    """Return which version answers now, and what the service says of itself."""
    headers = {"Content-Type": OCTETS}
    for _ in range(50):  # both processes
        answer = stack.client.post("/api/v1/predict", content=PICTURE, headers=headers)
    return int(answer.headers["X-Model-Version"]), stack.client.get("/readyz").json()
