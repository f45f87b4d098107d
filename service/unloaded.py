"""Models that were told to stop answering, in all processes, until they are loaded again."""

import fcntl
import os
import threading
from collections.abc import Callable

from service.problems import unavailable
from service.shared_file import shared_file


class UnloadedModels:
    """The names of the unloaded models, for all processes that come from this one by forking.

    Their file has no name: a restart begins with every model loaded.
    """

    def __init__(self) -> None:
        self._file = shared_file(self)
        self._lock = threading.Lock()

    def check(self, model: str) -> None:
        """Raise Problem 503 where `model` is unloaded; mostly one call of the kernel."""
        if model in self:
            detail = (
                f"Model {model!r} is unloaded. Load it: POST /v2/repository/models/{model}/load."
            )
            raise unavailable("model-unloaded", detail)

    def __contains__(self, model: str) -> bool:
        size = os.fstat(self._file).st_size
        return bool(size) and model in self._names(size)

    def add(self, model: str) -> None:
        """Let `model` answer no more."""
        self._change(lambda names: names | {model})

    def discard(self, model: str) -> None:
        """Let `model` answer again."""
        self._change(lambda names: names - {model})

    def _names(self, size: int) -> set[str]:
        return set(os.pread(self._file, size, 0).decode(errors="replace").split())

    def _change(self, change: Callable[[set[str]], set[str]]) -> None:
        with self._lock:
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            try:
                names = change(self._names(os.fstat(self._file).st_size))
                content = "\n".join(sorted(names)).encode()
                os.pwrite(self._file, content, 0)
                os.ftruncate(self._file, len(content))
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)
