"""Versions in formats of others: ONNX, which needs no Inkwell to answer, and NumPy's npz.

Layers and losses are spelled out of ONNX's operators here; `onnx_messages` writes the file.
"""

import io
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nncore.arrays import Floats, Shape
from nncore.errors import ShapeError
from nncore.layers import (
    GELU,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    Linear,
    MaxPool2D,
    ReLU,
    Reshape,
    Sigmoid,
    Softplus,
    Tanh,
)
from nncore.layers.pooling import Pool2D
from nncore.losses import (
    Loss,
    MeanSquaredError,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SumOfSquares,
)
from nncore.network import Network
from nncore.onnx_messages import Attribute, encode_model, encode_node, encode_value
from nncore.scaling import PixelScaler


def to_npz(network: Network, metadata: Mapping[str, str]) -> bytes:
    """Return the network's arrays as an ``.npz`` file. Same network, same bytes.

    Parameters
    ----------
    network : Network
    metadata : mapping of str to str
        Saved beside the arrays: each text as an array of no dimensions, by its name.

    Returns
    -------
    content : bytes
        For `numpy.load`, which needs no pickles for it. The float32 arrays have the names and the
        layout of PyTorch's ``nn.Sequential``: ``"0.weight"`` of shape (units, inputs).
    """
    arrays: dict[str, Any] = network.to_tensors()
    texts = {name: np.array(text) for name, text in metadata.items()}
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays, **texts)
    return file.getvalue()


def to_onnx(
    network: Network, scaler: PixelScaler, loss: Loss, metadata: Mapping[str, str]
) -> bytes:
    """Return an ONNX model that answers as `Classifier` does. Same arguments, same bytes.

    It takes ``images``, float32 (N, *input_shape), pixels 0-255: the scaling is inside. It gives
    ``probabilities``, float32 (N, classes), and ``label``, int64 (N,), the most probable class.

    Parameters
    ----------
    network : Network
        Trained; its outputs are flat.
    scaler : PixelScaler
        The scaling of the training.
    loss : Loss
        Knows how outputs become probabilities.
    metadata : mapping of str to str
        Saved in the model's ``metadata_props``.

    Raises
    ------
    ShapeError
        If the network's outputs are not flat.
    NotImplementedError
        If a layer or the loss has no ONNX form in this file.

    References
    ----------
    https://onnx.ai/onnx/repo-docs/IR.html, https://onnx.ai/onnx/operators/
    """
    if len(network.output_shape) != 1:
        raise ShapeError(f"Expected flat outputs; the network's are {network.output_shape}.")
    graph = _Graph(network.to_tensors())
    x = graph.add("Mul", "images", scaler.scale)
    if scaler.offset:
        x = graph.add("Add", x, scaler.offset)
    shape = network.input_shape
    for i, layer in enumerate(network.layers):
        x = _form(_LAYERS, layer)(layer, graph, x, f"{i}.", shape)
        shape = layer.output_shape(shape)
    outputs = network.output_shape[0]
    graph.add("Identity", _form(_LOSSES, loss)(graph, x, outputs), to="probabilities")
    graph.add("ArgMax", "probabilities", to="label", axis=1, keepdims=0)
    return encode_model(
        graph.nodes,
        graph.tensors,
        [encode_value("images", np.float32, network.input_shape)],
        [
            encode_value("probabilities", np.float32, (max(outputs, 2),)),
            encode_value("label", np.int64, ()),
        ],
        metadata,
    )


class _Graph:
    """A graph that grows by one operation at a time; values are known by their names."""

    def __init__(self, tensors: Mapping[str, Floats]) -> None:
        self.tensors = dict(tensors)
        self.nodes: list[bytes] = []

    def add(self, op: str, *inputs: str | float, to: str = "", **attributes: Attribute) -> str:
        """Add an operation on values, or on numbers, and return the name of its result."""
        names = [name if isinstance(name, str) else self._number(name) for name in inputs]
        to = to or f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(encode_node(op, names, to, attributes))
        return to

    def integers(self, *numbers: int) -> str:
        """Return the name of a list: newer operations take axes and shapes as inputs."""
        self.tensors[repr(numbers)] = np.array(numbers, np.int64)
        return repr(numbers)

    def _number(self, number: float) -> str:
        self.tensors[repr(number)] = np.array(number, np.float32)
        return repr(number)


# --- What layers and losses are made of -----------------------------------------------------------


def _dense(layer: Dense, graph: _Graph, x: str, at: str, shape: Shape) -> str:
    bias = [f"{at}bias"] if layer.bias else []
    return graph.add("Gemm", x, f"{at}weight", *bias, transB=1)


