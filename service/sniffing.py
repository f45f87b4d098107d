"""What a body is, where its Content-Type does not say."""

from service.bodies import Content
from service.media_types import JSON, OCTETS

# What clients send that were not told what they send; curl's -d and --data-binary the last one.
SILENT = ("", OCTETS, "application/x-www-form-urlencoded")

IDX = "application/x-idx"
IDX_SIGNATURE = b"\x00\x00\x08\x03"
SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
    b"II*\0": "image/tiff",
    b"MM\0*": "image/tiff",
    b"PK\x03\x04": "application/zip",
    b"\x93NUMPY": "application/x-npy",
    b"\x1f\x8b\x08": IDX,
}


def sniffed(content: Content, row_size: int) -> Content:
    """Return `content` with the type that its first bytes show, where its own says nothing."""
    if content.mimetype not in SILENT:
        return content
    return content._replace(content_type=_kind(content.body, row_size))


def _kind(body: bytes, row_size: int) -> str:
    """Tell what a body is. Its length alone says little: one file in 784 is as long as rows."""
    bitmap = {b"BM" + (len(body) % 2**32).to_bytes(4, "little"): "image/bmp"}
    for signature, kind in {**SIGNATURES, **bitmap}.items():
        if body.startswith(signature):
            return kind
    if body[:64].lstrip().startswith(b"{") and body.rstrip().endswith(b"}"):
        return JSON
    return IDX if body.startswith(IDX_SIGNATURE) and len(body) % row_size else OCTETS
