"""What a body is, where its Content-Type does not say."""

from service.bodies import Content

# What clients send that were not told what they send; curl's -d and --data-binary the last one.
SILENT = ("", "application/octet-stream", "application/x-www-form-urlencoded")

JSON = "application/json"
OCTETS = "application/octet-stream"
IDX = "application/x-idx"
SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
    b"RIFF": "image/webp",
    b"II*\0": "image/tiff",
    b"MM\0*": "image/tiff",
    b"PK\x03\x04": "application/zip",
    b"\x93NUMPY": "application/x-npy",
    b"\x1f\x8b": IDX,
    b"\x00\x00\x08\x03": IDX,
    b"{": JSON,
}


def sniffed(content: Content, row_size: int) -> Content:
    """Return `content` with the type that its first bytes show, where its own says nothing.

    Whole rows of `row_size` bytes are octets whatever they begin with.
    """
    if content.mimetype not in SILENT:
        return content
    body = content.body
    if body and len(body) % row_size == 0:
        return content._replace(content_type=OCTETS)
    start = body[:64].lstrip(b" \r\n\t")
    kinds = (kind for signature, kind in SIGNATURES.items() if start.startswith(signature))
    return content._replace(content_type=next(kinds, OCTETS))
