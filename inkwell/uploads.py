"""From files on this machine to the body that uploads a data set."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inkwell.errors import InkwellError

SECONDS = 3600.0  # pictures are read one by one before the service answers


def upload(data: Any) -> dict[str, Any]:
    """Return what httpx is to send for a file, a folder, bytes, or parts by their names.

    Raises
    ------
    InkwellError, OSError
        If a folder has no files; if something cannot be read.
    """
    if isinstance(data, Mapping):
        files = [(name, (name, _content(part))) for name, part in data.items()]
        return {"files": files, "timeout": SECONDS}
    return {"content": _content(data), "timeout": SECONDS}


def _content(data: Any) -> bytes:
    if not isinstance(data, str | Path):
        return bytes(data)
    path = Path(data)
    return _zipped(path) if path.is_dir() else path.read_bytes()


def _zipped(folder: Path) -> bytes:
    """Return the files of labelled folders as a zip, named from `folder` on."""
    inside = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    seen = [path for path in inside if not any(step.startswith(".") for step in path.parts)]
    if not seen:
        raise InkwellError(f"{folder} has no files in it")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        for path in seen:
            zipped.write(folder / path, path)
    return archive.getvalue()
