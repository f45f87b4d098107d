"""One example of every layer, by its name: a new layer is tested by being named in `LAYERS`."""

import math

from nncore.layers import LAYERS, Dense, Flatten, Reshape

# What has no default.
REQUIRED = {
    "conv2d": {"filters": 3, "kernel_size": (2, 3), "padding": (1, 0)},
    "dense": {"units": 6},
    "reshape": {"shape": (2, 4)},
}
ROW = (8,)
PICTURE = (2, 4, 5)
PICTURES = {"average_pool2d", "conv2d", "flatten", "max_pool2d"}

# Kernel, stride and padding: odd and even, square and not.
WINDOWS = [
    (1, 1, 0),
    (2, 1, 0),
    (2, 2, 1),
    (3, 1, 1),
    (3, 2, 1),
    (3, 3, 0),
    ((2, 3), (1, 2), (1, 0)),
    ((5, 4), (3, 1), (2, 2)),
]
SIZES = [(5, 5), (6, 6), (7, 4)]  # of pictures
WINDOWED = ["average_pool2d", "conv2d", "max_pool2d"]


def example(name, cls=None):
    return (cls or LAYERS[name])(**REQUIRED.get(name, {}))


def shape_for(name):
    """Return the shape of the rows that the example takes."""
    return PICTURE if name in PICTURES else ROW


def first(name, outputs):
    """Return layers for rows of `shape_for(name)`, of which the example is the first."""
    return flat([example(name)], shape_for(name), outputs)


def inside(name, outputs, layer=None):
    """Return layers for flat rows with the example between dense layers."""
    shape = shape_for(name)
    layers = flat([layer or example(name)], shape, outputs)
    if len(shape) > 1:
        layers = [Reshape(shape), *layers]
    return [Dense(math.prod(shape)), *layers]


def flat(layers, shape, outputs):
    """Return `layers` for rows of `shape`, and what brings theirs to so many outputs."""
    for layer in layers:
        shape = layer.output_shape(shape)
    return [*layers, *([Flatten()] if len(shape) > 1 else []), Dense(outputs)]


def windowed(kind, windows):
    """Return a layer of a `WINDOWED` kind with kernel, stride and padding."""
    fields = {"filters": 4} if kind == "conv2d" else {}
    kernel, stride, padding = windows
    return LAYERS[kind](**fields, kernel_size=kernel, stride=stride, padding=padding)
