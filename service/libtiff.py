"""What libtiff says of broken files."""

import ctypes
from pathlib import Path

MAPS = Path("/proc/self/maps")  # which libraries this process has, and where they lie


def silence() -> None:
    """Let libtiff say nothing: it writes lines of its own between those of the log.

    What is wrong with a file its sender is told. Where the library is not found nothing is done.
    """
    mapped = MAPS.read_text().splitlines() if MAPS.exists() else []
    for path in {line.split(maxsplit=5)[5] for line in mapped if "/libtiff" in line}:
        library = ctypes.CDLL(path)
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)
