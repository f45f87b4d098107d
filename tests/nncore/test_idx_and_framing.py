import gzip
import struct

import numpy as np
import pytest

from nncore.errors import ShapeError
from nncore.framing import frame, frame_digit
from nncore.idx import IdxError, decode_idx, read_idx


def idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def test_an_idx_file_is_read_as_it_was_written_gzipped_or_not(tmp_path):
    (tmp_path / "plain").write_bytes(idx(IMAGES))
    (tmp_path / "packed").write_bytes(gzip.compress(idx(IMAGES), mtime=0))

    np.testing.assert_array_equal(read_idx(tmp_path / "plain"), IMAGES)
    np.testing.assert_array_equal(read_idx(tmp_path / "packed"), IMAGES)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "begins with b''"),
        (b"\x89PNG....", "unsigned bytes"),
        (b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0", "unsigned bytes"),
        (b"\0\0\x08\x03\0\0", "header of 16 bytes; got 6"),
        (idx(IMAGES)[:-1], "Expected 24 bytes for (2, 3, 4); got 23"),
        (idx(IMAGES) + b"x", "got 25"),
        (b"\0\0\x08\x04" + b"\xff" * 16, "Expected 340282366"),
        (b"\0\0\x08\x41" + bytes(4 * 65), "at most 8 dimensions; got 65"),
        (b"\0\0\x08\x04" + bytes(4) + b"\xff" * 12, "cannot be"),
    ],
)
def test_what_is_no_idx_file_is_told(content, words):
    with pytest.raises(IdxError) as caught:
        decode_idx(content)

    assert words in str(caught.value)


def test_a_cut_off_gzip_is_told_with_the_files_name(tmp_path):
    (tmp_path / "images.gz").write_bytes(gzip.compress(idx(IMAGES), mtime=0)[:-9])

    with pytest.raises(IdxError, match=r"images\.gz"):
        read_idx(tmp_path / "images.gz")


def bar(height, width, top=3, left=9):
    ink = np.zeros((40, 60))
    ink[top : top + height, left : left + width] = 0.7
    return ink


def box_of(pixels):
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


def test_a_digit_fits_a_box_of_20_and_keeps_its_proportions():
    pixels = frame_digit(bar(30, 15))

    top, bottom, left, right = box_of(pixels)
    assert pixels.shape == (28, 28)
    assert pixels.dtype == np.uint8
    assert (bottom - top, right - left) == (20, 10)
    assert pixels.max() == 255


def test_a_small_digit_grows_to_the_box():
    top, bottom, _, _ = box_of(frame_digit(bar(5, 2)))

    assert bottom - top == 20


def test_where_the_digit_stood_does_not_matter():
    np.testing.assert_array_equal(frame_digit(bar(20, 8)), frame_digit(bar(20, 8, top=15, left=40)))


def test_the_centre_of_mass_comes_to_the_middle():
    ink = bar(30, 4) + bar(6, 25, top=27)  # an L: its mass is low and left of its box's middle

    pixels = frame_digit(np.minimum(ink, 0.7)).astype(float)

    middles = np.arange(28) + 0.5
    for axis in (0, 1):  # between 14 and 15, as in all of MNIST; resampling moves it a little
        assert 13.95 <= (pixels.sum(axis=axis) * middles).sum() / pixels.sum() <= 15.05


def test_how_a_digit_was_framed_leads_from_its_place_there_to_the_place_here():
    ink = bar(30, 15, top=5, left=20)

    framed = frame(ink)

    assert framed.box == (20, 5, 15, 30)
    top, bottom, left, right = box_of(framed.pixels)
    assert (left, top) == pytest.approx(
        (20 * framed.scale + framed.shift[0], 5 * framed.scale + framed.shift[1])
    )
    assert (right, bottom) == pytest.approx(
        (35 * framed.scale + framed.shift[0], 35 * framed.scale + framed.shift[1])
    )


def test_a_picture_without_ink_stays_empty():
    assert not frame_digit(np.zeros((8, 8))).any()


def test_a_single_point_is_framed():
    ink = np.zeros((8, 8))
    ink[7, 0] = 1

    assert frame_digit(ink).max() == 255


def test_only_one_picture_is_taken_at_a_time():
    with pytest.raises(ShapeError, match=r"got shape \(2, 8, 8\)"):
        frame_digit(np.zeros((2, 8, 8)))
