"""The corrected examples that people send.

Layout, below the store, a folder or a bucket::

    feedback/<model>/examples.jsonl             only ever longer: a line an example, or
                                                one that says which before it is deleted
    feedback/<model>/<000000000001>.jsonl       in a bucket: the lines that came together
"""

import base64
import fcntl
import json
import os
from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from nncore.arrays import Pixels
from nncore.datasets import FEEDBACK
from nncore.durable import sync_folder
from nncore.errors import NotFoundError
from nncore.manifest import now
from nncore.object_store import ObjectStore, Store
from nncore.training import Examples


class Feedback:
    """The corrected examples of `model`, in the order in which they came, by numbers from 1.

    They lie in lines of which there are only ever more: what a version was trained on are the
    first, and stay it, whatever is added or deleted later.
    """

    def __init__(self, store: Store, model: str) -> None:
        if isinstance(store, ObjectStore):
            self._lines: _LinesFile | _LinesObjects = _LinesObjects(store, f"{FEEDBACK}/{model}")
        else:
            self._lines = _LinesFile(store / FEEDBACK / model / "examples.jsonl")

    def add(self, pixels: Pixels, labels: Iterable[str], **about: Any) -> None:
        """Keep examples, uint8 (n, 784). Raises OSError."""
        at, rows = now(), (base64.b64encode(row.tobytes()).decode() for row in pixels)
        lines = [
            {"label": label, "at": at, **about, "pixels": row}
            for row, label in zip(rows, labels, strict=True)
        ]
        self._lines.append(_text(lines))

    def delete(self, number: int) -> None:
        """Take an example out of all that is trained from now on. Raises NotFoundError, OSError."""
        if number not in self.kept():
            raise NotFoundError(f"There is no corrected example {number}.")
        self._lines.append(_text([{"deleted": number, "at": now()}]))

    def length(self) -> int:
        """Return how many lines there are: what is to be trained on, for `kept`, `examples`."""
        return len(self._lines.read())

    def kept(self, length: int | None = None) -> dict[int, dict[str, Any]]:
        """Return the examples that are not deleted, by number, as of the first `length` lines."""
        examples: dict[int, dict[str, Any]] = {}
        for number, line in enumerate(map(json.loads, self._lines.read()[:length]), start=1):
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


class _LinesFile:
    """Lines in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> list[bytes]:
        """Return all whole lines."""
        try:
            return self._file.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []

    def append(self, lines: bytes) -> None:
        """Write whole lines behind whole lines, and to the disk."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(-1, os.SEEK_END) if file.tell() else None
            if file.read(1) not in (b"", b"\n"):  # a process died while it wrote
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(self._file.parent)


class _LinesObjects:
    """Lines in objects below `prefix`, numbered as they came."""

    def __init__(self, store: ObjectStore, prefix: str) -> None:
        self._store = store
        self._prefix = prefix

    def read(self) -> list[bytes]:
        """Return all lines."""
        parts = self._store.read_all(list(self._store.keys(self._prefix)))
        return b"".join(parts).split(b"\n")[:-1]

    def append(self, lines: bytes) -> None:
        """Put lines behind all others: under the first number that nobody took."""
        there = len(list(self._store.keys(self._prefix)))
        for number in count(there + 1):
            if self._store.create(f"{self._prefix}/{number:012d}.jsonl", lines):
                return


def _text(lines: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)
