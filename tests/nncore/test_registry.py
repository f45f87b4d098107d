import hashlib
import json
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from nncore import model_folder
from nncore.errors import CorruptVersionError, NotFoundError, VersionInUseError
from nncore.layers import Dense, ReLU
from nncore.losses import SoftmaxCrossEntropy
from nncore.manifest import Manifest, TrainedOn, digest, libraries, now
from nncore.network import Network
from nncore.registry import Registry
from nncore.scaling import PixelScaler
from nncore.weights import encode_weights

LAYERS = (Dense(3), ReLU(), Dense(2))


def network(seed=0):
    built = Network(LAYERS, (4,))
    built.init(np.random.default_rng(seed))
    return built


def manifest(**changed):
    values = {
        "model": "m",
        "layers": LAYERS,
        "input_shape": (4,),
        "pixel_scaling": PixelScaler(),
        "loss": SoftmaxCrossEntropy(),
        "labels": ("no", "yes"),
        "config": {},
        "seed": 0,
        "dataset": TrainedOn("d", "", 1, 1),
        "metrics": {"test_accuracy": 0.5},
        "history": [],
        "parent": None,
        "job_id": None,
        "libraries": libraries(),
        "created_at": now(),
    }
    return Manifest(**values | changed)


@pytest.fixture
def registry(store):
    return Registry(store)


def publish_many(store, count):
    registry = Registry(store)
    return [registry.publish("m", network(), manifest()) for _ in range(count)]


def test_looking_creates_nothing(registry, tmp_path):
    assert registry.models() == []
    assert registry.versions("m") == []
    assert registry.aliases("m").all() == {}
    assert registry.aliases("m").history() == []
    assert list(tmp_path.iterdir()) == []


def test_versions_are_numbered_from_one_and_come_back_as_published(registry):
    first, second = network(1), network(2)

    assert registry.publish("m", first, manifest()) == 1
    assert registry.publish("m", second, manifest(seed=5)) == 2

    version = registry.load("m", 2)
    assert registry.versions("m") == [1, 2]
    np.testing.assert_array_equal(version.network.params, second.params)
    assert version.network.layers == LAYERS
    assert version.manifest.seed == 5
    assert len(version.manifest.weights_sha256) == 64


def test_the_layout_on_disk_is_the_promised_one(registry, tmp_path):
    registry.publish("m", network(), manifest())
    registry.promote("m", 1, reason="first")

    folder = tmp_path / "models" / "m"
    found = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert found == {
        "versions/1/weights.safetensors",
        "versions/1/manifest.json",
        "aliases/live",
        "aliases/history.jsonl",
        ".latest",
        ".lock",
    }
    assert json.loads((folder / "aliases" / "live").read_text())["to"] == 1


def test_publish_is_invisible_until_complete(registry, monkeypatch, tmp_path):
    seen = []
    sync = model_folder.sync_folder
    monkeypatch.setattr(
        model_folder, "sync_folder", lambda p: (seen.append(registry.versions("m")), sync(p))
    )

    registry.publish("m", network(), manifest())

    assert seen[0] == []  # all is written, nothing is renamed yet
    assert os.listdir(tmp_path / "models/m/.staging") == []
    assert registry.versions("m") == [1]


def test_a_publish_that_fails_leaves_nothing(registry, tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model_folder, "write_file", full)

    with pytest.raises(OSError, match="No space left"):
        registry.publish("m", network(), manifest())

    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
    assert list((tmp_path / "models/m/.staging").iterdir()) == []


def test_processes_that_publish_at_once_each_get_their_own_numbers(tmp_path):
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(publish_many, [tmp_path] * 4, [15] * 4))

    numbers = sorted(number for part in parts for number in part)
    assert numbers == list(range(1, 61)) == Registry(tmp_path).versions("m")
    assert os.listdir(tmp_path / "models/m/.staging") == []


def test_same_weights_are_the_same_bytes(registry):
    for _ in range(2):
        registry.publish("m", network(7), manifest())

    one, two = (registry.manifest("m", n).weights_sha256 for n in (1, 2))
    assert one == two


@pytest.mark.parametrize("at", [0, 40, -1])
def test_one_flipped_byte_in_the_weights_is_found(registry, tmp_path, at):
    registry.publish("m", network(), manifest())
    path = tmp_path / "models/m/versions/1/weights.safetensors"
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)

    with pytest.raises(CorruptVersionError, match="SHA-256"):
        registry.load("m", 1)


def change_manifest(folder, **changed):
    """Let a manifest say something else, and be as it was published all the same."""
    path = folder / "manifest.json"
    values = json.loads(path.read_text()) | changed
    path.write_text(json.dumps(values | {"manifest_sha256": digest(values)}))


