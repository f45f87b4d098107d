"""Uploaded data sets on disk, and the corrected examples that people send.

Layout, below the store::

    datasets/<name>/data.npz, manifest.json     immutable: a data set is deleted and made anew
    feedback/<model>/examples.jsonl             only ever longer: a line an example, or
                                                one that says which before it is deleted
"""

import base64
import fcntl
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nncore.arrays import Pixels
from nncore.datasets import DATASETS, FEEDBACK, PICTURE, DatasetSpec
from nncore.durable import sync_folder, write_file
from nncore.errors import CorruptVersionError, NotFoundError
from nncore.manifest import now
from nncore.model_folder import names
from nncore.names import is_model_name
from nncore.training import Examples

MANIFEST, DATA = "manifest.json", "data.npz"
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
    """The uploaded data sets of the store at `store`, a folder that need not exist yet."""

    def __init__(self, store: Path) -> None:
        self._folder = store / "datasets"

    def names(self) -> list[str]:
        """Return the names of all uploaded data sets, sorted."""
        known = (name for name in names(self._folder) if is_model_name(name))
        return sorted(
            name
            for name in known
            if name not in DATASETS and (self._folder / name / MANIFEST).is_file()
        )

    def manifest(self, name: str) -> dict[str, Any]:
        """Return all that is known of a data set. Raises NotFoundError, CorruptVersionError."""
        if not is_model_name(name) or name in DATASETS:
            raise self._not_found(name)
        try:
            values = json.loads((self._folder / name / MANIFEST).read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            raise self._not_found(name) from None
        except ValueError as error:
            raise CorruptVersionError(f"{MANIFEST} of data set {name!r}: {error}") from None
        if not isinstance(values, dict):
            raise CorruptVersionError(f"{MANIFEST} of data set {name!r} is no object.")
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
        self._folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=self._folder))
        try:
            arrays = dict(zip(ARRAYS, (*train, *test), strict=True))
            packed = io.BytesIO()
            np.savez_compressed(packed, allow_pickle=False, **arrays)
            write_file(staging / DATA, packed.getvalue())
            write_file(staging / MANIFEST, json.dumps(manifest, indent=2).encode())
            staging.chmod(0o755)
            sync_folder(staging)
            staging.rename(self._folder / name)
            sync_folder(self._folder)
        except OSError:
            if not (self._folder / name).exists():
                raise
            there = self.manifest(name)
            if (there["sha256"], there["labels"]) != (manifest["sha256"], manifest["labels"]):
                raise DatasetExistsError(name) from None
            return there
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return manifest

    def load(self, name: str) -> tuple[Examples, Examples]:
        """Return train and test. Raises NotFoundError, CorruptVersionError."""
        manifest = self.manifest(name)
        try:
            with np.load(self._folder / name / DATA, allow_pickle=False) as arrays:
                parts = [arrays[key] for key in ARRAYS]
        except (OSError, ValueError, KeyError) as error:
            raise CorruptVersionError(f"Data set {name!r} cannot be read: {error}") from None
        train, test = Examples(*parts[:2]), Examples(*parts[2:])
        if data_sha256(train, test) != manifest["sha256"]:
            raise CorruptVersionError(f"Data set {name!r} is not as it was uploaded.")
        return train, test

    def delete(self, name: str) -> None:
        """Remove a data set. Raises NotFoundError."""
        self.manifest(name)
        removed = Path(tempfile.mkdtemp(prefix=".removed-", dir=self._folder))
        (self._folder / name).rename(removed / name)
        shutil.rmtree(removed)

    def _not_found(self, name: str) -> NotFoundError:
        known = ", ".join((*DATASETS, *self.names()))
        return NotFoundError(f"There is no data set {name[:80]!r}. There is: {known}.")


class Feedback:
    """The corrected examples of `model`, in the order in which they came, by numbers from 1.

    They lie in a file that only grows: what a version was trained on is the file's beginning, and
    stays it, whatever is added or deleted later.
    """

    def __init__(self, store: Path, model: str) -> None:
        self._file = store / FEEDBACK / model / "examples.jsonl"

    def add(self, pixels: Pixels, labels: Iterable[str], **about: Any) -> None:
        """Keep examples, uint8 (n, 784). Raises OSError."""
        at, rows = now(), (base64.b64encode(row.tobytes()).decode() for row in pixels)
        lines = [
            {"label": label, "at": at, **about, "pixels": row}
            for row, label in zip(rows, labels, strict=True)
        ]
        self._append(lines)

    def delete(self, number: int) -> None:
        """Take an example out of all that is trained from now on. Raises NotFoundError, OSError."""
        if number not in self.kept():
            raise NotFoundError(f"There is no corrected example {number}.")
        self._append([{"deleted": number, "at": now()}])

    def length(self) -> int:
        """Return how many lines there are: what is to be trained on, for `kept`, `examples`."""
        return len(self._lines())

    def kept(self, length: int | None = None) -> dict[int, dict[str, Any]]:
        """Return the examples that are not deleted, by number, as of the first `length` lines."""
        examples: dict[int, dict[str, Any]] = {}
        for number, line in enumerate(map(json.loads, self._lines()[:length]), start=1):
            if "deleted" in line:
                examples.pop(line["deleted"], None)
            else:
                examples[number] = line
        return examples

    def examples(self, labels: tuple[str, ...], length: int) -> Examples:
        """Return the examples as of `length` lines; of a picture that came twice, its last label.

        Raises
        ------
        NotFoundError
            If an example has a label that is none of `labels`.
        """
        last: dict[bytes, int] = {}
        for line in self.kept(length).values():
            if line["label"] not in labels:
                known = ", ".join(labels)
                detail = f"Feedback has the label {line['label'][:80]!r}; the data know {known}."
                raise NotFoundError(detail)
            last[base64.b64decode(line["pixels"])] = labels.index(line["label"])
        pixels = np.frombuffer(b"".join(last), np.uint8).reshape(-1, 784)
        return Examples(pixels, np.array([*last.values()], np.int64))

    def _lines(self) -> list[bytes]:
        try:
            return self._file.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []

    def _append(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Write whole lines behind whole lines, and to the disk."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(-1, os.SEEK_END) if file.tell() else None
            if file.read(1) not in (b"", b"\n"):  # a process died while it wrote
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
            file.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
        sync_folder(self._file.parent)
