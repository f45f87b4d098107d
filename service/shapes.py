"""What a row of a batch must look like for the version that answers."""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from nncore.arrays import Shape
from service.problems import Problem


@dataclass(frozen=True)
class Rows:
    """The shape of one row as the network takes it, and how many rows a request may have."""

    shape: Shape
    max_rows: int

    @cached_property
    def size(self) -> int:
        """How many numbers a row has."""
        return math.prod(self.shape)

    @cached_property
    def side(self) -> int:
        """The side of the square picture that a row is, 0 where it is none."""
        side = math.isqrt(self.size)
        return side if side * side == self.size else 0

    @cached_property
    def forms(self) -> tuple[Shape, Shape]:
        """The shapes in which a row may be given: flat, or as a picture."""
        return (self.size,), (self.side, self.side)

    @property
    def expected(self) -> str:
        """The shape of a row, in words."""
        picture = f", or {self.side} rows of {self.side}" if self.side else ""
        return f"{self.size} numbers{picture}"

    def is_picture(self, value: list[Any]) -> bool:
        """Tell whether a row is given as `side` lists of `side` values."""
        return len(value) == self.side and all(
            isinstance(line, list) and len(line) == self.side for line in value
        )

    def fit(self, shape: Shape) -> bool:
        """Tell whether an array of `shape` is a row, a picture, or a batch of either."""
        many = shape[1:] in self.forms and 1 <= shape[0] <= self.max_rows
        return many or shape in self.forms

    def holds(self, count: int) -> bool:
        """Tell whether `count` numbers make whole rows."""
        return count > 0 and count % self.size == 0

    def check_shape(self, shape: Shape) -> None:
        """Raise Problem 413, 422 where an array of `shape` is no row, picture or batch of them."""
        if len(shape) > 1:
            self.check_count(shape[0])
        if 0 in shape:
            raise Problem(422, "empty-batch", f"Expected at least one row; got shape {shape}.")
        if not self.fit(shape):
            detail = f"Expected rows of {self.expected}; got shape {shape}."
            raise Problem(422, "row-length", detail)

    def check_count(self, count: int) -> None:
        """Raise Problem 413 where a batch has too many rows."""
        if count > self.max_rows:
            raise Problem(
                413,
                "too-many-rows",
                f"Expected at most {self.max_rows:,} rows a request (INKWELL_MAX_ROWS); "
                f"got {count:,}.",
            )


@lru_cache
def rows_of(shape: Shape, max_rows: int) -> Rows:
    """Return the same `Rows` for the same arguments: it works out what follows from them once."""
    return Rows(shape, max_rows)
