"""What this process answers with: loaded versions, and the one that each alias names now."""

import logging
import threading
import time
from collections import OrderedDict
from typing import NamedTuple

from nncore.aliases import Stamp
from nncore.classifier import Classifier
from nncore.errors import CorruptVersionError, NotFoundError, RegistryError
from nncore.registry import Registry

log = logging.getLogger(__name__)

KEPT_VERSIONS = 8
SECONDS_BETWEEN_TRIES = 5.0


class Served(NamedTuple):
    """A version that answers. Immutable; threads share it."""

    model: str
    version: int
    labels: tuple[str, ...]
    classifier: Classifier


class NotLiveError(Exception):
    """The alias names no version yet."""


class Refusal(NamedTuple):
    """Why an alias's new version does not answer."""

    model: str
    alias: str
    reason: str


class _Held(NamedTuple):
    """The version that an alias named at `stamp`, or an older one where that is refused."""

    stamp: Stamp
    served: Served
    refusal: str | None
    tried_at: float


class ServedModels:
    """Loaded versions of one process, shared by its threads.

    An alias is looked at with one stat a request, so that a promotion is seen by the next request
    in every process. The new version is loaded beside the old one, which is replaced when the new
    one is whole; a version that cannot be loaded is refused and the old one keeps answering.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._aliases: dict[tuple[str, str], _Held] = {}
        self._versions: OrderedDict[tuple[str, int], Served] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, model: str, reference: str) -> Served:
        """Return what answers for `reference`, a number or an alias of `model`.

        Raises
        ------
        NotFoundError
            If there is no such model, version or alias.
        NotLiveError
            If the model exists but its alias ``live`` was never set.
        CorruptVersionError
            If the version is refused and there is no older one to answer in its place.
        """
        if reference.isdecimal():
            return self._version(model, self._registry.resolve(model, reference))
        held = self._aliases.get((model, reference))
        stamp = self._stamp(model, reference)
        if held and (stamp is None or (stamp == held.stamp and not self._due(held))):
            return held.served
        if stamp is None:
            raise self._nothing(model, reference)
        with self._lock:
            return self._take_up(model, reference, stamp)

    def refusals(self) -> list[Refusal]:
        """Return which aliases name a version that this process refused, and why."""
        return [
            Refusal(model, alias, held.refusal)
            for (model, alias), held in list(self._aliases.items())
            if held.refusal
        ]

    def _take_up(self, model: str, alias: str, stamp: Stamp) -> Served:
        held = self._aliases.get((model, alias))
        if held and stamp == held.stamp and not self._due(held):
            return held.served  # another thread did it meanwhile
        # Looked at before it is read: if the alias moves in between, the next request reads again.
        stamp = self._stamp(model, alias) or stamp
        refusal = None
        try:
            served = self._version(model, self._registry.resolve(model, alias))
        except (RegistryError, OSError) as error:
            if held is None:
                raise
            log.error("Refused what %r of model %r names: %s", alias, model, error)
            served, refusal = held.served, str(error)
        else:
            log.info("Model %r: %r is version %d now.", model, alias, served.version)
        self._aliases[model, alias] = _Held(stamp, served, refusal, time.monotonic())
        return served

    def _version(self, model: str, number: int) -> Served:
        key = model, number
        served = self._versions.get(key)
        if served is None:
            served = self._load(model, number)
            self._versions[key] = served
            while len(self._versions) > KEPT_VERSIONS:
                self._versions.popitem(last=False)
        return served

    def _load(self, model: str, number: int) -> Served:
        _, network, manifest = self._registry.load(model, number)
        if manifest.model != model:
            raise CorruptVersionError(
                f"Version {number} of {model!r} says that it is of model {manifest.model!r}."
            )
        classifier = Classifier(network, manifest.build_scaler(), manifest.build_loss())
        return Served(model, number, tuple(manifest.labels), classifier)

    def _stamp(self, model: str, alias: str) -> Stamp | None:
        try:
            return self._registry.aliases(model).stamp(alias)
        except OSError:  # the store is gone: what is loaded goes on answering
            return None

    def _nothing(self, model: str, alias: str) -> Exception:
        if alias == "live" and model in self._registry.models():
            return NotLiveError(f"No version of model {model!r} is live yet.")
        try:
            self._registry.resolve(model, alias)
        except NotFoundError as error:
            return error
        return NotLiveError(f"{alias!r} of model {model!r} was set just now.")

    @staticmethod
    def _due(held: _Held) -> bool:
        """Tell whether to try a refused version again: a disk may have been away."""
        waited = time.monotonic() - held.tried_at
        return held.refusal is not None and waited >= SECONDS_BETWEEN_TRIES
