"""Files and folders that are there whole or not at all, also after a power cut."""

import os
from pathlib import Path


def write_file(path: Path, content: bytes) -> None:
    """Write `content` and wait until it is on the disk. Readers may see it half written."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, content: bytes, *, mtime_ns: int | None = None) -> None:
    """Put `content` in the place of `path`: a reader sees the old content or the new.

    `mtime_ns` sets the time of change, for readers that tell changes by it: the kernel's own
    stamp moves only every few milliseconds.
    """
    staged = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        write_file(staged, content)
        if mtime_ns is not None:
            os.utime(staged, ns=(mtime_ns, mtime_ns))
        os.replace(staged, path)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Wait until the names in the folder `path` are on the disk."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
