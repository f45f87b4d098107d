"""What this process answers with: loaded versions, and the one that each alias names now."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from nncore.aliases import Aliases
from nncore.classifier import Classifier
from nncore.errors import CorruptVersionError, NotFoundError, RegistryError
from nncore.model_folder import Stamp, is_number
from nncore.names import is_alias_name
from nncore.registry import Registry
from nncore.targets import choose
from nncore.training import ignore
from service.background import Repeated

log = logging.getLogger(__name__)

KEPT_VERSIONS = 8
SECONDS_BETWEEN_CHECKS = 5.0  # of the files of what answers; of what was refused, it is a try
SECONDS_BETWEEN_LOOKS = 2.0  # at a bucket


class Served(NamedTuple):
    """A version that answers. Immutable; threads share it.

    ``stamp`` changes with its files. Where an alias names several, ``split`` has those that share
    its requests, with their shares, and ``shadow`` the one that looks on.
    """

    model: str
    version: int
    labels: tuple[str, ...]
    classifier: Classifier
    stamp: Stamp | None
    split: "tuple[tuple[Served, float], ...]" = ()
    shadow: "Served | None" = None

    def chosen(self, request_id: str) -> "Served":
        """Return the version that answers the request with this id."""
        if not self.split:
            return self
        place = choose([share for _, share in self.split], request_id)
        return self.split[place][0]._replace(shadow=self.shadow)


class NotLiveError(Exception):
    """The alias names no version yet."""


class _AliasRemovedError(NotFoundError):
    """The alias named a version, and names none any more."""


class Refusal(NamedTuple):
    """Why an alias's new version does not answer."""

    model: str
    alias: str
    reason: str


class _Held(NamedTuple):
    """The version that an alias named at `stamp`, or an older one where that is refused."""

    aliases: Aliases
    stamp: Stamp
    served: Served
    refusal: str | None
    checked_at: float


