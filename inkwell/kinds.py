"""What a body is, told by its first bytes."""

import zlib

# What a file is, by its first bytes; names can lie and standard input has none.
MAGIC = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
    b"PK\x03\x04": "application/zip",
    b"\x93NUMPY": "application/x-npy",
    b"\x00\x00\x08": "application/x-idx",  # unsigned bytes; the next byte counts dimensions
    b"{": "application/json",
    b"[": "application/json",
}

GZIP_WRAPPER = 16 + zlib.MAX_WBITS  # what zlib calls a gzip header around the stream


class UnknownKind(ValueError):  # noqa: N818 - reads as the sentence it is
    """The bytes are none of the kinds that the service takes."""


def content_type(content: bytes) -> str:
    """Return the media type of a body by its first bytes."""
    head = content[:16]
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[:2] == b"\x1f\x8b" and _unzipped_head(content).startswith(b"\x00\x00\x08"):
        return "application/x-idx"  # taken compressed, as MNIST comes
    for magic, kind in MAGIC.items():
        if head.startswith(magic):
            return kind
    raise UnknownKind("is no picture, zip, .npy, IDX or JSON file" if content else "is empty")


def _unzipped_head(content: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=GZIP_WRAPPER).decompress(content, 16)
    except zlib.error:
        return b""
