"""The registry: numbered versions of models, and which of them is live.

Layout, below a store that is a folder (of a bucket: `nncore.model_objects`)::

    models/<model>/versions/<n>/                                      immutable
        weights.safetensors, golden.safetensors, sketch.safetensors, manifest.json
        report/                                                       what was found out about it
    models/<model>/aliases/<alias>                                    its last move
    models/<model>/aliases/history.jsonl                              who, when, from, to, why

It needs no server: what the files say is what is live. Nothing is created by looking.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from nncore.aliases import LIVE as LIVE
from nncore.aliases import PREVIOUS, Aliases, Move, anything, parse_moment
from nncore.classifier import Classifier
from nncore.errors import (
    CorruptVersionError,
    NotFoundError,
    NothingBeforeError,
    RegistryError,
    ShapeError,
    VersionInUseError,
)
from nncore.golden import Golden
from nncore.manifest import Manifest, digest
from nncore.model_folder import (
    GOLDEN_FILE,
    MANIFEST_FILE,
    WEIGHTS_FILE,
    ModelFolder,
    Stamp,
    is_number,
    names,
)
from nncore.model_objects import ModelObjects, StoredModel
from nncore.names import check_alias_name, check_model_name, is_alias_name, is_model_name
from nncore.network import Network
from nncore.object_store import ObjectStore, Store
from nncore.sketch import Sketch
from nncore.specs import wrong
from nncore.targets import Target
from nncore.weights import decode_weights, encode_weights

SKETCH_FILE = "sketch.safetensors"
VERDICT_FILE = "verdict.json"


class Version(NamedTuple):
    """A loaded version: its number, its network and its manifest."""

    number: int
    network: Network
    manifest: Manifest


class Registry:
    """The versions in `store`: in a folder, which need not exist yet, or in a bucket."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def is_near(self) -> bool:
        """Whether to look costs next to nothing: so it does on a disk, and not over a network."""
        return not isinstance(self._store, ObjectStore)

    def models(self) -> list[str]:
        """Return the names of all models that have a version, sorted."""
        if isinstance(self._store, ObjectStore):
            known = self._store.names("models")
        else:
            known = names(self._store / "models")
        return sorted(name for name in known if is_model_name(name) and self.newest(name, 1))

    def versions(self, model: str) -> list[int]:
        """Return the numbers of the model's versions, ascending; none for an unknown model."""
        return self._folder(model).numbers()

    def newest(self, model: str, limit: int, below: int | None = None) -> list[int]:
        """Return the numbers of the newest versions, descending; only those under `below`."""
        return self._folder(model).newest(limit, below)

    def require(self, model: str) -> None:
        """Raise NotFoundError, naming those that exist, unless there is such a model."""
        if not self.newest(model, 1):
            known = ", ".join(self.models()) or "none yet"
            raise NotFoundError(f"There is no model {model!r}. There is: {known}.")

    def aliases(self, model: str) -> Aliases:
        """Return the model's aliases, to look at. To move one, `promote`."""
        return Aliases(self._folder(model))

    def publish(
        self,
        model: str,
        network: Network,
        manifest: Manifest,
        golden: Golden | None = None,
        sketch: Sketch | None = None,
    ) -> int:
        """Store a new version and return its number.

        It is there whole or not at all, and of two workers that publish at once each gets a number
        of its own: `ModelFolder.publish`, `ModelObjects.publish`.

        Parameters
        ----------
        model : str
        network : Network
            Its parameters are what is stored.
        manifest : Manifest
            The hashes are filled in here.
        golden : Golden, optional
            What the version must answer wherever it is loaded.
        sketch : Sketch, optional
            What its data looked like.

        Raises
        ------
        OSError
            If the disk is full or not writable, or a bucket is away; there is no version then.
        """
        check_model_name(model, "/model")
        files = _files(network, manifest, golden, sketch)
        return self._folder(model).publish(files, manifest.job_id)

    def promote(
        self,
        model: str,
        target: int | Target,
        *,
        alias: str = LIVE,
        reason: str = "",
        actor: str = "",
        accept: Callable[[str | None], bool] = anything,
    ) -> Move:
        """Let `alias` name a version, or several, and write it into the history.

        Raises
        ------
        NotFoundError, CorruptVersionError
            If there is no such version, or it cannot be loaded; the alias stays where it was.
        AliasMovedError
            If `accept` does not accept where the alias stands.
        ConfigError
            If `alias` is no name, or that of what `live` named before; if of several versions one
            takes other rows than the others, or knows other labels.
        """
        check_alias_name(alias, "/alias")
        if alias == PREVIOUS:
            raise wrong("/alias", f"{PREVIOUS!r} is what {LIVE!r} named before: move that.")
        target = Target(target) if isinstance(target, int) else target
        self._check_alike(model, target)

        def accept_existing(tag: str | None) -> bool:
            for version in target.versions:  # it may have been deleted meanwhile
                if self._require(model, version).is_going(version):
                    raise NotFoundError(f"Version {version} of {model!r} is being removed.")
            return accept(tag)

        return self.aliases(model).move(
            alias, target, reason=reason, actor=actor, accept=accept_existing
        )

    def remove_alias(
        self,
        model: str,
        alias: str,
        *,
        reason: str = "",
        actor: str = "",
        accept: Callable[[str | None], bool] = anything,
    ) -> Move:
        """Let `alias` name nothing any more, and write it into the history.

        Raises
        ------
        NotFoundError
            If there is no such model, or the alias names nothing.
        AliasMovedError
            If `accept` does not accept where the alias stands.
        ConfigError
            If it is the alias that answers, or follows from it.
        """
        if alias in (LIVE, PREVIOUS):
            raise wrong("/alias", f"{alias!r} cannot be removed: without {LIVE!r} nobody answers.")
        self.resolve(model, alias)
        return self.aliases(model).move(alias, None, reason=reason, actor=actor, accept=accept)

    def rollback(
        self,
        model: str,
        *,
        alias: str = LIVE,
        reason: str = "",
        actor: str = "",
        accept: Callable[[str | None], bool] = anything,
    ) -> Move:
        """Let `alias` name again what it named before its last move. Twice changes nothing.

        Raises
        ------
        NothingBeforeError
            If the alias never named another version.
        AliasMovedError
            If `accept` says no, or another process moves the alias meanwhile.
        NotFoundError, CorruptVersionError, ConfigError
            As from `promote`.
        """
        check_alias_name(alias, "/alias")
        self.require(model)
        last = self.aliases(model).last(alias)
        if last.origin is None:
            raise NothingBeforeError(f"{alias!r} of model {model!r} named no other version before.")
        return self.promote(
            model,
            last.origin,
            alias=alias,
            reason=reason,
            actor=actor,
            accept=lambda tag: tag == last.tag and accept(tag),
        )

    def resolve(self, model: str, reference: str) -> int:
        """Return the version number that `reference` stands for.

        Parameters
        ----------
        model : str
        reference : str
            A number, an alias, or an alias as it stood at a time: ``live@2026-11-20T12:00:00Z``.

        Raises
        ------
        NotFoundError
            If there is no such model, version or alias; the message names those that exist.
        """
        if is_number(reference):
            self._require(model, int(reference))
            return int(reference)
        alias, at, time = reference.partition("@")
        if at and is_alias_name(alias):
            return self._resolve_then(model, alias, time)
        number = self.aliases(model).get(alias) if is_alias_name(reference) else None
        if number is None:
            raise NotFoundError(
                f"Model {model!r} has no version or alias {reference[:80]!r}. "
                f"It has: {', '.join([*self.aliases(model).all(), *self._known(model)])}."
            )
        return number

    def manifest(self, model: str, version: int) -> Manifest:
        """Return the version's manifest. Raises NotFoundError, CorruptVersionError."""
        try:
            values = json.loads(self._folder(model).manifest(version))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            self._require(model, version)
            raise CorruptVersionError(f"{MANIFEST_FILE} cannot be read: {error}") from error
        except (ValueError, RecursionError) as error:
            raise CorruptVersionError(f"{MANIFEST_FILE} cannot be read: {error}") from error
        return Manifest.from_dict(values)

    def add_report(self, model: str, version: int, files: Mapping[str, bytes]) -> None:
        """Lay files beside a version; each is there whole or not at all. Raises NotFoundError."""
        self._require(model, version).add_report(version, files)

    def report(self, model: str, version: int) -> list[str]:
        """Return the names of the files in a version's report, sorted. Raises NotFoundError."""
        return self._require(model, version).report(version)

    def report_file(self, model: str, version: int, name: str) -> bytes:
        """Return a file of a version's report. Raises NotFoundError, naming those there are."""
        known = self.report(model, version)
        if name not in known:
            raise NotFoundError(
                f"The report of {model!r} version {version} has no file {name[:80]!r}. "
                f"It has: {', '.join(known) or 'none'}."
            )
        return self._folder(model).report_file(version, name)

    def verdict(self, model: str, version: int) -> dict[str, Any] | None:
        """Return how a version was judged when it was new, or None. Raises NotFoundError."""
        if VERDICT_FILE not in self.report(model, version):
            return None
        return _object(self.report_file(model, version, VERDICT_FILE))

    def stamp(self, model: str, version: int) -> Stamp | None:
        """Return what changes with a version's files, unless the store is away: raises OSError."""
        return self._folder(model).stamp(version)

    def files(self, model: str, version: int) -> tuple[Manifest, bytes]:
        """Return the version's manifest and its weights' file, after checking that they belong.

        Raises
        ------
        NotFoundError
            If there is no such version.
        CorruptVersionError
            If the weights are not those whose SHA-256 the manifest names.
        """
        manifest = self.manifest(model, version)
        return manifest, self._read(model, version, WEIGHTS_FILE, manifest.weights_sha256)

    def load(self, model: str, version: int) -> Version:
        """Return the version with its network, after checking that it is what was published.

        Raises
        ------
        NotFoundError
            If there is no such version.
        CorruptVersionError
            If a file is not that whose SHA-256 the manifest names, or does not fit it, or the
            version answers its golden inputs otherwise than when it was made.
        """
        manifest, content = self.files(model, version)
        network = manifest.build_network()
        try:
            network.from_tensors(decode_weights(content))
        except ShapeError as error:
            raise CorruptVersionError(f"{WEIGHTS_FILE} does not fit the layers: {error}") from error
        if not np.isfinite(network.params).all():
            raise CorruptVersionError(f"{WEIGHTS_FILE} holds NaN or Infinity.")
        loaded = Version(version, network, manifest)
        if manifest.golden_sha256:
            golden = self._read(model, version, GOLDEN_FILE, manifest.golden_sha256)
            Golden.decode(golden).check(Classifier.of(loaded))
        return loaded

    def sketch(self, model: str, version: int) -> Sketch | None:
        """Return what the version's data looked like, None where that was not kept.

        Raises NotFoundError, CorruptVersionError.
        """
        sha256 = self.manifest(model, version).sketch_sha256
        return Sketch.decode(self._read(model, version, SKETCH_FILE, sha256)) if sha256 else None

    def delete(self, model: str, version: int) -> None:
        """Remove a version; its number is not given again.

        Raises
        ------
        NotFoundError
            If there is no such version.
        VersionInUseError
            If an alias names it.
        """
        folder = self._require(model, version)

        def check_unused() -> None:
            naming = self.aliases(model).naming(version)
            if naming:
                raise VersionInUseError(
                    f"Version {version} of {model!r} is named by: {', '.join(naming)}."
                )
            self._require(model, version)

        folder.delete(version, check_unused)

    def prune(self, model: str, *, last: int, best: int = 0) -> list[int]:
        """Remove old versions and return their numbers, ascending.

        Parameters
        ----------
        model : str
        last : int
            How many of the newest stay; at least 1.
        best : int
            How many of those with the highest test accuracy stay, the newer of two that are equal.

        What an alias names stays too.
        """
        numbers = self.versions(model)
        by_accuracy = sorted(numbers, key=lambda n: (self._test_accuracy(model, n), n))
        kept = {*numbers[-max(last, 1) :], *by_accuracy[len(numbers) - best :]}
        removed = []
        for version in sorted(set(numbers) - kept):
            # Named by an alias, perhaps since a moment ago; or removed by another process.
            with suppress(VersionInUseError, NotFoundError):
                self.delete(model, version)
                removed.append(version)
        return removed

    def _check_alike(self, model: str, target: Target) -> None:
        """Load all that `target` names. Raises as `promote` does."""
        expected = _asked_and_told(self.load(model, target.version))
        for version in target.versions:
            if version != target.version and _asked_and_told(self.load(model, version)) != expected:
                raise wrong(
                    target.pointer(version),
                    f"Version {version} takes other rows or knows other labels than version "
                    f"{target.version}.",
                )

    def _test_accuracy(self, model: str, version: int) -> float:
        """Return the test accuracy that the manifest tells; -1 where it tells none."""
        try:
            return float(self.manifest(model, version).metrics["test_accuracy"])
        except (RegistryError, KeyError, TypeError, ValueError):
            return -1.0

    def _resolve_then(self, model: str, alias: str, time: str) -> int:
        """Return the number that `alias` named at a time. Raises NotFoundError."""
        self.require(model)
        moment = parse_moment(time)
        if moment is None:
            raise NotFoundError(
                f"{time[:80]!r} is no time with its zone, such as 2026-11-20T12:00:00Z."
            )
        if moment > datetime.now(UTC):
            raise NotFoundError(f"What {alias!r} will name at {time} nobody knows.")
        number = self.aliases(model).at(alias, moment)
        if number is None:
            raise NotFoundError(f"{alias!r} of model {model!r} named nothing at {time}.")
        return number

    def _read(self, model: str, version: int, name: str, sha256: str) -> bytes:
        """Return a file of a version after checking its hash. Raises CorruptVersionError."""
        try:
            content = self._folder(model).read(version, name, sha256)
        except FileNotFoundError as error:
            raise CorruptVersionError(f"{name} is missing.") from error
        digest = hashlib.sha256(content).hexdigest()
        if digest != sha256:
            raise CorruptVersionError(f"{name} has SHA-256 {digest}; the manifest names {sha256}.")
        return content

    def _require(self, model: str, version: int) -> StoredModel:
        """Return what is stored of the version's model. Raises NotFoundError."""
        folder = self._folder(model)
        if not folder.has(version):
            raise NotFoundError(
                f"Model {model!r} has no version {version}. "
                f"It has: {', '.join(self._known(model))}."
            )
        return folder

    def _known(self, model: str) -> list[str]:
        """Return the newest versions' numbers, for messages. Raises NotFoundError."""
        self.require(model)
        return [str(number) for number in reversed(self.newest(model, 20))]

    def _folder(self, model: str) -> StoredModel:
        if not is_model_name(model):
            raise NotFoundError(f"{model[:80]!r} cannot name a model.")
        if isinstance(self._store, ObjectStore):
            return ModelObjects(self._store, f"models/{model}")
        return ModelFolder(self._store / "models" / model)


def _files(
    network: Network, manifest: Manifest, golden: Golden | None, sketch: Sketch | None
) -> dict[str, bytes]:
    """Return what a version's folder holds, by name; the manifest names the hashes of the rest."""
    files = {WEIGHTS_FILE: encode_weights(network.to_tensors())}
    if golden is not None:
        files[GOLDEN_FILE] = golden.encode()
    if sketch is not None:
        files[SKETCH_FILE] = sketch.encode()
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest = dataclasses.replace(
        manifest,
        weights_sha256=hashes[WEIGHTS_FILE],
        golden_sha256=hashes.get(GOLDEN_FILE, ""),
        sketch_sha256=hashes.get(SKETCH_FILE, ""),
    )
    manifest = dataclasses.replace(manifest, manifest_sha256=digest(manifest.to_dict()))
    return files | {MANIFEST_FILE: _to_json(manifest.to_dict())}


def _asked_and_told(version: Version) -> tuple[Any, ...]:
    return version.manifest.input_shape, version.manifest.labels


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        values = json.loads(content)
    except ValueError:
        return None
    return values if isinstance(values, dict) else None


def _to_json(values: dict[str, Any]) -> bytes:
    return json.dumps(values, indent=2, allow_nan=False).encode() + b"\n"
