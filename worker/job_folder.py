"""What a job keeps in the store while it is not done: its checkpoint, and whose it is.

A worker that is not heard of may still run: it was only cut off, or stood still for a while. The
job is then begun elsewhere, and that execution becomes its owner. An execution that is not the
owner can neither write a checkpoint nor publish a version any more.
"""

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nncore.durable import replace_file
from nncore.errors import InkwellError
from nncore.object_store import ObjectStore, Store

CHECKPOINT_FILE = "checkpoint.safetensors"
OWNER_FILE = "owner"
LOCK_FILE = ".lock"


JOBS_FOLDER = "jobs"


class SupersededError(InkwellError):
    """The job belongs to another execution by now."""


def make_jobs_folder(store: Store) -> None:
    """Make the folder for all jobs, which tells that `store` is there, where that is a folder."""
    if not isinstance(store, ObjectStore):
        (store / JOBS_FOLDER).mkdir(parents=True, exist_ok=True)


def open_job(store: Store, job_id: str, execution_id: str) -> "JobFolder | JobObjects":
    """Return what the job `job_id` keeps in `store`, as the execution `execution_id` sees it."""
    kind = JobObjects if isinstance(store, ObjectStore) else JobFolder
    return kind(store, job_id, execution_id)  # type: ignore[arg-type]


def untouched_jobs(store: Store) -> dict[str, float]:
    """Return for how many seconds each job that keeps something in `store` has changed nothing."""
    ages: dict[str, float] = {}
    if isinstance(store, ObjectStore):
        for key, age in store.ages(JOBS_FOLDER):
            job_id = key.removeprefix(f"{JOBS_FOLDER}/").partition("/")[0]
            ages[job_id] = min(age, ages.get(job_id, age))
        return ages
    with suppress(FileNotFoundError):
        for entry in os.scandir(store / JOBS_FOLDER):
            with suppress(FileNotFoundError):  # done meanwhile
                ages[entry.name] = time.time() - entry.stat().st_mtime
    return ages


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


class JobObjects:
    """The same in a bucket.

    There is no lock: an execution that is superseded in the middle of writing a checkpoint still
    puts it, which is one of the same run. And one in the middle of publishing makes the job's
    version, which no other execution can make a second time (`nncore.model_objects`).
    """

    def __init__(self, store: ObjectStore, job_id: str, execution_id: str) -> None:
        self._store = store
        self._prefix = f"{JOBS_FOLDER}/{job_id}"
        self._execution = execution_id.encode()

    def check_store(self) -> None:
        """Raise OSError where the store is away."""
        self._store.names(JOBS_FOLDER)

    def take(self) -> bool:
        """Become the owner; tell whether there was one before."""
        begun_before = self._read(OWNER_FILE) is not None
        self._store.write(self._key(OWNER_FILE), self._execution)
        return begun_before

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Do what is inside as the owner. Raises SupersededError, OSError."""
        owner = self._read(OWNER_FILE)
        if owner != self._execution:
            done = owner is None
            raise SupersededError(
                "This job is done." if done else "Another execution of this job has begun."
            )
        yield

    def once(self, name: str, count: Callable[[], int]) -> int:
        """Return the number noted as `name` when this was first asked; `count` tells it then."""
        if self._read(name) is None:
            self._store.create(self._key(name), b"%d" % count())
        return int(self._store.read(self._key(name)))

    def save(self, checkpoint: bytes) -> None:
        """Put `checkpoint` in the place of the one before. Raises SupersededError, OSError."""
        with self.owned():
            self._store.write(self._key(CHECKPOINT_FILE), checkpoint)

    def load(self) -> bytes | None:
        """Return the checkpoint, or None where there is none."""
        return self._read(CHECKPOINT_FILE)

    def remove(self) -> None:
        """Remove all: the job has ended well."""
        with suppress(OSError):
            self._store.remove(list(self._store.keys(self._prefix)))

    def _read(self, name: str) -> bytes | None:
        try:
            return self._store.read(self._key(name))
        except FileNotFoundError:
            return None

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}"


StoredJob = JobFolder | JobObjects
