"""Picture files in millions of parts: refused, since each part costs its reader some microseconds.

A file of 64 MB may have 16 million markers, tiles or scans, and may keep a process busy for hours.
"""

import io
import re
import struct

from service.problems import Problem

# Of any file; and a larger one may have as many more as a PNG has whose parts are of 3 KB. One of a
# run-length encoded BMP is two bytes.
MOST_READS, BYTES_A_READ = 20_000, 1024
MOST_SEGMENTS = 10_000  # of a JPEG
MOST_SCANS = 100  # of a JPEG: each goes over the whole picture; programs write some ten
MOST_TILES = 200_000  # of a TIFF: 40 million pixels in squares of 16 by 16 are 156,250

_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")  # but those between coded pixels
_END_OF_IMAGE, _START_OF_SCAN = 0xD9, 0xDA
_OFFSETS = (273, 324)  # the tags that have a number for each strip or tile
_TIFF = {
    b"II\x2a\x00": ("<", False),
    b"MM\x00\x2a": (">", False),
    b"II\x2b\x00": ("<", True),
    b"MM\x00\x2b": (">", True),
}


class PictureFile(io.BytesIO):
    """A file that can be read a limited number of times: then it raises Problem 413."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._reads_left = MOST_READS + len(content) // BYTES_A_READ

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes."""
        self._reads_left -= 1
        if self._reads_left < 0:
            raise _too_many("parts")
        return super().read(size)


def check_parts(content: bytes) -> None:
    """Raise Problem where a JPEG or a TIFF has too many parts of those that are read in one go."""
    if content.startswith(b"\xff\xd8"):
        _check_jpeg(content)
    elif content.startswith((b"II", b"MM")):
        _check_tiff(content)


def _check_jpeg(content: bytes) -> None:
    place, scans = 0, 0
    for _ in range(MOST_SEGMENTS):
        found = _MARKER.search(content, place)
        if found is None or found[1][0] == _END_OF_IMAGE:
            return
        place = found.end()
        if found[1] != b"\xd8":  # it alone has no length
            place += int.from_bytes(content[place : place + 2])
        scans += found[1][0] == _START_OF_SCAN
        if scans > MOST_SCANS:
            raise _too_many("scans")
    raise _too_many("segments")


def _check_tiff(content: bytes) -> None:
    order, big = _TIFF.get(content[:4], ("", False))
    if not order:
        raise Problem(400, "not-a-picture", "Expected a whole TIFF; it begins like none.")
    entry = struct.Struct(order + ("HHQ8x" if big else "HHL4x"))
    place, number = (8, order + "Q") if big else (4, order + "L")
    try:
        (place,) = struct.unpack_from(number, content, place)
        (entries,) = struct.unpack_from(order + ("Q" if big else "H"), content, place)
        place += 8 if big else 2
        for at in range(place, place + min(entries, MOST_SEGMENTS) * entry.size, entry.size):
            tag, _, count = entry.unpack_from(content, at)
            if tag in _OFFSETS and count > MOST_TILES:
                raise _too_many("tiles")
    except struct.error:  # it ends early, as its reader will say
        return
    if entries > MOST_SEGMENTS:
        raise _too_many("entries")


def _too_many(parts: str) -> Problem:
    detail = f"Expected a picture file of fewer {parts}; write it anew with another program."
    return Problem(413, "picture-in-pieces", detail)
