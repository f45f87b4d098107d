"""PyTorch beside ours: the same files, the same answers, the same gradients."""

import numpy as np
import pytest

from nncore.errors import ShapeError
from nncore.layers import GELU, LAYERS, BatchNorm, Conv2D, Dense, MaxPool2D
from nncore.losses import LOSSES, SoftmaxCrossEntropy
from nncore.network import Network
from nncore.weights import decode_weights, encode_weights
from tests.conftest import publish
from tests.nncore.layer_examples import (
    REQUIRED,
    ROW,
    SIZES,
    WINDOWED,
    WINDOWS,
    example,
    flat,
    inside,
    shape_for,
    windowed,
)

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make peers)")
from safetensors.torch import load, load_file, save  # noqa: E402 - it imports torch
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812 - as everybody names it

CLASSES = 4
ROWS = 6
INPUTS = 9
# float32 on both sides.
CLOSE = {"rtol": 1e-5, "atol": 1e-5}

# PyTorch's module for a layer that takes rows of `shape`.
PEERS = {
    "average_pool2d": lambda layer, shape: nn.AvgPool2d(
        layer.kernel_size, layer.stride, layer.padding
    ),
    "batch_norm": lambda layer, shape: (nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d)(
        shape[0], layer.epsilon, layer.momentum
    ),
    "conv2d": lambda layer, shape: nn.Conv2d(
        shape[0], layer.filters, layer.kernel_size, layer.stride, layer.padding, bias=layer.bias
    ),
    "dense": lambda layer, shape: nn.Linear(*shape, layer.units, bias=layer.bias),
    "dropout": lambda layer, shape: nn.Dropout(layer.rate),
    "flatten": lambda layer, shape: nn.Flatten(),
    "gelu": lambda layer, shape: nn.GELU(approximate="tanh"),
    "leaky_relu": lambda layer, shape: nn.LeakyReLU(layer.slope),
    "linear": lambda layer, shape: nn.Identity(),
    "max_pool2d": lambda layer, shape: nn.MaxPool2d(layer.kernel_size, layer.stride, layer.padding),
    "relu": lambda layer, shape: nn.ReLU(),
    "reshape": lambda layer, shape: nn.Unflatten(1, layer.shape),
    "sigmoid": lambda layer, shape: nn.Sigmoid(),
    "softplus": lambda layer, shape: nn.Softplus(),
    "tanh": lambda layer, shape: nn.Tanh(),
}


def one_hot(logits, labels):
    wide = logits.shape[1] > 1
    return F.one_hot(labels, logits.shape[1]).float() if wide else labels[:, None].float()


LOSS_PEERS = {
    "mean_squared_error": lambda z, t: F.mse_loss(z, one_hot(z, t)),
    "sigmoid_cross_entropy": lambda z, t: (
        F.binary_cross_entropy_with_logits(z, one_hot(z, t), reduction="sum") / len(z)
    ),
    "softmax_cross_entropy": F.cross_entropy,
    "sum_of_squares": lambda z, t: F.mse_loss(z, one_hot(z, t), reduction="sum") / (2 * len(z)),
}
# Every loss, with as many outputs as classes, and with one where it takes that.
OUTPUTS = [(name, k) for name in LOSSES for k in (CLASSES, *LOSSES[name]().outputs(2)) if k != 2]
ONE_OF_EACH = [
    Dense(20),
    Dense(12, bias=False),
    *(example(name) for name in LAYERS if shape_for(name) == ROW and name not in REQUIRED),
    Dense(CLASSES),
]


def peer_of(layers, shape=(INPUTS,)):
    """Return PyTorch's network of the same layers."""
    names = {cls: name for name, cls in LAYERS.items()}
    modules = []
    for layer in layers:
        modules.append(PEERS[names[type(layer)]](layer, shape))
        shape = layer.output_shape(shape)
    return nn.Sequential(*modules)


