"""What is exported, as the ONNX project's own checker and runtime and NumPy see it."""

import io
import json

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from nncore.classifier import Classifier
from nncore.errors import ShapeError
from nncore.export import to_npz, to_onnx
from nncore.idx import read_idx
from nncore.layers import (
    GELU,
    LAYERS,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Layer,
    Linear,
    MaxPool2D,
    ReLU,
)
from nncore.losses import LOSSES, Loss, SoftmaxCrossEntropy
from nncore.network import Network
from nncore.recipe import Recipe
from nncore.scaling import PixelScaler
from nncore.training import Examples, fit
from tests.nncore.layer_examples import first, flat, inside, shape_for

onnx = pytest.importorskip("onnx", reason="ONNX is not installed (make peers)")
onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX is not installed (make peers)")

CLASSES = 4
ROWS = 50
SOFTMAX = SoftmaxCrossEntropy()
# Every loss, with as many outputs as classes, and with one where it takes that.
OUTPUTS = [(name, k) for name in LOSSES for k in (CLASSES, *LOSSES[name]().outputs(2)) if k != 2]


def network_of(layers, input_shape=(9,)):
    """Return a network with parameters and state all over the place."""
    rng = np.random.default_rng(1)
    network = Network(layers, input_shape)
    network.init(rng)
    network.params += (0.3 * rng.standard_normal(network.params.shape)).astype(np.float32)
    network.state += rng.random(network.state.shape).astype(np.float32)
    return network


def images(input_shape=(9,)):
    return np.random.default_rng(2).integers(0, 256, (ROWS, *input_shape)).astype(np.float32)


