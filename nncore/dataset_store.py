"""Uploaded data sets. Each is immutable: it can be deleted and made anew."""

import hashlib
import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from nncore.dataset_files import DatasetFolders, DatasetObjects
from nncore.datasets import DATASETS, PICTURE, DatasetSpec
from nncore.errors import CorruptVersionError, NotFoundError
from nncore.manifest import now
from nncore.names import is_model_name
from nncore.object_store import ObjectStore, Store
from nncore.training import Examples

NEEDED = {"labels", "train_rows", "test_rows", "sha256", "created_at"}  # of a manifest
ARRAYS = ("train_pixels", "train_labels", "test_pixels", "test_labels")


class DatasetExistsError(Exception):
    """There is another data set of that name."""


def data_sha256(train: Examples, test: Examples) -> str:
    """Return the hash of all pixels and labels, train before test."""
    digest = hashlib.sha256()
    for array in (*train, *test):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


class DatasetStore:
    """The uploaded data sets of `store`: in a folder, which need not exist yet, or in a bucket."""

    def __init__(self, store: Store) -> None:
        if isinstance(store, ObjectStore):
            self._files: DatasetFolders | DatasetObjects = DatasetObjects(store)
        else:
            self._files = DatasetFolders(store / "datasets")

    def names(self) -> list[str]:
        """Return the names of all uploaded data sets, sorted."""
        known = (name for name in self._files.names() if is_model_name(name))
        return sorted(name for name in known if name not in DATASETS)

    def manifest(self, name: str) -> dict[str, Any]:
        """Return all that is known of a data set. Raises NotFoundError, CorruptVersionError."""
        if not is_model_name(name) or name in DATASETS:
            raise self._not_found(name)
        try:
            values = json.loads(self._files.manifest(name))
        except (FileNotFoundError, NotADirectoryError):
            raise self._not_found(name) from None
        except ValueError as error:
            raise CorruptVersionError(f"manifest.json of data set {name!r}: {error}") from None
        if not isinstance(values, dict) or not values.keys() >= NEEDED:
            raise CorruptVersionError(f"manifest.json of data set {name!r} is not what was kept.")
        return values

    def spec(self, name: str) -> DatasetSpec:
        """Return what a configuration must fit. Raises as `manifest` does."""
        values = self.manifest(name)
        labels = tuple(values["labels"])
        return DatasetSpec(PICTURE, labels, values["train_rows"], values["test_rows"])

    def save(
        self,
        name: str,
        train: Examples,
        test: Examples,
        labels: tuple[str, ...],
        about: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Keep a data set; it is there whole or not at all. Return its manifest.

        Parameters
        ----------
        name : str
        train, test : Examples
            uint8 (n, 784), and places in `labels`.
        labels : tuple of str
        about : mapping
            What else is to be known of it, as JSON values.

        Raises
        ------
        DatasetExistsError
            If there is another data set of that name; the same once more changes nothing.
        """
        manifest = {
            "name": name,
            "sha256": data_sha256(train, test),
            "labels": [*labels],
            "train_rows": len(train.labels),
            "test_rows": len(test.labels),
            **about,
            "created_at": now(),
        }
        packed = io.BytesIO()
        arrays = dict(zip(ARRAYS, (*train, *test), strict=True))
        np.savez_compressed(packed, allow_pickle=False, **arrays)
        if self._files.save(name, packed.getvalue(), manifest):
            return manifest
        there = self.manifest(name)
        if (there["sha256"], there["labels"]) != (manifest["sha256"], manifest["labels"]):
            raise DatasetExistsError(name)
        return there

    def load(self, name: str) -> tuple[Examples, Examples]:
        """Return train and test. Raises NotFoundError, CorruptVersionError."""
        manifest = self.manifest(name)
        data = self._files.data(name, manifest)
        try:
            with np.load(data, allow_pickle=False) as arrays:
                parts = [arrays[key] for key in ARRAYS]
        except (OSError, ValueError, KeyError) as error:
            raise CorruptVersionError(f"Data set {name!r} cannot be read: {error}") from None
        train, test = Examples(*parts[:2]), Examples(*parts[2:])
        if data_sha256(train, test) != manifest["sha256"]:
            raise CorruptVersionError(f"Data set {name!r} is not as it was uploaded.")
        return train, test

    def delete(self, name: str) -> None:
        """Remove a data set, a damaged one too. Raises NotFoundError."""
        try:
            manifest = self.manifest(name)
        except CorruptVersionError:
            manifest = None
        self._files.delete(name, manifest)

    def _not_found(self, name: str) -> NotFoundError:
        known = ", ".join((*DATASETS, *self.names()))
        return NotFoundError(f"There is no data set {name[:80]!r}. There is: {known}.")
