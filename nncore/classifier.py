"""Pixels in, probabilities out: how a version answers, in the worker and in the service."""

from typing import TYPE_CHECKING

import numpy as np

from nncore.arrays import Floats, Ints, Pixels, Shape
from nncore.layers import Dense
from nncore.losses import Loss
from nncore.network import Network
from nncore.scaling import PixelScaler

if TYPE_CHECKING:  # the registry checks what it loads with a classifier
    from nncore.registry import Version


class Classifier:
    """A trained network with what surrounds it. Read-only: many threads may share it.

    Parameters
    ----------
    network : Network
        Trained. Not modified.
    scaler : PixelScaler
        The scaling of the training. It is folded into a copy of the first layer's parameters
        where that is dense, so that bytes need one cast and no multiplication.
    loss : Loss
        Knows how outputs become probabilities.
    """

    def __init__(self, network: Network, scaler: PixelScaler, loss: Loss) -> None:
        self._loss = loss
        self._scaler: PixelScaler | None = scaler
        self._network = Network(network.layers, network.input_shape)
        self._network.params[...] = network.params
        self._network.state[...] = network.state
        first = network.layers[0]
        if isinstance(first, Dense) and (first.bias or not scaler.offset):
            self._fold(scaler)
            self._scaler = None
        self._network.params.flags.writeable = False

    @classmethod
    def of(cls, version: "Version") -> "Classifier":
        """Return what answers with a loaded version."""
        manifest = version.manifest
        return cls(version.network, manifest.pixel_scaling, manifest.loss)

    @property
    def input_shape(self) -> Shape:
        """Shape of one row of pixels."""
        return self._network.input_shape

    @property
    def rows_at_once(self) -> int:
        """How many rows the network takes at once; more are answered in pieces."""
        return self._network.rows_at_once

    def probabilities(self, pixels: Pixels) -> Floats:
        """Return the probability of each class.

        Parameters
        ----------
        pixels : uint8 or float array (n, *input_shape)
            0-255.

        Returns
        -------
        probabilities : float32 array (n, k)
            Rows sum to 1.
        """
        size = self._network.rows_at_once
        chunks = [self._answer(pixels[i : i + size]) for i in range(0, len(pixels), size)]
        return chunks[0] if len(chunks) == 1 else np.concatenate(chunks)

    def saliency(self, pixels: Pixels, classes: Ints) -> Floats:
        """Return how much each pixel speaks for a class: the gradient of its logit.

        Parameters
        ----------
        pixels : uint8 or float array (n, *input_shape)
            0-255.
        classes : int array (n,)
            The class of each row that is asked about.

        Returns
        -------
        gradient : float32 array (n, *input_shape)
            d logit / d pixel, per grey level. Where a network has one output for two classes,
            its logit speaks for the second, and the negative for the first.

        Notes
        -----
        Source: Simonyan, Vedaldi & Zisserman 2014, section 3.
        """
        size = self._network.rows_at_once
        return np.concatenate(
            [
                self._gradient(pixels[i : i + size], classes[i : i + size])
                for i in range(0, len(pixels), size)
            ]
        )

    def predict(self, pixels: Pixels) -> Ints:
        """Return the most probable class of each row, int array (n,)."""
        return self.probabilities(pixels).argmax(axis=1)

    def _answer(self, pixels: Pixels) -> Floats:
        return self._loss.probabilities(self._network.logits(self._input(pixels)))

    def _gradient(self, pixels: Pixels, classes: Ints) -> Floats:
        logits, tape = self._network.forward(self._input(pixels))
        dlogits = np.zeros_like(logits)
        if logits.shape[1] == 1:
            dlogits[:, 0] = np.where(classes == 1, 1, -1)
        else:
            dlogits[np.arange(len(classes)), classes] = 1
        dx = self._network.input_gradient(tape, dlogits)
        return dx * np.float32(self._scaler.scale) if self._scaler else dx

    def _input(self, pixels: Pixels) -> Floats:
        """Return what the network takes, float32."""
        return self._scaler(pixels) if self._scaler else pixels.astype(np.float32, copy=False)

    def _fold(self, scaler: PixelScaler) -> None:
        """Use (s x + o) W + b = x (s W) + (o sum(W) + b)."""
        params = {name: param for name, param, _ in self._network.named_params()}
        if "0.b" in params:
            params["0.b"] += np.float32(scaler.offset) * params["0.W"].sum(axis=0)
        params["0.W"] *= np.float32(scaler.scale)
