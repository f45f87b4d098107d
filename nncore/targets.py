"""What an alias names: a version, perhaps others that take a share of its requests or look on.

A canary takes a share: which version a request gets is decided by its id. A shadow looks on: it
gets every request and answers none.
"""

import hashlib
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, TypeGuard

from nncore.model_folder import is_number
from nncore.specs import describe, run_checks, wrong

MAX_SPLIT = 10
EXACTNESS = 1e-6  # of the sum of all shares
ALL = 2**64


class Target(NamedTuple):
    """What an alias names.

    ``version`` stands for the alias wherever one number is wanted. ``split`` has the versions that
    share its requests with their shares, ascending by number, ``version`` among them; it is empty
    where there is one alone. ``shadow`` is the one that looks on.
    """

    version: int
    split: tuple[tuple[int, float], ...] = ()
    shadow: int | None = None

    @classmethod
    def of_split(cls, split: Mapping[int, float], shadow: int | None = None) -> "Target":
        """Return what names several versions; the one with the largest share stands for them."""
        ascending = tuple(sorted(split.items()))
        return cls(max(ascending, key=lambda share: share[1])[0], ascending, shadow)

    @property
    def versions(self) -> list[int]:
        """All that it names, each once, ascending."""
        found = {self.version, *(number for number, _ in self.split), self.shadow}
        return sorted(number for number in found if number is not None)

    def pointer(self, version: int) -> str:
        """Return where a request to move an alias names `version`."""
        if version in dict(self.split):
            return f"/split/{version}"
        return "/shadow" if version == self.shadow else "/version"

    def to_json(self, prefix: str = "") -> dict[str, Any]:
        """Return split and shadow, where there are, as a move tells them."""
        values: dict[str, Any] = {}
        if self.split:
            values[f"{prefix}split"] = {str(number): share for number, share in self.split}
        if self.shadow is not None:
            values[f"{prefix}shadow"] = self.shadow
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any], key: str, prefix: str = "") -> "Target | None":
        """Read what a move tells: None where `key` holds no version. Raises ConfigError."""
        version = values.get(key)
        if not is_version(version):
            return None
        split, shadow = values.get(f"{prefix}split"), values.get(f"{prefix}shadow")
        shadow = shadow if is_version(shadow) else None
        if split is None:
            return cls(version, shadow=shadow)
        return cls(version, Target.of_split(read_split(split)).split, shadow)


def read_split(value: object) -> dict[int, float]:
    """Return a split from parsed JSON, such as ``{"7": 0.95, "8": 0.05}``. Raises ConfigError."""
    if not isinstance(value, Mapping) or not 2 <= len(value) <= MAX_SPLIT:
        detail = f"Expected 2 to {MAX_SPLIT} versions with their shares; got {describe(value)}."
        raise wrong("/split", detail)
    run_checks(*[lambda item=item: _check_share(*item) for item in value.items()])
    total = sum(value.values())
    if abs(total - 1) > EXACTNESS:
        raise wrong("/split", f"Expected shares that sum to 1; they sum to {total:g}.")
    return {int(number): float(share) for number, share in value.items()}


def choose(shares: Collection[float], request_id: str) -> int:
    """Return the place, among `shares`, of the one that a request gets.

    The first 8 bytes of the SHA-256 of its id, as a share of all that they can be, fall into one:
    the same id always into the same, and most stay where they were when shares are changed.
    """
    digest = hashlib.sha256(request_id.encode()).digest()
    point, reached = int.from_bytes(digest[:8]) / ALL, 0.0
    for place, share in enumerate(shares):
        reached += share
        if point < reached:
            return place
    return len(shares) - 1


def is_version(value: object) -> TypeGuard[int]:
    """Tell whether a parsed JSON value may be a version's number."""
    return type(value) is int and 1 <= value < 10**12


def _check_share(number: object, share: object) -> None:
    if not (isinstance(number, str) and is_number(number)):
        raise wrong("/split", f"Expected the number of a version; got {describe(number)}.")
    if type(share) not in (int, float) or not 0 < share <= 1:  # type: ignore[operator]
        detail = f"Expected a share above 0 and at most 1; got {describe(share)}."
        raise wrong(f"/split/{number}", detail)
