"""What a body is decoded to."""

from typing import Any, NamedTuple

from werkzeug.datastructures import MultiDict

from nncore.arrays import Pixels, Shape
from service.problems import Problem


class Refused(NamedTuple):
    """A file that came with others, and why it cannot be read."""

    file: str
    problem: Problem


class Batch(NamedTuple):
    """Pixels of shape (n, *row shape), uint8 or float32, 0-255; and what else the request said.

    `pictures` has what was done to each, where they came as pictures, else it is empty; `refused`
    which of the files are not among them.
    """

    pixels: Pixels
    pixel_range: str
    options: dict[str, Any]
    pictures: tuple[dict[str, Any], ...] = ()
    refused: tuple[Refused, ...] = ()

    def in_shape(self, shape: Shape) -> "Batch":
        """Return the batch with rows of `shape`."""
        if self.pixels.shape[1:] == shape:
            return self
        return self._replace(pixels=self.pixels.reshape(-1, *shape))


def text_options(fields: "MultiDict[str, str]") -> dict[str, Any]:
    """Return the options in a query or a form, as JSON would have them; lists by commas."""
    options: dict[str, Any] = {}
    for key, texts in fields.lists():
        text = ",".join(texts)
        if key == "outputs":
            options[key] = text.split(",")
        else:
            options[key] = int(text) if text.isascii() and text.isdecimal() else text
    return options