def network_of(layers, shape=(INPUTS,)):
    """Return a network with parameters and state all over the place."""
    rng = np.random.default_rng(1)
    network = Network(layers, shape)
    network.init(rng)
    network.params += (0.1 * rng.standard_normal(network.params.shape)).astype(np.float32)
    network.state += rng.random(network.state.shape).astype(np.float32)
    return network


def batch(classes=CLASSES, shape=(INPUTS,)):
    rng = np.random.default_rng(2)
    x = rng.standard_normal((ROWS, *shape)).astype(np.float32)
    return x, rng.integers(0, max(classes, 2), ROWS)


def both(layers, shape=(INPUTS,)):
    """Return our network and PyTorch's, which took our weights' file as it is."""
    network, peer = network_of(layers, shape), peer_of(layers, shape)
    peer.load_state_dict(load(encode_weights(network.to_tensors())), strict=True)
    return network, peer


def logits_of(peer, x):
    with torch.no_grad():
        return peer.eval()(torch.from_numpy(x)).numpy()


@pytest.mark.parametrize("name", LAYERS)
def test_weights_of_every_layer_load_into_pytorch_and_answer_alike(name):
    network, peer = both(inside(name, CLASSES))

    np.testing.assert_allclose(logits_of(peer, batch()[0]), network.logits(batch()[0]), **CLOSE)


def test_weights_of_all_layers_in_one_network_load_into_pytorch_and_answer_alike():
    network, peer = both(ONE_OF_EACH)

    np.testing.assert_allclose(logits_of(peer, batch()[0]), network.logits(batch()[0]), **CLOSE)


def test_a_published_file_loads_into_pytorch_as_it_is(registry, tmp_path, pixels):
    number = publish(registry)
    network = registry.load("digits", number).network
    peer = peer_of(network.layers, (784,))

    path = tmp_path / f"store/models/digits/versions/{number}/weights.safetensors"
    peer.load_state_dict(load_file(path), strict=True)

    x = pixels.astype(np.float32) / 255
    np.testing.assert_allclose(logits_of(peer, x), network.logits(x), **CLOSE)


@pytest.mark.parametrize("name", LAYERS)
def test_what_pytorch_saved_loads_here_and_answers_alike(name):
    layers = inside(name, CLASSES)
    peer, network = peer_of(layers), Network(layers, (INPUTS,))
    peer.train()(3 * torch.randn(40, INPUTS) + 1)  # moves the running statistics

    network.from_tensors(decode_weights(save(peer.state_dict())))

    np.testing.assert_allclose(logits_of(peer, batch()[0]), network.logits(batch()[0]), **CLOSE)


def test_the_number_of_batches_that_pytorch_counts_is_let_pass_where_it_belongs_only():
    network = network_of([Dense(INPUTS), BatchNorm()])
    tensors = network.to_tensors()
    count = np.array(3)

    network.from_tensors(tensors | {"1.num_batches_tracked": count})

    with pytest.raises(ShapeError, match=r"'0\.num_batches_tracked': expected shape none"):
        network.from_tensors(tensors | {"0.num_batches_tracked": count})


def assert_step_alike(network, peer, loss, peer_loss, forward, classes=CLASSES):
    """Compare outputs, loss, and every gradient, the input's too, of one forward and backward."""
    x, labels = batch(classes, network.input_shape)
    theirs = torch.from_numpy(x.copy()).requires_grad_()

    logits, tape = forward(network, x)
    value, dlogits = loss(logits, labels)
    dx = network.backward(tape, dlogits, input_grad=True)
    peer_logits = peer(theirs)
    peer_value = peer_loss(peer_logits, torch.from_numpy(labels))
    peer_value.backward()

    np.testing.assert_allclose(logits, peer_logits.detach().numpy(), **CLOSE)
    assert value == pytest.approx(peer_value.item(), rel=1e-5)
    np.testing.assert_allclose(dx, theirs.grad.numpy(), **CLOSE)
    wanted = {name: param.grad.numpy() for name, param in peer.named_parameters()}
    for name, gradient in gradients_of(network).items():
        np.testing.assert_allclose(gradient, wanted[name], **CLOSE, err_msg=name)


