"""The receipt of a training: the code and the machine that it was made by."""

import hashlib
import os
import platform
import re
from importlib.util import find_spec
from pathlib import Path

from threadpoolctl import threadpool_info

from nncore.manifest import Machine

ROOMS = ("nncore", "worker")  # what is written there decides what comes out of a training


def this_machine(blas_threads: int | None) -> Machine:
    """Return where this runs; `blas_threads` is None for one a core."""
    return Machine(
        _processor(), platform.machine(), _blas(), blas_threads or len(os.sched_getaffinity(0))
    )


def _code_sha256() -> str:
    """Return the hash of the names and contents of all source files of `ROOMS`."""
    digest = hashlib.sha256()
    for room in ROOMS:
        spec = find_spec(room)
        assert spec and spec.origin  # noqa: S101, PT018 - this file is in one of them
        folder = Path(spec.origin).parent
        for path in sorted(folder.rglob("*.py")):
            content = path.read_bytes()
            name = path.relative_to(folder.parent).as_posix()
            digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor()


def _blas() -> str:
    """Return name, version and chosen code of NumPy's BLAS; SciPy brings one of its own."""
    found = [library for library in threadpool_info() if library["user_api"] == "blas"]
    found.sort(key=lambda library: "numpy" not in library["filepath"])
    if not found:
        return "unknown"
    facts = (found[0].get(key) for key in ("internal_api", "version", "architecture"))
    return " ".join(str(fact) for fact in facts if fact)


# Now: when a job ends, its files may be others than those that were loaded.
CODE_SHA256 = _code_sha256()
