"""Layers, one idea a module, and their names."""

from nncore.layers.activations import GELU, LeakyReLU, Linear, ReLU, Sigmoid, Softplus, Tanh
from nncore.layers.base import Layer
from nncore.layers.convolution import Conv2D
from nncore.layers.dense import Dense
from nncore.layers.pooling import AveragePool2D, MaxPool2D
from nncore.layers.regularization import BatchNorm, Dropout
from nncore.layers.shaping import Flatten, Reshape

LAYERS: dict[str, type[Layer]] = {
    "average_pool2d": AveragePool2D,
    "batch_norm": BatchNorm,
    "conv2d": Conv2D,
    "dense": Dense,
    "dropout": Dropout,
    "flatten": Flatten,
    "gelu": GELU,
    "leaky_relu": LeakyReLU,
    "linear": Linear,
    "max_pool2d": MaxPool2D,
    "relu": ReLU,
    "reshape": Reshape,
    "sigmoid": Sigmoid,
    "softplus": Softplus,
    "tanh": Tanh,
}
Layer.names = LAYERS

__all__ = [
    "GELU",
    "LAYERS",
    "AveragePool2D",
    "BatchNorm",
    "Conv2D",
    "Dense",
    "Dropout",
    "Flatten",
    "Layer",
    "LeakyReLU",
    "Linear",
    "MaxPool2D",
    "ReLU",
    "Reshape",
    "Sigmoid",
    "Softplus",
    "Tanh",
]
