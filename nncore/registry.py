"""The registry: numbered versions of models on disk, and which of them is live.

Layout, below the store::

    models/<model>/versions/<n>/                                      immutable
        weights.safetensors, golden.safetensors, manifest.json
        report/                                                       what was found out about it
    models/<model>/aliases/<alias>                                    its last move
    models/<model>/aliases/history.jsonl                              who, when, from, to, why

It needs no server: what the files say is what is live. Nothing is created by looking.
"""

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nncore.aliases import LIVE as LIVE
from nncore.aliases import PREVIOUS, Aliases, Move, Stamp, anything, parse_moment
from nncore.classifier import Classifier
from nncore.durable import replace_file, sync_folder, write_file
from nncore.errors import (
    CorruptVersionError,
    NotFoundError,
    NothingBeforeError,
    ShapeError,
    VersionInUseError,
)
from nncore.golden import Golden
from nncore.manifest import Manifest
from nncore.names import check_alias_name, check_model_name, is_alias_name, is_model_name
from nncore.network import Network
from nncore.specs import wrong
from nncore.weights import decode_weights, encode_weights

WEIGHTS_FILE = "weights.safetensors"
GOLDEN_FILE = "golden.safetensors"
MANIFEST_FILE = "manifest.json"
REPORT_FOLDER = "report"
VERDICT_FILE = "verdict.json"


class Version(NamedTuple):
    """A loaded version: its number, its network and its manifest."""

    number: int
    network: Network
    manifest: Manifest


