"""The network: layers over one flat array of parameters, and one of gradients."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from nncore.arrays import Floats, Shape, Views
from nncore.errors import ShapeError
from nncore.layers import Layer

NUMBERS_AT_ONCE = 2**19  # between the layers, 2 MB: more is no faster, and each thread has them

Layout = list[dict[str, tuple[slice, Shape]]]


class Plan(NamedTuple):
    """Where everything of a network stands in its flat arrays."""

    params: Layout
    size: int
    weights: int  # of `size`, the first so many are weights, the rest biases and the like
    state: Layout
    state_size: int
    output_shape: Shape
    kept: int  # numbers that forward keeps of one row


def plan(layers: Sequence[Layer], input_shape: Shape) -> Plan:
    """Give each layer's parameters, and its state, their places in one flat array each.

    All weights ``W`` stand first, then the rest, so that what concerns weights alone (L2) is one
    slice.

    Raises
    ------
    ShapeError
        If a layer does not fit the one before it; the message names it by position.
    """
    shapes, states, kept = [], [], 0
    for position, layer in enumerate(layers):
        try:
            shapes.append(layer.param_shapes(input_shape))
            states.append(layer.state_shapes(input_shape))
            output_shape = layer.output_shape(input_shape)
            kept += layer.kept_size(input_shape)
            input_shape = output_shape
        except ShapeError as error:
            raise ShapeError(f"Layer {position}: {error}") from None
    params: Layout = [{} for _ in layers]
    state: Layout = [{} for _ in layers]
    weights = _place(params, shapes, 0, lambda name: name == "W")
    size = _place(params, shapes, weights, lambda name: name != "W")
    state_size = _place(state, states, 0, lambda name: True)
    return Plan(params, size, weights, state, state_size, input_shape, kept)


def _place(
    layout: Layout, shapes: list[dict[str, Shape]], start: int, chosen: Callable[[str], bool]
) -> int:
    """Give the `chosen` arrays their places in `layout` from `start` on; return the end."""
    for places, of_layer in zip(layout, shapes, strict=True):
        for name, shape in of_layer.items():
            if chosen(name):
                length = math.prod(shape)
                places[name] = (slice(start, start + length), shape)
                start += length
    return start


def views(flat: Floats, layout: Layout) -> list[Views]:
    """Return, for each layer, named views of `flat` in their shapes. Nothing is copied."""
    return [
        {name: flat[where].reshape(shape) for name, (where, shape) in places.items()}
        for places in layout
    ]


class Network:
    """Layers and their parameters.

    Parameters
    ----------
    layers : sequence of Layer
    input_shape : tuple of int
        Shape of one row of input, ``(784,)`` for MNIST.
    dtype : float dtype
        float32; float64 to check gradients, and for scikit-learn's users.

    Attributes
    ----------
    params, grads : float array (size,)
        All parameters, and the gradients of the last `backward`. The layers see named views of
        them, so writing into them changes the network.
    state : float array (state_size,)
        What is kept and saved but not trained, such as running averages.
    weights : int
        How many of the parameters, the first ones, are weights.
    rows_at_once : int
        How many rows to give to `logits` at once: bounds memory, costs no time.

    Raises
    ------
    ShapeError
        If a layer does not fit the one before it.
    """

    def __init__(
        self, layers: Sequence[Layer], input_shape: Sequence[int], *, dtype: Any = np.float32
    ) -> None:
        self.layers, self.input_shape = tuple(layers), tuple(input_shape)
        made = plan(self.layers, self.input_shape)
        self.params, self.grads = np.zeros(made.size, dtype), np.zeros(made.size, dtype)
        self.state = np.zeros(made.state_size, dtype)
        self.weights, self.output_shape = made.weights, made.output_shape
        self.rows_at_once = max(NUMBERS_AT_ONCE // made.kept, 1)
        self._layout = made.params
        self._grads = views(self.grads, made.params)
        trained, kept = views(self.params, made.params), views(self.state, made.state)
        self._params = [{**t, **k} for t, k in zip(trained, kept, strict=True)]
        # No layer at or before the first that has parameters needs the gradient of its input.
        self._first = next((i for i, p in enumerate(made.params) if p), len(self.layers))

    def __getstate__(self) -> dict[str, Any]:
        # As they are, the layers' views would be copied as arrays of their own.
        return {
            "layers": self.layers,
            "input_shape": self.input_shape,
            "params": self.params,
            "state": self.state,
        }

    def __setstate__(self, saved: dict[str, Any]) -> None:
        layers, input_shape, params = saved["layers"], saved["input_shape"], saved["params"]
        self.__init__(layers, input_shape, dtype=params.dtype)  # type: ignore[misc]
        self.params[...], self.state[...] = params, saved["state"]

    def init(self, rng: np.random.Generator) -> None:
        """Fill `params` and `state` in place with each layer's initial values, in order."""
        for layer, params in zip(self.layers, self._params, strict=True):
            layer.init(params, rng)

    def logits(self, x: Floats) -> Floats:
        """Return the outputs, (n, *output_shape), of `x`, (n, *input_shape). Keeps nothing."""
        for layer, params in zip(self.layers, self._params, strict=True):
            x, _ = layer.forward(params, x)
        return x

    def forward(self, x: Floats) -> tuple[Floats, list[Any]]:
        """Return the outputs and the tape: what each layer keeps for `backward`."""
        tape = []
        for layer, params in zip(self.layers, self._params, strict=True):
            x, cache = layer.forward(params, x)
            tape.append(cache)
        return x, tape

    def forward_train(self, x: Floats, rng: np.random.Generator) -> tuple[Floats, list[Any]]:
        """Return the same as `forward`, as in training: dropout, statistics of the batch."""
        tape = []
        for layer, params in zip(self.layers, self._params, strict=True):
            x, cache = layer.forward_train(params, x, rng)
            tape.append(cache)
        return x, tape

    def backward(
        self, tape: list[Any], dlogits: Floats, *, input_grad: bool = False
    ) -> Floats | None:
        """Write the gradients into `grads`, in place.

        Parameters
        ----------
        tape : list
            From `forward` of the same batch.
        dlogits : float array (n, *output_shape)
            d loss / d outputs.
        input_grad : bool
            Whether d loss / d input is wanted too.

        Returns
        -------
        dx : float array (n, *input_shape), or None without `input_grad`
        """
        dy: Any = dlogits
        for i in reversed(range(0 if input_grad else self._first, len(self.layers))):
            params, grads = self._params[i], self._grads[i]
            wanted = input_grad or i > self._first
            dy = self.layers[i].backward(params, grads, tape[i], dy, input_grad=wanted)
        return dy if input_grad else None

    def input_gradient(self, tape: list[Any], dlogits: Floats) -> Floats:
        """Return d sum(`dlogits` * outputs) / d input, float array (n, *input_shape).

        `tape` is from `forward` of the same batch. Unlike `backward` it leaves `grads` alone, so
        threads may share the network.
        """
        dy: Any = dlogits
        own = views(np.empty_like(self.params), self._layout)
        for i in reversed(range(len(self.layers))):
            dy = self.layers[i].backward(self._params[i], own[i], tape[i], dy)
        return dy

    def named_params(self) -> Iterator[tuple[str, Floats, Floats]]:
        """Yield ``"<layer>.<name>"``, and the views of its parameter and gradient."""
        for i, (params, grads) in enumerate(zip(self._params, self._grads, strict=True)):
            for name, grad in grads.items():
                yield f"{i}.{name}", params[name], grad

    def to_tensors(self) -> dict[str, Floats]:
        """Return the parameters as they are saved, by name: ``"0.weight"``.

        Names and layout are those of PyTorch's ``nn.Sequential`` of the same layers.
        """
        return {
            f"{i}.{name}": np.ascontiguousarray(tensor)
            for i, (layer, params) in enumerate(zip(self.layers, self._params, strict=True))
            for name, tensor in layer.to_tensors(params).items()
        }

    def from_tensors(self, tensors: dict[str, Floats]) -> None:
        """Fill `params` and `state` in place from what `to_tensors` returned, or PyTorch saved.

        Raises
        ------
        ShapeError
            If a tensor is missing, left over, or of another shape; nothing is changed then.
        """
        unused = {f"{i}.{name}" for i, layer in enumerate(self.layers) for name in layer.not_needed}
        expected = {name: tensor.shape for name, tensor in self.to_tensors().items()}
        came = {name: tensor.shape for name, tensor in tensors.items() if name not in unused}
        if expected != came:
            odd = sorted(n for n in {*expected, *came} if expected.get(n) != came.get(n))[0]
            raise ShapeError(
                f"Tensor {odd!r}: expected shape {expected.get(odd, 'none: there is no such')}, "
                f"got {came.get(odd, 'none: it is missing')}."
            )
        for i, (layer, params) in enumerate(zip(self.layers, self._params, strict=True)):
            names = layer.to_tensors(params)
            layer.from_tensors(params, {name: tensors[f"{i}.{name}"] for name in names})
