"""Where uploaded data sets lie: in folders of a disk, or in a bucket."""

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

from nncore.durable import stage, sync_folder, write_file
from nncore.model_folder import names
from nncore.object_store import ObjectStore

MANIFEST, DATA = "manifest.json", "data.npz"
UPLOADED = re.compile(r"datasets/[^/]+/[^/]+-[0-9a-f]{64}\.npz")  # in a bucket


class DatasetFolders:
    """Data sets as folders below `path`, which are there whole or not at all.

    Layout: ``datasets/<name>/data.npz``, ``datasets/<name>/manifest.json``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        """Return the names of all data sets."""
        return [name for name in names(self._path) if (self._path / name / MANIFEST).is_file()]

    def manifest(self, name: str) -> bytes:
        """Return what is known of a data set. Raises OSError, FileNotFoundError."""
        return (self._path / name / MANIFEST).read_bytes()

    def data(self, name: str, manifest: dict[str, Any]) -> Path:
        """Return its arrays, as NumPy loads them."""
        return self._path / name / DATA

    def save(self, name: str, data: bytes, manifest: dict[str, Any]) -> bool:
        """Keep a data set; tell whether there was none of that name. Raises OSError."""
        self._path.mkdir(parents=True, exist_ok=True)
        staging = stage(self._path)
        try:
            write_file(staging / DATA, data)
            write_file(staging / MANIFEST, json.dumps(manifest, indent=2).encode())
            staging.chmod(0o755)
            sync_folder(staging)
            staging.rename(self._path / name)
            sync_folder(self._path)
        except OSError:
            if not (self._path / name).exists():
                raise
            return False
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return True

    def delete(self, name: str, manifest: dict[str, Any] | None) -> None:
        """Remove a data set, whatever its manifest says."""
        removed = stage(self._path)
        (self._path / name).rename(removed / name)
        shutil.rmtree(removed)


class DatasetObjects:
    """Data sets in a bucket. There is one when its manifest is, which is put last, if absent.

    Layout: ``datasets/<name>.json``, ``datasets/<name>/<time>-<SHA-256>.npz``: of uploads at once
    each has data of its own.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def names(self) -> list[str]:
        """Return the names of all data sets."""
        return self._store.names("datasets", ".json")

    def manifest(self, name: str) -> bytes:
        """Return what is known of a data set. Raises OSError, FileNotFoundError."""
        return self._store.read(_manifest_key(name))

    def data(self, name: str, manifest: dict[str, Any]) -> io.BytesIO:
        """Return its arrays, as NumPy loads them. Raises OSError."""
        return io.BytesIO(self._store.read_immutable(_data_key(name, manifest)))

    def save(self, name: str, data: bytes, manifest: dict[str, Any]) -> bool:
        """Keep a data set; tell whether there was none of that name. Raises OSError."""
        key = _data_key(name, manifest)
        self._store.write(key, data)
        if self._store.create(_manifest_key(name), json.dumps(manifest, indent=2).encode()):
            return True
        self._store.remove([key])
        return False

    def delete(self, name: str, manifest: dict[str, Any] | None) -> None:
        """Remove a data set; where its manifest is None, the data stay for `remove_unfinished`."""
        data = [] if manifest is None else [_data_key(name, manifest)]
        self._store.remove([_manifest_key(name), *data])

    def remove_unfinished(self, seconds: float) -> None:
        """Remove data that no manifest names and that were put longer ago than `seconds`."""
        for key, age in self._store.ages("datasets"):
            if age > seconds and UPLOADED.fullmatch(key) and not self._is_named(key):
                self._store.remove([key])

    def _is_named(self, key: str) -> bool:
        name = key.split("/")[1]
        try:
            return key == _data_key(name, json.loads(self.manifest(name)))
        except FileNotFoundError:
            return False
        except (ValueError, KeyError, TypeError):
            return True  # perhaps: it is damaged


def _manifest_key(name: str) -> str:
    return f"datasets/{name}.json"


def _data_key(name: str, manifest: dict[str, Any]) -> str:
    return f"datasets/{name}/{manifest['created_at']}-{manifest['sha256']}.npz"