def session(content):
    """Open a model as a person would, after the checker has looked at all of it."""
    onnx.checker.check_model(content, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def assert_answers_alike(network, scaler, loss, pixels):
    """Compare what the exported model and our classifier answer for the same pixels."""
    content = to_onnx(network, scaler, loss, {})

    probabilities, label = session(content).run(["probabilities", "label"], {"images": pixels})

    expected = Classifier(network, scaler, loss).probabilities(pixels)
    assert (probabilities.dtype, label.dtype) == (np.float32, np.int64)
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    np.testing.assert_array_equal(label, expected.argmax(axis=1))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(("loss", "outputs"), OUTPUTS)
def test_every_layer_with_every_loss_answers_in_onnxruntime_as_here(layer, loss, outputs):
    network = network_of(inside(layer, outputs))

    assert_answers_alike(network, PixelScaler(), LOSSES[loss](), images())


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_answers_alike_at_the_pixels(layer):
    shape = shape_for(layer)
    network = network_of(first(layer, CLASSES), shape)

    assert_answers_alike(network, PixelScaler(), SOFTMAX, images(shape))


@pytest.mark.parametrize(("loss", "outputs"), OUTPUTS)
def test_outputs_far_from_0_become_the_same_probabilities(loss, outputs):
    rng = np.random.default_rng(0)
    logits = np.vstack([rng.uniform(-100, 100, (ROWS, outputs)), [[-1e4] * outputs]])
    network = Network([Linear()], (outputs,))

    content = to_onnx(network, PixelScaler(scale=1.0), LOSSES[loss](), {})

    logits = logits.astype(np.float32)
    (p,) = session(content).run(["probabilities"], {"images": logits})
    np.testing.assert_allclose(p, LOSSES[loss]().probabilities(logits), atol=1e-5)


@pytest.mark.parametrize("layer", [Dense(CLASSES, bias=False), LAYERS["leaky_relu"](slope=0)])
@pytest.mark.parametrize("scaler", [PixelScaler(), PixelScaler(scale=1 / 128, offset=-1.0)])
def test_hyperparameters_and_scaling_are_inside_the_model(layer, scaler):
    network = network_of([layer, Dense(CLASSES)])

    assert_answers_alike(network, scaler, SOFTMAX, images())


def test_batch_norm_stays_exact_where_the_mean_is_large():
    network = network_of([BatchNorm(), Dense(CLASSES)])
    params = {name: param for name, param, _ in network.named_params()}
    params["1.W"] *= 3
    network.state[:9], network.state[9:] = 200, 1e-2
    pixels = 200 + np.random.default_rng(0).uniform(-0.2, 0.2, (ROWS, 9)).astype(np.float32)

    assert_answers_alike(network, PixelScaler(scale=1.0), SOFTMAX, pixels)


def test_windows_and_channels_are_inside_the_model():
    layers = [
        Conv2D(3, (3, 2), stride=(2, 1), padding=(1, 2), bias=False),
        BatchNorm(),
        MaxPool2D(3, stride=2, padding=1),
        AveragePool2D((1, 2), stride=1, padding=(0, 1)),
    ]
    network = network_of(flat(layers, (2, 9, 8), CLASSES), (2, 9, 8))

    assert_answers_alike(network, PixelScaler(), SOFTMAX, images((2, 9, 8)))


def test_gelu_stays_finite_at_ten_thousand():
    model = session(to_onnx(Network([GELU()], (3,)), PixelScaler(scale=1.0), SOFTMAX, {}))

    (p,) = model.run(["probabilities"], {"images": np.array([[-1e4, 0, 1e4]], np.float32)})

    np.testing.assert_array_equal(p, [[0, 0, 1]])


@pytest.mark.mnist
def test_ten_thousand_mnist_images_get_the_same_labels_in_onnxruntime(mnist_dir, mnist_test):
    train = Examples(
        read_idx(mnist_dir / "train-images-idx3-ubyte.gz")[:20_000].reshape(-1, 784),
        read_idx(mnist_dir / "train-labels-idx1-ubyte.gz")[:20_000].astype(np.int64),
    )
    nothing = Examples(train.pixels[:0], train.labels[:0])
    layers = [Dense(128), BatchNorm(), ReLU(), LAYERS["dropout"](0.1), Dense(64), GELU(), Dense(10)]
    network, scaler, rng = Network(layers, (784,)), PixelScaler(), np.random.default_rng(0)
    network.init(rng)
    with threadpool_limits(1, "blas"):  # two threads wait for each other where cores are few
        fit(network, train, nothing, Recipe(epochs=2), rng=rng, scaler=scaler)

    pixels = mnist_test.pixels.astype(np.float32)
    assert_answers_alike(network, scaler, SOFTMAX, pixels)
    label = Classifier(network, scaler, SOFTMAX).predict(pixels)
    assert (label == mnist_test.labels).mean() > 0.9


def test_a_model_says_what_goes_in_and_what_comes_out_for_any_number_of_rows():
    network = network_of([Dense(7), ReLU(), Dense(CLASSES)])
    model = session(to_onnx(network, PixelScaler(), SOFTMAX, {"labels": '["ä", "b"]'}))

    described = [(v.name, v.type, v.shape) for v in (*model.get_inputs(), *model.get_outputs())]

    assert described == [
        ("images", "tensor(float)", ["N", 9]),
        ("probabilities", "tensor(float)", ["N", CLASSES]),
        ("label", "tensor(int64)", ["N"]),
    ]
    assert model.get_modelmeta().custom_metadata_map == {"labels": '["ä", "b"]'}
    for rows in (0, 1, 3000):
        (label,) = model.run(["label"], {"images": np.zeros((rows, 9), np.float32)})
        assert label.shape == (rows,)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_model_has_the_bytes_that_the_onnx_package_writes_for_it(layer, loss):
    network = network_of(inside(layer, CLASSES))

    content = to_onnx(network, PixelScaler(offset=-0.5), LOSSES[loss](), {"manifest": "{}"})

    assert onnx.load_from_string(content).SerializeToString() == content


def test_a_model_has_the_tensors_under_pytorchs_names():
    network = network_of([Dense(300), BatchNorm(), Dense(CLASSES)])

    model = onnx.load_from_string(to_onnx(network, PixelScaler(), SOFTMAX, {}))

    saved = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    for name, tensor in network.to_tensors().items():
        np.testing.assert_array_equal(saved[name], tensor)


def test_what_has_no_onnx_form_is_refused_by_its_name():
    class Swish(Layer):
        pass

    class Hinge(Loss):
        pass

    for layers, loss in ([[Swish()], SOFTMAX], [[Linear()], Hinge()]):
        with pytest.raises(NotImplementedError, match=r"(Swish|Hinge) has no ONNX form"):
            to_onnx(Network(layers, (3,)), PixelScaler(), loss, {})


def test_a_layer_that_computes_otherwise_than_the_one_it_derives_from_is_refused():
    class Half(ReLU):
        pass

    with pytest.raises(NotImplementedError, match="Half"):
        to_onnx(Network([Half()], (3,)), PixelScaler(), SOFTMAX, {})


def test_outputs_that_are_not_flat_are_refused():
    with pytest.raises(ShapeError, match=r"flat outputs; the network's are \(28, 28\)"):
        to_onnx(Network([ReLU()], (28, 28)), PixelScaler(), SOFTMAX, {})


def test_an_npz_has_the_arrays_and_the_texts_without_a_pickle():
    network = network_of([Dense(7), BatchNorm(), Dense(CLASSES)])

    with np.load(io.BytesIO(to_npz(network, {"manifest": '{"seed": 3}'})), allow_pickle=False) as f:
        manifest = json.loads(str(f["manifest"]))
        arrays = {name: f[name] for name in f.files if name != "manifest"}

    assert manifest == {"seed": 3}
    other = Network(network.layers, network.input_shape)
    other.from_tensors(arrays)
    np.testing.assert_array_equal(other.params, network.params)
    np.testing.assert_array_equal(other.state, network.state)


def test_the_same_network_gives_the_same_bytes():
    first, second = (network_of([Dense(7), BatchNorm(), Dense(CLASSES)]) for _ in range(2))

    assert to_npz(first, {"a": "b"}) == to_npz(second, {"a": "b"})
    assert to_onnx(first, PixelScaler(), SOFTMAX, {}) == to_onnx(second, PixelScaler(), SOFTMAX, {})
