"""Layers, one idea a module, and their names."""

from nncore.layers.activations import GELU, LeakyReLU, Linear, ReLU, Sigmoid, Softplus, Tanh
from nncore.layers.base import Layer
from nncore.layers.dense import Dense
from nncore.layers.regularization import BatchNorm, Dropout

LAYERS: dict[str, type[Layer]] = {
    "batch_norm": BatchNorm,
    "dense": Dense,
    "dropout": Dropout,
    "gelu": GELU,
    "leaky_relu": LeakyReLU,
    "linear": Linear,
    "relu": ReLU,
    "sigmoid": Sigmoid,
    "softplus": Softplus,
    "tanh": Tanh,
}
Layer.names = LAYERS

__all__ = [
    "GELU",
    "LAYERS",
    "BatchNorm",
    "Dense",
    "Dropout",
    "Layer",
    "LeakyReLU",
    "Linear",
    "ReLU",
    "Sigmoid",
    "Softplus",
    "Tanh",
]