def _conv2d(layer: Conv2D, graph: _Graph, x: str, at: str, shape: Shape) -> str:
    bias = [f"{at}bias"] if layer.bias else []
    return graph.add("Conv", x, f"{at}weight", *bias, **_windows(layer))


def _average_pool(layer: AveragePool2D, graph: _Graph, x: str, at: str, shape: Shape) -> str:
    return graph.add("AveragePool", x, count_include_pad=1, **_windows(layer))


def _max_pool(layer: MaxPool2D, graph: _Graph, x: str, at: str, shape: Shape) -> str:
    return graph.add("MaxPool", x, **_windows(layer))


def _windows(layer: Conv2D | Pool2D) -> dict[str, Any]:
    kernel, stride, padding = layer.windows
    return {"kernel_shape": kernel, "pads": padding * 2, "strides": stride}


def _reshape(layer: Reshape, graph: _Graph, x: str, at: str, shape: Shape) -> str:
    return graph.add("Reshape", x, graph.integers(0, *layer.shape))  # 0: as many rows as came


def _batch_norm(layer: BatchNorm, graph: _Graph, x: str, at: str, shape: Shape) -> str:
    # Runtimes round ONNX's own otherwise: they take the mean, times the scale, away at the end.
    def param(name: str) -> str:
        over = range(1, len(shape))
        return graph.add("Unsqueeze", at + name, graph.integers(*over)) if over else at + name

    root = graph.add("Sqrt", graph.add("Add", param("running_var"), layer.epsilon))
    normal = graph.add("Div", graph.add("Sub", x, param("running_mean")), root)
    return graph.add("Add", graph.add("Mul", normal, param("weight")), param("bias"))


def _gelu(layer: GELU, graph: _Graph, x: str, at: str, shape: Shape) -> str:
    cube = graph.add("Mul", graph.add("Mul", x, x), x)
    inner = graph.add("Add", x, graph.add("Mul", cube, 0.044715))
    t = graph.add("Tanh", graph.add("Mul", inner, math.sqrt(2 / math.pi)))
    return graph.add("Mul", graph.add("Mul", x, 0.5), graph.add("Add", t, 1.0))


def _sigmoid_shares(graph: _Graph, x: str, outputs: int) -> str:
    minus = graph.add("Neg", x)
    if outputs == 1:
        both = graph.add("Concat", minus, x, axis=1)
        return graph.add("Sigmoid", both)
    # log(sigmoid(x)), as the loss does: where all outputs are far below 0, all sigmoids are 0.
    return graph.add("Softmax", graph.add("Neg", graph.add("Softplus", minus)), axis=1)


def _shares(graph: _Graph, x: str, outputs: int) -> str:
    if outputs == 1:
        p = graph.add("Clip", x, 0.0, 1.0)
        return graph.add("Concat", graph.add("Sub", 1.0, p), p, axis=1)
    p = graph.add("Max", x, float(np.finfo(np.float32).eps))
    return graph.add("Div", p, graph.add("ReduceSum", p, graph.integers(1)))


def _same(layer: Layer, graph: _Graph, x: str, at: str, shape: Shape) -> str:
    return x


def _leaky_relu(layer: LeakyReLU, graph: _Graph, x: str, at: str, shape: Shape) -> str:
    return graph.add("LeakyRelu", x, alpha=float(layer.slope))


def _operation(op: str, **attributes: Any) -> "_LayerForm":
    """Return the form of a layer that is one of ONNX's operations."""
    return lambda layer, graph, x, at, shape: graph.add(op, x, **attributes)


_LayerForm = Callable[[Any, _Graph, str, str, Shape], str]

_LAYERS: dict[type[Layer], _LayerForm] = {
    AveragePool2D: _average_pool,
    BatchNorm: _batch_norm,
    Conv2D: _conv2d,
    Dense: _dense,
    Dropout: _same,
    Flatten: _operation("Flatten", axis=1),
    GELU: _gelu,
    LeakyReLU: _leaky_relu,
    Linear: _same,
    MaxPool2D: _max_pool,
    ReLU: _operation("Relu"),
    Reshape: _reshape,
    Sigmoid: _operation("Sigmoid"),
    Softplus: _operation("Softplus"),
    Tanh: _operation("Tanh"),
}

_LOSSES: dict[type[Loss], Callable[[_Graph, str, int], str]] = {
    MeanSquaredError: _shares,
    SigmoidCrossEntropy: _sigmoid_shares,
    SoftmaxCrossEntropy: lambda graph, x, outputs: graph.add("Softmax", x, axis=1),
    SumOfSquares: _shares,
}


def _form(forms: Mapping[Any, Any], part: object) -> Any:
    """Return the form of exactly this class: a subclass may compute something else."""
    if type(part) not in forms:
        raise NotImplementedError(f"{type(part).__name__} has no ONNX form in {__name__}.")
    return forms[type(part)]
