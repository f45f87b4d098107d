"""The array types that signatures name."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]
Ints = NDArray[np.integer[Any]]
Pixels = NDArray[Any]  # uint8, or float 0-255
Shape = tuple[int, ...]
Views = dict[str, Floats]
