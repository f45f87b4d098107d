"""The trials of a sweep, by scikit-learn."""

from typing import Any

import numpy as np

from jobs.sweep_request import Range, SweepRequest
from nncore.specs import from_json


class Drawn:
    """A `Range` as ParameterSampler wants it: something that draws."""

    def __init__(self, numbers: Range) -> None:
        self._numbers = numbers

    def rvs(self, random_state: np.random.RandomState) -> float:
        """Return one number."""
        low, high = self._numbers.low, self._numbers.high
        if self._numbers.log:
            number = float(np.exp(random_state.uniform(np.log(low), np.log(high))))
        else:
            number = random_state.uniform(low, high)
        return self._numbers.rounded(min(max(number, low), high))


def plan(request: SweepRequest) -> list[dict[str, Any]]:
    """Return the parameters of each trial; the same request gives the same."""
    # Here, as few workers meet a sweep, and each would take seconds longer to start.
    from sklearn.model_selection import ParameterGrid, ParameterSampler

    if request.grid is not None:
        return [*ParameterGrid(request.grid)]
    space = {
        name: Drawn(from_json(Range, values)) if isinstance(values, dict) else values
        for name, values in request.space.items()
    }
    count = request.trials or 0
    if all(isinstance(values, list) for values in space.values()):
        count = min(count, len(ParameterGrid(space)))  # lists are drawn from without putting back
    return [*ParameterSampler(space, count, random_state=request.seed)]