def spoil_weights(folder):
    """Put NaN into the weights, and their hash into the manifest."""
    spoilt = network()
    spoilt.params[3] = np.nan
    content = encode_weights(spoilt.to_tensors())
    (folder / "weights.safetensors").write_bytes(content)
    change_manifest(folder, weights_sha256=hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda f: (f / "manifest.json").write_text("{"), "manifest.json cannot be read"),
        (lambda f: (f / "manifest.json").unlink(), "manifest.json cannot be read"),
        (lambda f: (f / "weights.safetensors").unlink(), "weights.safetensors is missing"),
        (lambda f: change_manifest(f, schema=99), "schema 99; this program reads 1"),
        (lambda f: change_manifest(f, colour="red"), "Unknown key 'colour'"),
        (lambda f: change_manifest(f, pixel_scaling={"factor": 1}), "Unknown key 'factor'"),
        (lambda f: change_manifest(f, pixel_scaling={"scale": 1e300}), "/pixel_scaling/scale"),
        (lambda f: change_manifest(f, pixel_scaling=None), "/pixel_scaling: Expected an object"),
        (lambda f: change_manifest(f, loss={"type": "hinge"}), "Unknown loss 'hinge'"),
        (lambda f: change_manifest(f, labels=None), "/labels: Expected a list"),
        (lambda f: change_manifest(f, labels=["no"]), "names 1 labels; the network gives"),
        (lambda f: change_manifest(f, labels=[1, 2]), "/labels/0: Expected a text"),
        (lambda f: change_manifest(f, layers=None), "/layers: Expected a list"),
        (lambda f: change_manifest(f, layers=[{"type": "dense", "units": 10**400}]), "/units"),
        (lambda f: change_manifest(f, input_shape=["4"]), "/input_shape/0: Expected a whole"),
        (lambda f: change_manifest(f, input_shape=[-1]), "do not fit"),
        (lambda f: change_manifest(f, input_shape=[10**12]), "do not fit"),
        (lambda f: change_manifest(f, metrics=[]), "/metrics: Expected an object"),
        (lambda f: (f / "manifest.json").write_text("[" * 100_000), "manifest.json cannot be read"),
        (lambda f: spoil_weights(f), "holds NaN or Infinity"),
        (lambda f: change_manifest(f, layers=[{"type": "gru"}]), "Unknown layer 'gru'"),
        (lambda f: change_manifest(f, input_shape=[5]), "does not fit the layers"),
    ],
)
def test_a_damaged_version_is_refused_with_its_reason(registry, tmp_path, harm, words):
    registry.publish("m", network(), manifest())
    harm(tmp_path / "models/m/versions/1")

    with pytest.raises(CorruptVersionError, match=words):
        registry.load("m", 1)