def gradients_of(network):
    """Return the gradients under PyTorch's names and in its layout."""
    names = {"W": "weight", "b": "bias", "gamma": "weight", "beta": "bias"}
    gradients = {}
    for place, _, gradient in network.named_params():
        layer, _, name = place.partition(".")
        if name == "W":  # units, or filters, first
            gradient = np.moveaxis(gradient, -1, 0)
        gradients[f"{layer}.{names[name]}"] = gradient
    return gradients


@pytest.mark.parametrize("layer", LAYERS)
def test_a_step_through_every_layer_as_in_serving_has_pytorchs_gradients(layer):
    network, peer = both(inside(layer, CLASSES))

    assert_step_alike(network, peer.eval(), SoftmaxCrossEntropy(), F.cross_entropy, Network.forward)


# Dropout in training is random, on either side in its own way.
@pytest.mark.parametrize("layer", sorted(set(LAYERS) - {"dropout"}))
def test_a_step_through_every_layer_as_in_training_has_pytorchs_gradients(layer):
    network, peer = both(inside(layer, CLASSES))

    def forward(network, x):
        return network.forward_train(x, np.random.default_rng(0))

    assert_step_alike(network, peer.train(), SoftmaxCrossEntropy(), F.cross_entropy, forward)
    kept = {name: tensor.numpy() for name, tensor in peer.state_dict().items()}
    for name, tensor in network.to_tensors().items():
        np.testing.assert_allclose(tensor, kept[name], **CLOSE, err_msg=name)


@pytest.mark.parametrize(("loss", "outputs"), OUTPUTS)
def test_a_step_with_every_loss_has_pytorchs_value_and_gradients(loss, outputs):
    network, peer = both([Dense(7), GELU(), Dense(outputs)])

    assert_step_alike(network, peer, LOSSES[loss](), LOSS_PEERS[loss], Network.forward, outputs)


def test_label_smoothing_is_pytorchs():
    network, peer = both([Dense(CLASSES)])

    def smoothed(logits, labels):
        return F.cross_entropy(logits, labels, label_smoothing=0.2)

    assert_step_alike(network, peer, SoftmaxCrossEntropy(0.2), smoothed, Network.forward)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("windows", WINDOWS, ids=str)
@pytest.mark.parametrize("kind", WINDOWED)
def test_any_window_over_pictures_of_any_size_has_pytorchs_answers_and_gradients(
    kind, windows, size
):
    shape = (3, *size)
    network, peer = both(flat([windowed(kind, windows), GELU()], shape, CLASSES), shape)

    assert_step_alike(network, peer, SoftmaxCrossEntropy(), F.cross_entropy, Network.forward)


def test_of_equal_numbers_in_a_window_the_first_gets_the_gradient_as_in_pytorch():
    x = np.random.default_rng(0).integers(0, 2, (ROWS, 2, 6, 6)).astype(np.float32)
    theirs = torch.from_numpy(x.copy()).requires_grad_()
    layer = MaxPool2D(3, stride=1)

    y, cache = layer.forward({}, x)
    dx = layer.backward({}, {}, cache, y + 1)
    peer = F.max_pool2d(theirs, 3, stride=1)
    peer.backward(peer.detach() + 1)

    np.testing.assert_array_equal(dx, theirs.grad.numpy())


def test_batch_norm_of_pictures_is_pytorchs_in_training():
    shape = (3, 5, 4)
    network, peer = both(flat([Conv2D(4, 3), BatchNorm(), GELU()], shape, CLASSES), shape)

    def forward(network, x):
        return network.forward_train(x, np.random.default_rng(0))

    assert_step_alike(network, peer.train(), SoftmaxCrossEntropy(), F.cross_entropy, forward)