class Registry:
    """The versions in the store at `store`, a folder that need not exist yet."""

    def __init__(self, store: Path) -> None:
        self._models = store / "models"

    def models(self) -> list[str]:
        """Return the names of all models that have a version, sorted."""
        names = _names(self._models)
        return sorted(name for name in names if is_model_name(name) and self.versions(name))

    def versions(self, model: str) -> list[int]:
        """Return the numbers of the model's versions, ascending; none for an unknown model."""
        return sorted(int(name) for name in _names(self._versions(model)) if _is_number(name))

    def require(self, model: str) -> None:
        """Raise NotFoundError, naming those that exist, unless there is such a model."""
        self._existing(model)

    def aliases(self, model: str) -> Aliases:
        """Return the model's aliases, to look at. To move one, `promote`."""
        return Aliases(self._folder(model) / "aliases")

    def publish(
        self, model: str, network: Network, manifest: Manifest, golden: Golden | None = None
    ) -> int:
        """Store a new version and return its number.

        Everything is written into a hidden folder, put on the disk, and renamed to the next free
        number. So no reader ever sees half a version, and of two workers that publish at once
        each gets a number of its own.

        Parameters
        ----------
        model : str
        network : Network
            Its parameters are what is stored.
        manifest : Manifest
            The hashes are filled in here.
        golden : Golden, optional
            What the version must answer wherever it is loaded.

        Raises
        ------
        OSError
            If the disk is full or not writable; nothing is left behind then.
        """
        check_model_name(model, "/model")
        versions = self._versions(model)
        versions.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=versions))
        try:
            for name, content in _files(network, manifest, golden).items():
                write_file(staging / name, content)
            staging.chmod(0o755)
            sync_folder(staging)
            number = self._rename_to_next(staging, versions)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        sync_folder(versions)
        return number

    def promote(
        self,
        model: str,
        version: int,
        *,
        alias: str = LIVE,
        reason: str = "",
        actor: str = "",
        accept: Callable[[str | None], bool] = anything,
    ) -> Move:
        """Let `alias` name `version` and write it into the history; see `Aliases.move`.

        Raises
        ------
        NotFoundError, CorruptVersionError
            If there is no such version, or it cannot be loaded; the alias stays where it was.
        AliasMovedError
            If `accept` does not accept where the alias stands.
        ConfigError
            If `alias` is no name, or that of what `live` named before.
        """
        check_alias_name(alias, "/alias")
        if alias == PREVIOUS:
            raise wrong("/alias", f"{PREVIOUS!r} is what {LIVE!r} named before: move that.")
        self.load(model, version)
        return self.aliases(model).move(alias, version, reason=reason, actor=actor, accept=accept)

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
        if last.before is None:
            raise NothingBeforeError(f"{alias!r} of model {model!r} named no other version before.")
        return self.promote(
            model,
            last.before,
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
        if _is_number(reference):
            self._require(model, int(reference))
            return int(reference)
        alias, at, time = reference.partition("@")
        if at and is_alias_name(alias):
            return self._resolve_then(model, alias, time)
        number = self.aliases(model).get(alias) if is_alias_name(reference) else None
        if number is None:
            versions = self._existing(model)
            known = [*self.aliases(model).all(), *map(str, versions[-20:])]
            raise NotFoundError(
                f"Model {model!r} has no version or alias {reference[:80]!r}. "
                f"It has: {', '.join(known)}."
            )
        return number

    def manifest(self, model: str, version: int) -> Manifest:
        """Return the version's manifest. Raises NotFoundError, CorruptVersionError."""
        folder = self._require(model, version)
        try:
            values = json.loads((folder / MANIFEST_FILE).read_bytes())
        except (ValueError, RecursionError, FileNotFoundError, IsADirectoryError) as error:
            raise CorruptVersionError(f"{MANIFEST_FILE} cannot be read: {error}") from error
        return Manifest.from_dict(values)

    def add_report(self, model: str, version: int, files: Mapping[str, bytes]) -> None:
        """Lay files beside a version; each is there whole or not at all. Raises NotFoundError."""
        folder = self._require(model, version) / REPORT_FOLDER
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            replace_file(folder / name, content)

    def report(self, model: str, version: int) -> list[str]:
        """Return the names of the files in a version's report, sorted. Raises NotFoundError."""
        folder = self._require(model, version) / REPORT_FOLDER
        return sorted(name for name in _names(folder) if not name.startswith("."))

    def report_file(self, model: str, version: int, name: str) -> bytes:
        """Return a file of a version's report. Raises NotFoundError, naming those there are."""
        known = self.report(model, version)
        if name not in known:
            raise NotFoundError(
                f"The report of {model!r} version {version} has no file {name[:80]!r}. "
                f"It has: {', '.join(known) or 'none'}."
            )
        return (self._versions(model) / str(version) / REPORT_FOLDER / name).read_bytes()

    def verdict(self, model: str, version: int) -> dict[str, Any] | None:
        """Return how a version was judged when it was new, or None. Raises NotFoundError."""
        if VERDICT_FILE not in self.report(model, version):
            return None
        return _object(self.report_file(model, version, VERDICT_FILE))

    def stamp(self, model: str, version: int) -> Stamp | None:
        """Return what changes if another version takes this one's place on disk: one stat."""
        try:
            status = os.stat(self._versions(model) / str(version) / MANIFEST_FILE)
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino

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
        if manifest.manifest_sha256 and manifest.manifest_sha256 != manifest.digest():
            raise CorruptVersionError(f"{MANIFEST_FILE} is not as it was published.")
        loaded = Version(version, network, manifest)
        if manifest.golden_sha256:
            golden = self._read(model, version, GOLDEN_FILE, manifest.golden_sha256)
            Golden.decode(golden).check(Classifier.of(loaded))
        return loaded

    def delete(self, model: str, version: int) -> None:
        """Remove a version. Raises NotFoundError; VersionInUseError where an alias names it."""
        folder = self._require(model, version)
        naming = [name for name, number in self.aliases(model).all().items() if number == version]
        if naming:
            raise VersionInUseError(
                f"Version {version} of {model!r} is named by: {', '.join(naming)}."
            )
        removed = Path(tempfile.mkdtemp(prefix=".removed-", dir=folder.parent))
        folder.rename(removed / folder.name)
        shutil.rmtree(removed)

    def prune(self, model: str, keep: int) -> list[int]:
        """Remove all but the newest `keep` versions (at least 1) and those that an alias names.

        The newest always stays, so that no number is given twice. Returns what was removed.
        """
        named = set(self.aliases(model).all().values())
        old = [v for v in self.versions(model)[: -max(keep, 1)] if v not in named]
        for version in old:
            self.delete(model, version)
        return old

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

    def _rename_to_next(self, staging: Path, versions: Path) -> int:
        taken = [int(name) for name in _names(versions) if _is_number(name)]
        number = max(taken, default=0) + 1
        while True:
            try:
                staging.rename(versions / str(number))
            except OSError:
                if not (versions / str(number)).exists():
                    raise
                number += 1
            else:
                return number

    def _read(self, model: str, version: int, name: str, sha256: str) -> bytes:
        """Return a file of a version after checking its hash. Raises CorruptVersionError."""
        try:
            content = (self._versions(model) / str(version) / name).read_bytes()
        except FileNotFoundError as error:
            raise CorruptVersionError(f"{name} is missing.") from error
        digest = hashlib.sha256(content).hexdigest()
        if digest != sha256:
            raise CorruptVersionError(f"{name} has SHA-256 {digest}; the manifest names {sha256}.")
        return content

    def _require(self, model: str, version: int) -> Path:
        folder = self._versions(model) / str(version)
        if not folder.is_dir():
            versions = self._existing(model)
            raise NotFoundError(
                f"Model {model!r} has no version {version}. "
                f"It has: {', '.join(map(str, versions[-20:]))}."
            )
        return folder

    def _existing(self, model: str) -> list[int]:
        versions = self.versions(model)
        if not versions:
            known = ", ".join(self.models()) or "none yet"
            raise NotFoundError(f"There is no model {model!r}. There is: {known}.")
        return versions

    def _folder(self, model: str) -> Path:
        if not is_model_name(model):
            raise NotFoundError(f"{model[:80]!r} cannot name a model.")
        return self._models / model

    def _versions(self, model: str) -> Path:
        return self._folder(model) / "versions"


def _files(network: Network, manifest: Manifest, golden: Golden | None) -> dict[str, bytes]:
    """Return what a version's folder holds, by name; the manifest names the hashes of the rest."""
    files = {WEIGHTS_FILE: encode_weights(network.to_tensors())}
    if golden is not None:
        files[GOLDEN_FILE] = golden.encode()
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest = dataclasses.replace(
        manifest,
        weights_sha256=hashes[WEIGHTS_FILE],
        golden_sha256=hashes.get(GOLDEN_FILE, ""),
    )
    manifest = dataclasses.replace(manifest, manifest_sha256=manifest.digest())
    return files | {MANIFEST_FILE: _to_json(manifest.to_dict())}


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) <= 12 and name[0] != "0"


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        values = json.loads(content)
    except ValueError:
        return None
    return values if isinstance(values, dict) else None


def _to_json(values: dict[str, Any]) -> bytes:
    return json.dumps(values, indent=2, allow_nan=False).encode() + b"\n"