@pytest.mark.parametrize(
    ("model", "reference", "words"),
    [
        ("m", "3", "'m' has no version 3. It has: 1"),
        ("m", "canary", "no version or alias 'canary'. It has: live, 1"),
        ("m", "../live", "no version or alias"),
        ("m", "0", "no version or alias '0'"),
        ("other", "1", "no model 'other'. There is: m"),
        ("../m", "1", "cannot name a model"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(registry, model, reference, words):
    registry.publish("m", network(), manifest())
    registry.promote("m", 1)

    with pytest.raises(NotFoundError) as caught:
        registry.resolve(model, reference)

    assert words in str(caught.value)


def test_delete_refuses_a_version_that_an_alias_names(registry):
    registry.publish("m", network(), manifest())
    registry.promote("m", 1, alias="champion")

    with pytest.raises(VersionInUseError, match="named by: champion"):
        registry.delete("m", 1)

    assert registry.versions("m") == [1]


def publish_accuracies(registry, *accuracies):
    for accuracy in accuracies:
        registry.publish("m", network(), manifest(metrics={"test_accuracy": accuracy}))


def test_prune_keeps_the_last_the_best_and_what_an_alias_names(registry, tmp_path):
    publish_accuracies(registry, 0.5, 0.9, 0.7, 0.9, 0.1, 0.2, 0.3)
    registry.promote("m", 1, alias="champion")
    registry.promote("m", 5)
    registry.promote("m", 6)

    assert registry.prune("m", last=1, best=1) == [2, 3]

    # The alias, the newer of the two best, what was live before, what is live, the last.
    assert registry.versions("m") == [1, 4, 5, 6, 7]
    assert sorted(os.listdir(tmp_path / "models/m/versions")) == ["1", "4", "5", "6", "7"]
    assert os.listdir(tmp_path / "models/m/.staging") == []


@pytest.mark.parametrize(
    ("last", "best", "kept"),
    [(2, 0, [3, 4]), (1, 2, [1, 2, 4]), (9, 9, [1, 2, 3, 4]), (0, 0, [4]), (1, 0, [4])],
)
def test_prune_keeps_as_many_as_it_is_told(registry, last, best, kept):
    publish_accuracies(registry, 0.9, 0.8, 0.1, 0.2)

    registry.prune("m", last=last, best=best)

    assert registry.versions("m") == kept


def test_prune_takes_a_version_that_tells_no_accuracy_for_the_worst(registry, tmp_path):
    publish_accuracies(registry, 0.1, 0.2, 0.3)
    registry.publish("m", network(), manifest(metrics={}))
    registry.publish("m", network(), manifest())
    (tmp_path / "models/m/versions/2/manifest.json").write_text("{")

    assert registry.prune("m", last=1, best=3) == [2, 4]


def test_a_version_that_an_alias_was_pointed_at_meanwhile_stays(registry, monkeypatch):
    publish_accuracies(registry, 0.1, 0.2, 0.3)
    delete = registry.delete

    def promoted_meanwhile(model, version):
        monkeypatch.setattr(registry, "delete", delete)
        registry.promote(model, 1)
        registry.delete(model, version)

    monkeypatch.setattr(registry, "delete", promoted_meanwhile)

    assert registry.prune("m", last=1) == [2]
    assert registry.versions("m") == [1, 3]


def test_a_version_that_was_deleted_meanwhile_is_not_promoted(registry, monkeypatch):
    publish_accuracies(registry, 0.1, 0.2)
    load = registry.load

    def deleted_meanwhile(model, version):
        loaded = load(model, version)
        registry.delete(model, version)
        return loaded

    monkeypatch.setattr(registry, "load", deleted_meanwhile)
    with pytest.raises(NotFoundError, match="has no version 1"):
        registry.promote("m", 1)

    assert registry.aliases("m").all() == {}


def test_no_number_is_given_twice_also_where_the_newest_or_all_were_deleted(registry):
    publish_accuracies(registry, 0.1, 0.2, 0.3)
    registry.delete("m", 3)
    publish_accuracies(registry, 0.4)
    for version in (1, 2, 4):
        registry.delete("m", version)
    assert registry.models() == []

    publish_accuracies(registry, 0.5)

    assert registry.versions("m") == [5]


@pytest.mark.parametrize("note", [None, b"", b"one", b"2\n", b"-5"])
def test_the_next_number_is_found_also_where_the_note_of_it_is_old_or_gone(
    registry, tmp_path, note
):
    publish_accuracies(registry, *[0.1] * 4)
    (tmp_path / "models/m/.latest").unlink()
    if note is not None:
        (tmp_path / "models/m/.latest").write_bytes(note)

    assert registry.newest("m", 2) == [4, 3]
    assert registry.publish("m", network(), manifest()) == 5


def test_an_old_note_does_not_hide_what_is_beyond_a_deleted_version(registry, tmp_path):
    publish_accuracies(registry, *[0.1] * 4)
    (tmp_path / "models/m/.latest").write_text("2")  # as where the disk was full since
    registry.delete("m", 3)

    assert registry.newest("m", 9) == [4, 2, 1]
    assert registry.publish("m", network(), manifest()) == 5


def test_a_number_that_is_taken_by_something_else_is_passed_over(registry, tmp_path):
    publish_accuracies(registry, 0.1)
    (tmp_path / "models/m/versions/2").write_text("a file")

    assert registry.publish("m", network(), manifest()) == 3
    assert registry.newest("m", 5) == [3, 1]


@pytest.mark.parametrize(
    ("limit", "below", "page"),
    [
        (3, None, [7, 6, 4]),
        (9, None, [7, 6, 4, 1]),
        (2, 6, [4, 1]),
        (5, 1, []),
        (5, 99, [7, 6, 4, 1]),
    ],
)
def test_the_newest_versions_come_in_pages(registry, limit, below, page):
    publish_accuracies(registry, *[0.1] * 7)
    for version in (2, 3, 5):
        registry.delete("m", version)

    assert registry.newest("m", limit, below) == page


def test_the_newest_versions_are_found_across_a_wide_gap(registry, tmp_path):
    publish_accuracies(registry, 0.1, 0.2)
    folder = tmp_path / "models/m"
    (folder / "versions/2").rename(folder / "versions/5000")
    (folder / ".latest").write_text("7000")

    assert registry.newest("m", 5) == [5000, 1]
    assert registry.newest("m", 1, below=5000) == [1]


def test_foreign_things_in_the_folders_are_no_versions_and_no_models(registry, tmp_path):
    registry.publish("m", network(), manifest())
    (tmp_path / "models/m/versions/notes").mkdir()
    (tmp_path / "models/m/versions/007").mkdir()
    (tmp_path / "models/empty").mkdir()
    (tmp_path / "models/.DS_Store").touch()

    assert registry.models() == ["m"]
    assert registry.versions("m") == [1]


def test_a_damaged_version_is_not_promoted(registry, tmp_path):
    for _ in range(2):
        registry.publish("m", network(), manifest())
    registry.promote("m", 1)
    (tmp_path / "models/m/versions/2/weights.safetensors").write_bytes(b"")

    with pytest.raises(CorruptVersionError):
        registry.promote("m", 2)

    assert registry.aliases("m").all() == {"live": 1}
