"""Files and folders that are there whole or not at all, also after a power cut."""

import os
import re
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

STAGED_FOLDER = ".staging-"
STAGED_FILE = re.compile(r"\..+\.\d+\.[0-9a-f]{8}")  # what `replace_file` writes first


def stage(folder: Path) -> Path:
    """Return a new hidden folder in `folder`, to be filled and then renamed."""
    return Path(tempfile.mkdtemp(prefix=STAGED_FOLDER, dir=folder))


def remove_staged(folder: Path, seconds: float) -> None:
    """Remove what lies staged anywhere in `folder` and has not changed for so many seconds."""
    before = time.time() - seconds
    for place, folders, files in os.walk(folder):
        staged = [name for name in folders if name.startswith(STAGED_FOLDER)]
        folders[:] = sorted({*folders} - {*staged})
        staged += [name for name in files if STAGED_FILE.fullmatch(name)]
        for path in (Path(place, name) for name in staged):
            with suppress(OSError):  # whoever staged it lives, and has just renamed it
                if path.stat().st_mtime < before:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()


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
