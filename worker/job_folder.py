"""What a job keeps in the store while it is not done: its checkpoint, and whose it is.

A worker that is not heard of may still run: it was only cut off, or stood still for a while. The
job is then begun elsewhere, and that execution becomes its owner. An execution that is not the
owner can neither write a checkpoint nor publish a version any more.
"""

import errno
import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nncore.durable import replace_file
from nncore.errors import InkwellError

CHECKPOINT_FILE = "checkpoint.safetensors"
OWNER_FILE = "owner"
LOCK_FILE = ".lock"


JOBS_FOLDER = "jobs"


class SupersededError(InkwellError):
    """The job belongs to another execution by now."""


def make_jobs_folder(store: Path) -> None:
    """Make the folder for all jobs, which tells that `store` is there."""
    (store / JOBS_FOLDER).mkdir(parents=True, exist_ok=True)


class JobFolder:
    """The folder of the job `job_id` in the store, as the execution `execution_id` sees it."""

    def __init__(self, store: Path, job_id: str, execution_id: str) -> None:
        self._folder = store / JOBS_FOLDER / job_id
        self._execution = execution_id

    def check_store(self) -> None:
        """Raise OSError where the store that the worker began with is away.

        It must not be made anew: a disk that is away leaves an empty folder behind, and what was
        published into that would be lost when it comes back.
        """
        jobs = self._folder.parent
        if not jobs.is_dir():
            raise OSError(errno.ESTALE, "The store that this worker began with is away", str(jobs))

    def take(self) -> bool:
        """Become the owner; tell whether there was one before."""
        self._folder.mkdir(parents=True, exist_ok=True)
        owner = self._folder / OWNER_FILE
        with self._locked():
            begun_before = owner.exists()
            replace_file(owner, self._execution.encode())
        return begun_before

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Hold the folder for as long as what is inside takes.

        Raises
        ------
        SupersededError
            If another execution has become the owner, or the job is done.
        OSError
            If the store is away.
        """
        try:
            with self._locked():
                if (self._folder / OWNER_FILE).read_text() != self._execution:
                    raise SupersededError("Another execution of this job has begun.")
                yield
        except FileNotFoundError as error:
            if self._folder.exists():
                raise
            self.check_store()
            raise SupersededError("This job is done.") from error

    def once(self, name: str, count: Callable[[], int]) -> int:
        """Return the number noted as `name` when this was first asked; `count` tells it then."""
        path = self._folder / name
        if not path.exists():
            replace_file(path, b"%d" % count())
        return int(path.read_bytes())

    def save(self, checkpoint: bytes) -> None:
        """Put `checkpoint` in the place of the one before. Raises SupersededError, OSError."""
        with self.owned():
            replace_file(self._folder / CHECKPOINT_FILE, checkpoint)

    def load(self) -> bytes | None:
        """Return the checkpoint, or None where there is none."""
        try:
            return (self._folder / CHECKPOINT_FILE).read_bytes()
        except FileNotFoundError:
            return None

    def remove(self) -> None:
        """Remove all: the job has ended well."""
        shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._folder / LOCK_FILE).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
