import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from nncore.golden import Golden
from nncore.manifest import digest
from nncore.registry import Registry
from tests.conftest import classifier_of, publish
from tests.worker.runs import run
from worker import verify as module
from worker.receipt import CODE_SHA256
from worker.verify import differences, main


@pytest.fixture
def verify(tmp_path, monkeypatch, capsys):
    """Verify a version of the store; return the exit code and what was printed."""
    monkeypatch.setenv("INKWELL_STORE", str(tmp_path))

    def verify(reference, model="digits"):
        code = main([model, str(reference)])
        out, err = capsys.readouterr()
        return code, out + err

    return verify


def tell_otherwise(registry, version, **changed):
    """Publish a copy of a version whose manifest says something else. Return its number."""
    loaded = registry.load("digits", version)
    images = np.zeros((2, *loaded.manifest.input_shape), np.uint8)
    golden = Golden.of(classifier_of(registry, version), images)
    manifest = dataclasses.replace(loaded.manifest, **changed)
    return registry.publish("digits", loaded.network, manifest, golden)


def test_the_manifest_is_a_receipt(tmp_path):
    run(tmp_path, epochs=1, seed=7)

    manifest = Registry(tmp_path).manifest("digits", 1)

    assert manifest.dataset.sha256
    assert (manifest.seed, manifest.config["seed"]) == (7, 7)
    assert manifest.code_sha256 == CODE_SHA256 != ""
    assert {"inkwell", "numpy", "python", "scikit-learn"} <= set(manifest.libraries)
    assert all(vars(manifest.machine).values())
    assert "openblas" in manifest.machine.blas


@pytest.mark.parametrize(
    "changed", [{}, {"preset": "lenet", "epochs": 1}, {"augment": {"shift": 2}}]
)
def test_a_version_that_is_what_its_manifest_says_is_verified(tmp_path, verify, changed):
    run(tmp_path, **{"epochs": 2} | changed)

    code, told = verify("live")

    assert code == 0
    assert "digits version 1" in told
    assert "The weights are the same, byte for byte" in told
    assert "differs" not in told


def test_what_was_found_is_told_as_json_too(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("INKWELL_STORE", str(tmp_path))
    run(tmp_path, epochs=1, seed=7)

    code = main(["digits", "live", "--json"])

    found = json.loads(capsys.readouterr().out)
    assert (code, found["same"], found["differences"]) == (0, True, [])
    assert (found["model"], found["version"]) == ("digits", 1)
    assert {fact["name"]: fact["differs"] for fact in found["facts"]}["data"] is False


def test_verifying_leaves_the_store_as_it_was(tmp_path, verify):
    run(tmp_path, epochs=1)
    before = sorted((str(path), path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))

    verify(1)

    assert sorted((str(p), p.stat().st_mtime_ns) for p in tmp_path.rglob("*")) == before


def test_a_version_that_another_seed_made_is_found_out(tmp_path, verify):
    run(tmp_path, epochs=1)
    registry = Registry(tmp_path)
    config = registry.manifest("digits", 1).config | {"seed": 1}
    number = tell_otherwise(registry, 1, config=config)

    code, told = verify(number)

    assert code == 1
    assert "0.weight: 100,352 of 100,352 numbers differ, by up to 0." in told
    assert "Test accuracy" in told
    assert "So does: nothing that the manifest tells." in told


def test_what_differs_is_named_where_the_weights_do(tmp_path, verify):
    run(tmp_path, epochs=1)
    registry = Registry(tmp_path)
    before = registry.manifest("digits", 1)
    number = tell_otherwise(
        registry,
        1,
        config=before.config | {"seed": 1},
        code_sha256="f" * 64,
        libraries=before.libraries | {"numpy": "1.0"},
        machine=dataclasses.replace(before.machine, processor="Z80"),
    )

    code, told = verify(number)

    assert code == 1
    assert "So does: code, numpy, processor." in told
    assert "differs: ffffffffffff there, " + CODE_SHA256[:12] in told
    assert "differs: 1.0 there" in told
    assert "differs: Z80 there" in told


def test_other_libraries_are_named_though_the_weights_are_the_same(tmp_path, verify):
    run(tmp_path, epochs=1)
    registry = Registry(tmp_path)
    number = tell_otherwise(registry, 1, machine=None, code_sha256="")

    code, told = verify(number)

    assert code == 0
    assert "code           differs: not told there" in told
    assert "byte for byte" in told


def test_on_other_data_nothing_is_trained(tmp_path, verify, monkeypatch):
    run(tmp_path, epochs=1)
    registry = Registry(tmp_path)
    data = dataclasses.replace(registry.manifest("digits", 1).dataset, sha256="0" * 64)
    number = tell_otherwise(registry, 1, dataset=data)
    monkeypatch.setattr(module, "Run", None)

    code, told = verify(number)

    assert code == 1
    assert "data           differs: 000000000000 there" in told
    assert "Not trained again" in told


def test_what_cannot_be_verified_says_why(tmp_path, verify):
    registry = Registry(tmp_path)
    publish(registry)  # its manifest has no configuration

    assert verify(1)[0] == 2
    assert "Not verified: /model: This key is required." in verify(1)[1]
    assert verify(9)[0] == verify("live", model="nothing")[0] == 2
    assert "There is no model 'nothing'" in verify(1, model="nothing")[1]


def test_a_version_that_was_meddled_with_is_not_verified(tmp_path, verify):
    run(tmp_path, epochs=1)
    path = tmp_path / "models/digits/versions/1/weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)

    code, told = verify(1)

    assert code == 2
    assert "weights.safetensors has SHA-256" in told


def test_a_manifest_of_an_inkwell_that_knew_fewer_fields_is_still_its_own(tmp_path):
    """The hash is that of what is written there, not of what this Inkwell would write."""
    registry = Registry(tmp_path)
    publish(registry)
    path = tmp_path / "models/digits/versions/1/manifest.json"
    values = json.loads(path.read_text())
    for later in ("code_sha256", "machine"):
        del values[later]
    path.write_text(json.dumps(values | {"manifest_sha256": digest(values)}))

    assert registry.load("digits", 1).manifest.code_sha256 == ""


def test_tensors_that_do_not_fit_are_told():
    one, two = np.zeros(3, np.float32), np.zeros((3, 1), np.float32)

    assert list(differences({"a": one, "b": one}, {"b": two, "c": one})) == [
        "a: only there.",
        "b: shape (3,) there, (3, 1) here.",
        "c: only here.",
    ]


@pytest.mark.integration
def test_the_command_verifies_a_version_of_the_store(tmp_path):
    run(tmp_path, epochs=1)

    def command(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "inkwell", "verify", *arguments],
            env={**os.environ, "INKWELL_STORE": str(tmp_path)},
            capture_output=True,
            text=True,
        )

    verified, unknown = command("digits", "live"), command("digits", "2")

    assert (verified.returncode, unknown.returncode) == (0, 2)
    assert "byte for byte" in verified.stdout
    assert "Model 'digits' has no version 2" in unknown.stderr
