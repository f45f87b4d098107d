import numpy as np
import pytest

from nncore.classifier import Classifier
from nncore.errors import CorruptVersionError
from nncore.golden import ROWS, TOLERANCE, Golden
from nncore.layers import Dense, Tanh
from nncore.losses import SoftmaxCrossEntropy
from nncore.network import Network
from nncore.scaling import PixelScaler
from tests.conftest import publish


def classifier(seed=0, inputs=6, classes=3):
    network = Network([Dense(5), Tanh(), Dense(classes)], (inputs,))
    network.init(np.random.default_rng(seed))
    return Classifier(network, PixelScaler(), SoftmaxCrossEntropy())


def images(rows=100):
    return np.random.default_rng(1).integers(0, 256, (rows, 6)).astype(np.uint8)


@pytest.mark.parametrize(("rows", "kept"), [(100, ROWS), (ROWS, ROWS), (4, 4), (1, 1)])
def test_they_are_spread_over_the_images_from_the_first_to_the_last(rows, kept):
    pixels = images(rows)

    golden = Golden.of(classifier(), pixels)

    assert len(golden.inputs) == kept == len(golden.probabilities)
    np.testing.assert_array_equal(golden.inputs[0], pixels[0])
    np.testing.assert_array_equal(golden.inputs[-1], pixels[-1])
    assert len(np.unique(golden.inputs, axis=0)) == kept


def test_they_come_back_from_their_file_to_the_bit():
    golden = Golden.of(classifier(), images())

    again = Golden.decode(golden.encode())

    assert (again.inputs.dtype, again.probabilities.dtype) == (np.uint8, np.float32)
    np.testing.assert_array_equal(again.inputs, golden.inputs)
    np.testing.assert_array_equal(again.probabilities, golden.probabilities)


def test_who_answers_as_was_measured_passes_also_with_another_rounding():
    golden = Golden.of(classifier(), images())
    rounding = np.random.default_rng(2).uniform(-TOLERANCE, TOLERANCE, golden.probabilities.shape)

    golden.check(classifier())
    golden._replace(probabilities=golden.probabilities + rounding * 0.9).check(classifier())


def test_who_answers_otherwise_is_told_by_how_much():
    golden = Golden.of(classifier(), images())
    changed = golden.probabilities.copy()
    changed[3] += 2 * TOLERANCE

    with pytest.raises(CorruptVersionError, match=r"1 of 32 golden .* by up to 0\.0002\."):
        golden._replace(probabilities=changed).check(classifier())
    with pytest.raises(CorruptVersionError, match="32 of 32 golden"):
        golden.check(classifier(seed=1))
    with pytest.raises(CorruptVersionError, match="by up to nan"):
        golden._replace(probabilities=changed * np.float32(np.nan)).check(classifier())


def test_golden_vectors_of_another_network_are_told():
    golden = Golden.of(classifier(), images())

    with pytest.raises(CorruptVersionError, match=r"have shape \(6,\); the network takes \(7,\)"):
        golden.check(classifier(inputs=7))
    with pytest.raises(CorruptVersionError, match=r"\(32, 3\); the network gives \(32, 4\)"):
        golden.check(classifier(classes=4))


def test_a_version_that_answers_otherwise_than_when_it_was_made_is_refused(registry, monkeypatch):
    """As where another library computes otherwise: each file is as it was published."""
    publish(registry)
    answers = Classifier.probabilities
    monkeypatch.setattr(
        Classifier, "probabilities", lambda self, pixels: answers(self, pixels)[:, ::-1]
    )

    with pytest.raises(CorruptVersionError, match="answers otherwise than when it was made"):
        registry.load("digits", 1)


@pytest.mark.parametrize("name", ["weights.safetensors", "golden.safetensors", "manifest.json"])
def test_one_byte_flipped_in_any_file_of_a_version_is_found(registry, tmp_path, name):
    publish(registry)
    path = tmp_path / "store/models/digits/versions/1" / name
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    places = sorted({0, len(content) - 1, *rng.integers(0, len(content), 60).tolist()})

    for place in places:
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        with pytest.raises(CorruptVersionError):
            registry.load("digits", 1)
    path.write_bytes(content)

    assert registry.load("digits", 1).number == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"9"\n', '"8"\n'),
        ('"test_accuracy": 0.1', '"test_accuracy": 0.9'),
        ('"seed": 0', '"seed": 1'),
    ],
)
def test_a_manifest_that_says_something_else_than_when_it_was_published_is_refused(
    registry, tmp_path, old, new
):
    publish(registry)
    path = tmp_path / "store/models/digits/versions/1/manifest.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))

    with pytest.raises(CorruptVersionError, match=r"manifest\.json is not as it was published"):
        registry.load("digits", 1)


def test_missing_golden_vectors_are_told(registry, tmp_path):
    publish(registry)
    (tmp_path / "store/models/digits/versions/1/golden.safetensors").unlink()

    with pytest.raises(CorruptVersionError, match=r"golden\.safetensors is missing"):
        registry.load("digits", 1)


def test_a_version_of_before_there_were_golden_vectors_is_loaded(registry, tmp_path):
    publish(registry)
    manifest = registry.manifest("digits", 1)
    network = registry.load("digits", 1).network
    registry.publish("digits", network, manifest)
    path = tmp_path / "store/models/digits/versions/2/manifest.json"
    lines = [line for line in path.read_text().splitlines() if '"manifest_sha256"' not in line]
    path.write_text("\n".join(line for line in lines if '"golden_sha256"' not in line))

    loaded = registry.load("digits", 2)

    assert loaded.manifest.golden_sha256 == loaded.manifest.manifest_sha256 == ""
    np.testing.assert_array_equal(loaded.network.params, network.params)
