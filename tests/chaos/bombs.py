"""Small files that become large, and headers that promise what does not come."""

import gzip
import io
import struct
import zipfile
import zlib

SIDE = 30_000


def png(width, height, *, depth=1, colour=0, rows=None):
    """Return a PNG of zeros; of a length of its own where not all `rows` are there."""
    bits = {0: 1, 2: 3, 6: 4}[colour] * depth
    row = bytes(1 + (width * bits + 7) // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(height if rows is None else rows))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", packed + packer.flush()), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*parts) for parts in chunks)


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(
        ">I", zlib.crc32(name + content)
    )  # fmt: skip


def png_with_a_text_of(size):
    """Return a small PNG whose comment unpacks to `size` bytes."""
    small = png(8, 8)
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(size), 9))
    return small[:33] + text + small[33:]


def tiff(width, height):
    entries = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1),
               (273, 4, 8), (277, 3, 1), (278, 4, height), (279, 4, width * height)]  # fmt: skip
    tags = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + tags + bytes(4)


def tiff_of_tiles(number):
    tags = [(256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
            (277, 3, 1, 1), (322, 3, 1, 1), (323, 3, 1, 1), (324, 1, number, 130),
            (325, 3, 1, 1)]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(4 + number)


def png_of_chunks(number):
    small = png(8, 8)
    return small[:33] + chunk(b"teSt", b"") * number + small[33:]


def jpeg_of_segments(number):
    return b"\xff\xd8" + b"\xff\xfe\x00\x02" * number


def jpeg_of_scans(number, side=4096):
    """Return a JPEG that goes over its blocks again and again, and finds nothing in any."""
    blocks = (side // 8) ** 2
    length = bytes([1]) + bytes(15)  # one code, of one bit
    parts = [
        b"\xff\xd8\xff\xdb\x00\x43\x00" + b"\1" * 64,
        b"\xff\xc2\x00\x0b\x08" + struct.pack(">HH", side, side) + b"\1\1\x11\0",
        b"\xff\xc4\x00\x14\x00" + length + b"\x00",
        b"\xff\xda\x00\x08\1\1\0\0\0\0" + bytes(blocks // 8),
        b"\xff\xc4\x00\x14\x10" + length + b"\xe0",  # a run of 2 to the 14th empty blocks
    ]
    runs = bytes(2 * -(-blocks // 2**14))
    return b"".join(parts) + (b"\xff\xda\x00\x08\1\1\0\1\x3f\0" + runs) * number + b"\xff\xd9"


def gif_of_comments(number):
    return b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0, 0, 0) + b"!\xfe\0" * number


def bmp_in_runs(side):
    """Return a BMP whose rows are a pixel and an end of the line each."""
    body = b"\1\1\0\0" * side
    sizes = struct.pack("<IIII", 1078 + len(body), 0, 1078, 40)
    shape = struct.pack("<iiHHIIiiII", side, side, 1, 8, 1, len(body), 0, 0, 256, 0)
    return b"BM" + sizes + shape + bytes(1024) + body


def zipped(files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def npy(shape):
    header = repr({"descr": "|u1", "fortran_order": False, "shape": shape}).encode()
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header


def bombs(limit):
    """Yield bodies for a service that takes `limit` bytes: name, type, encoding, and the body."""
    much = bytes(2 * limit)
    deep = b"[" * 1_000_000
    lying_bmp = b"BM" + struct.pack("<IIIIiiHHIIiiII", 70, 0, 54, 40, SIDE, SIDE, 1, 24, *[0] * 6)
    lying_webp = b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8X" + struct.pack("<II", 10, 0)
    in_zip = zipped({"a.zip": zipped({f"{i}.png": much for i in range(3)})})
    yield "PNG of 30,000 x 30,000 in 1 KB", "image/png", "", png(SIDE, SIDE, rows=200)[:1000]
    yield "PNG of 16,385 x 8", "image/png", "", png(16_385, 8)
    yield "PNG with a comment of twice the limit", "image/png", "", png_with_a_text_of(2 * limit)
    yield "GIF that lies", "image/gif", "", b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0)
    yield "BMP that lies", "image/bmp", "", lying_bmp
    yield "TIFF that lies", "image/tiff", "", tiff(SIDE, SIDE)
    yield "WebP that lies", "image/webp", "", lying_webp + b"\xff" * 6
    yield "PNG of 600,000 chunks", "image/png", "", png_of_chunks(600_000)
    yield "JPEG of a million segments", "image/jpeg", "", jpeg_of_segments(1_000_000)
    yield "JPEG of 10,000 scans", "image/jpeg", "", jpeg_of_scans(10_000)
    yield "GIF of two million comments", "image/gif", "", gif_of_comments(2_000_000)
    yield "TIFF of four million tiles", "image/tiff", "", tiff_of_tiles(4_000_000)
    yield "BMP in runs", "image/bmp", "", bmp_in_runs(6300)
    yield "zip of zeros", "application/zip", "", zipped({"0.png": much})
    yield "zip of zips", "application/zip", "", in_zip
    yield "zip of 1,001 files", "application/zip", "", zipped({f"{i}": b"" for i in range(1001)})
    yield "gzip of zeros", "application/octet-stream", "gzip", gzip.compress(much)
    yield "gzip of a gzip", "application/x-idx", "gzip", gzip.compress(gzip.compress(much))
    yield "deflated zeros", "application/octet-stream", "deflate", zlib.compress(much)
    yield "deeply nested JSON", "application/json", "", b'{"instances": ' + deep
    yield "deeply nested, packed", "application/json", "gzip", gzip.compress(deep * 10)
    yield "number of a million digits", "application/json", "", b'{"instances":[[' + b"9" * 10**6
    yield "too many rows", "application/json", "gzip", gzip.compress(rows(10_001))
    yield "IDX that lies", "application/x-idx", "", struct.pack(">4B3I", 0, 0, 8, 3, *[2**31] * 3)
    yield ".npy that lies", "application/x-npy", "", npy((2**40, 784))
    yield ".npy of many dimensions", "application/x-npy", "", npy((1,) * 5000)


def rows(number):
    return b'{"instances":[' + b",".join([b"[" + b"0," * 783 + b"0]"] * number) + b"]}"
