"""Picture files in very many parts are refused before they have cost much."""

import io
import struct
import zlib

import pytest
from PIL import Image

from service.picture_files import open_picture
from service.picture_parts import MOST_READS, MOST_SCANS, MOST_SEGMENTS, MOST_TILES
from service.problems import Problem
from tests.chaos import bombs


@pytest.mark.parametrize(
    ("make", "most"),
    [
        (bombs.png_of_chunks, MOST_READS),
        (bombs.gif_of_comments, MOST_READS),
        (bombs.jpeg_of_segments, MOST_SEGMENTS),
        (bombs.jpeg_of_scans, MOST_SCANS),
        (bombs.tiff_of_tiles, MOST_TILES),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_file_of_too_many_parts_is_refused(make, most):
    with pytest.raises(Problem, match="fewer") as caught:
        open_picture(make(most + 1))

    assert caught.value.status == 413


@pytest.mark.parametrize("make", [bombs.png_of_chunks, bombs.jpeg_of_scans, bombs.tiff_of_tiles])
def test_a_file_of_many_parts_is_read(make):
    assert open_picture(make(99)).image.mode == "RGB"


def test_a_large_png_in_the_parts_that_programs_write_is_read():
    row = b"\0" + bytes(range(250)) * 24
    coded = zlib.compress(row * 4000, 0)
    header = bombs.png(2000, 4000, depth=8, colour=2, rows=0)[:33]
    parts = [bombs.chunk(b"IDAT", coded[at : at + 4096]) for at in range(0, len(coded), 4096)]

    picture = open_picture(header + b"".join(parts) + bombs.chunk(b"IEND", b""))

    assert (picture.width, picture.height) == (2000, 4000)


def test_a_big_tiff_is_counted_too():
    entry = struct.pack("<HHQ8x", 273, 16, MOST_TILES + 1)
    with pytest.raises(Problem, match="fewer tiles"):
        open_picture(b"II" + struct.pack("<HHHQQ", 43, 8, 0, 16, 1) + entry)


@pytest.mark.parametrize("head", [b"II\x00\x2a", b"MM\x2a\x00"])
def test_a_tiff_in_two_orders_of_bytes_is_none(head):
    with pytest.raises(Problem, match="begins like none") as caught:
        open_picture(head + bytes(100))

    assert caught.value.status == 400


def test_run_lengths_are_read_in_small_pictures_and_refused_in_large_ones():
    assert open_picture(bombs.bmp_in_runs(64)).width == 64

    with pytest.raises(Problem, match="run-length") as caught:
        open_picture(bombs.bmp_in_runs(2100))

    assert caught.value.status == 413


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_with_much_beside_it_is_upright(orientation):
    image = Image.new("L", (20, 10))
    exif = image.getexif()
    exif[0x0112], exif[0x9286] = orientation, bytes(1000)
    stream = io.BytesIO()
    image.save(stream, "PNG", exif=exif)

    picture = open_picture(stream.getvalue())

    assert picture.image.size == ((10, 20) if orientation >= 5 else (20, 10))
    assert (picture.width, picture.height) == picture.image.size


def test_of_a_broken_tiff_only_its_sender_is_told(capfd):
    stream = io.BytesIO()
    Image.new("L", (64, 64)).save(stream, "TIFF", compression="tiff_lzw")
    broken = stream.getvalue().replace(b"\x80\x00", b"\xff\xff", 1)

    with pytest.raises(Problem, match="whole picture"):
        open_picture(broken)

    assert capfd.readouterr() == ("", "")