class ServedModels:
    """Loaded versions of one process, shared by its threads.

    An alias is looked at with one stat a request, so that a promotion is seen by the next request
    in every process. The new version is loaded beside the old one, which is replaced when the new
    one is whole; a version that cannot be loaded is refused and the old one keeps answering. So
    does a loaded one whose files are damaged; that too is seen, and told, within five seconds.

    At a bucket a thread looks, every two seconds, and loads what is new there. No request waits
    for it, but the first that names an alias, or a version by its number.
    """

    def __init__(self, registry: Registry, happened: Callable[..., None] = ignore) -> None:
        self._registry = registry
        self._happened = happened  # is told of what is taken up and what is refused
        self._aliases: dict[tuple[str, str], _Held] = {}
        self._versions: OrderedDict[tuple[str, int], Served] = OrderedDict()
        self._numbered: OrderedDict[tuple[str, int], Served] = OrderedDict()  # of a bucket
        self._lock = threading.Lock()
        self._looking = Repeated("look", self._look, SECONDS_BETWEEN_LOOKS)

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
        if self._registry.is_near:
            return self._look_up(model, reference)
        self._looking.ensure()
        if is_number(reference):
            served = self._numbered.get((model, int(reference)))
        else:
            served = self.held(model, reference)
        return served or self._look_up(model, reference)

    def held(self, model: str, alias: str) -> Served | None:
        """Return what answered last for `alias`, without a look at the store."""
        held = self._aliases.get((model, alias))
        return held.served if held else None

    def _look_up(self, model: str, reference: str) -> Served:
        """Return what answers for `reference`, as the store has it now. Raises as `get` does."""
        if not is_alias_name(reference):
            number = self._registry.resolve(model, reference)
            with self._lock:
                served = self._version(model, number)
                if is_number(reference) and not self._registry.is_near:
                    self._keep_numbered(served)
                return served
        held = self._aliases.get((model, reference))
        aliases = held.aliases if held else self._registry.aliases(model)
        stamp = _stamp(aliases, reference)
        if held and (stamp is None or (stamp == held.stamp and not self._due(held))):
            return held.served
        if stamp is None:
            raise self._nothing(model, reference)
        with self._lock:
            return self._take_up(model, reference, aliases, stamp)

    def refusals(self) -> list[Refusal]:
        """Return which aliases name a version that this process refuses, and why."""
        if self._registry.is_near:
            self._look()
        return [
            Refusal(model, alias, held.refusal)
            for (model, alias), held in list(self._aliases.items())
            if held.refusal
        ]

    def _look(self) -> None:
        """Take up what has changed of all that was asked for."""
        for model, alias in list(self._aliases):
            with suppress(_AliasRemovedError):
                self._look_up(model, alias)
        for (model, number), served in list(self._numbered.items()):
            if self._registry.stamp(model, number) != served.stamp:
                self._numbered.pop((model, number), None)

    def _keep_numbered(self, served: Served) -> None:
        self._numbered[served.model, served.version] = served
        while len(self._numbered) > KEPT_VERSIONS:
            self._numbered.popitem(last=False)

    def _take_up(self, model: str, alias: str, aliases: Aliases, stamp: Stamp) -> Served:
        held = self._aliases.get((model, alias))
        if held and stamp == held.stamp and not self._due(held):
            return held.served  # another thread did it meanwhile
        if held and stamp == held.stamp and held.refusal is None and not self._changed(held.served):
            self._aliases[model, alias] = held._replace(checked_at=time.monotonic())
            return held.served
        # Looked at before it is read: if the alias moves in between, the next request reads again.
        stamp = _stamp(aliases, alias) or stamp
        try:
            served, refusal = self._named(model, alias)
        except _AliasRemovedError:
            self._aliases.pop((model, alias), None)
            raise
        except (RegistryError, OSError) as error:
            log.error("Refused what %r of model %r names: %s", alias, model, error)
            self._happened("refusal", model, alias)
            earlier = held.served if held else self._earlier(model, alias)
            if earlier is None:
                raise
            served, refusal = earlier, str(error)
        else:
            log.info("Model %r: %r is version %d now.", model, alias, served.version)
            self._happened("reload", model, alias)
        self._aliases[model, alias] = _Held(aliases, stamp, served, refusal, time.monotonic())
        return served

    def _named(self, model: str, alias: str) -> tuple[Served, str | None]:
        """Return what an alias names, and why its shadow is refused, if it is.

        Raises RegistryError, OSError: what looks on disturbs nothing, but all that answer must
        load.
        """
        target = self._registry.aliases(model).last(alias).target
        if target is None:
            raise _AliasRemovedError(f"Alias {alias!r} of model {model!r} was removed.")
        served = self._version(model, target.version)._replace(
            split=tuple((self._version(model, number), share) for number, share in target.split)
        )
        if target.shadow is None:
            return served, None
        try:
            return served._replace(shadow=self._version(model, target.shadow)), None
        except (RegistryError, OSError) as error:
            log.error("Refused version %d as shadow of %r: %s", target.shadow, alias, error)
            return served, f"Shadow {target.shadow}: {error}"

    def _earlier(self, model: str, alias: str) -> Served | None:
        """Return the last version before the refused one that `alias` named and that loads.

        A process that begins while a damaged version is live answers as the older ones do.
        """
        moves = self._registry.aliases(model).history()
        for number in [move.get("from") for move in reversed(moves) if move.get("alias") == alias]:
            try:
                if isinstance(number, int):
                    return self._version(model, number)
            except (RegistryError, OSError):
                continue
        return None

    def _version(self, model: str, number: int) -> Served:
        """Return a loaded version: again, where its files have changed."""
        try:
            stamp = self._registry.stamp(model, number)
        except OSError:  # a bucket is away: there may be copies
            stamp = None
        served = self._versions.pop((model, number), None)
        if served is None or served.stamp != stamp:
            served = self._load(model, number, stamp)
        self._versions[model, number] = served
        while len(self._versions) > KEPT_VERSIONS:
            self._versions.popitem(last=False)
        return served

    def _load(self, model: str, number: int, stamp: Stamp | None) -> Served:
        version = self._registry.load(model, number)
        if version.manifest.model != model:
            raise CorruptVersionError(
                f"Version {number} of {model!r} says that it is of model "
                f"{version.manifest.model!r}."
            )
        return Served(model, number, version.manifest.labels, Classifier.of(version), stamp)

    def _nothing(self, model: str, alias: str) -> Exception:
        if alias == "live" and model in self._registry.models():
            path = f"/api/v1/models/{model}/aliases/live"
            detail = f"No version of model {model!r} is live yet. Promote one: PUT {path}."
            return NotLiveError(detail)
        try:
            self._registry.resolve(model, alias)
        except NotFoundError as error:
            return error
        return NotLiveError(f"{alias!r} of model {model!r} was set just now.")

    def _changed(self, served: Served) -> bool:
        """Tell whether the files of what answers are no longer those that were loaded."""
        versions = [served, *(version for version, _ in served.split)]
        versions += [served.shadow] if served.shadow else []
        try:
            return any(self._registry.stamp(v.model, v.version) != v.stamp for v in versions)
        except OSError:  # the store is gone: what is loaded goes on answering
            return False

    @staticmethod
    def _due(held: _Held) -> bool:
        """Tell whether to look at the files again; a refused version's disk may be back."""
        return time.monotonic() - held.checked_at >= SECONDS_BETWEEN_CHECKS


def _stamp(aliases: Aliases, alias: str) -> Stamp | None:
    try:
        return aliases.stamp(alias)
    except OSError:  # the store is gone: what is loaded goes on answering
        return None
