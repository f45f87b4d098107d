"""The network, and what service and worker must agree on.

The layers, losses, optimizers and the training loop are written from scratch in NumPy;
`TrainConfig` is a job's payload; `Registry` holds the versions.
"""

from nncore.classifier import Classifier
from nncore.config import TrainConfig
from nncore.layers import Dense, Layer, ReLU, Sigmoid, Tanh
from nncore.losses import MeanSquaredError, SoftmaxCrossEntropy
from nncore.manifest import Manifest
from nncore.metrics import accuracy, confusion_matrix
from nncore.network import Network
from nncore.optimizers import SGD, Adam
from nncore.registry import Registry
from nncore.scaling import PixelScaler
from nncore.schedules import Constant, Cosine
from nncore.training import EpochStats, Examples, evaluate, fit

__all__ = [
    "SGD",
    "Adam",
    "Classifier",
    "Constant",
    "Cosine",
    "Dense",
    "EpochStats",
    "Examples",
    "Layer",
    "Manifest",
    "MeanSquaredError",
    "Network",
    "PixelScaler",
    "ReLU",
    "Registry",
    "Sigmoid",
    "SoftmaxCrossEntropy",
    "Tanh",
    "TrainConfig",
    "accuracy",
    "confusion_matrix",
    "evaluate",
    "fit",
]
