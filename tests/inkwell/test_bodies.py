"""From arrays, pictures, paths and bytes to what is sent."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from inkwell.bodies import encode
from inkwell.kinds import UnknownKind

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 28, 28)).astype(np.uint8)


def png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS[0]).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("array", [PIXELS, PIXELS[0], PIXELS.reshape(3, 784), PIXELS[:, ::-1]])
def test_bytes_of_pixels_are_sent_as_they_are(array: Any) -> None:
    body = encode(array)

    assert body.headers == {"Content-Type": "application/octet-stream"}
    assert body.content == np.ascontiguousarray(array).tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64", ">f4", "int64"])
@pytest.mark.parametrize("shape", [(3, 784), (3, 28, 28)])
def test_other_numbers_are_sent_as_npy_that_numpy_reads(dtype: str, shape: tuple[int, ...]) -> None:
    array = PIXELS.reshape(shape).astype(dtype)

    body = encode(array)

    assert body.headers == {"Content-Type": "application/x-npy"}
    assert body.content
    read = np.load(io.BytesIO(body.content), allow_pickle=False)
    assert (read.dtype, read.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(read, array)


def test_an_array_that_lies_by_columns_is_sent_by_rows() -> None:
    array = np.asfortranarray(PIXELS.reshape(3, 784).astype(np.float32))

    body = encode(array)

    assert body.content
    np.testing.assert_array_equal(np.load(io.BytesIO(body.content)), array)


def test_paths_bytes_and_pil_pictures_are_sent_under_their_kind(tmp_path: Path) -> None:
    path = tmp_path / "seven"
    path.write_bytes(png())

    bodies = [encode(path), encode(str(path)), encode(png()), encode(Image.open(path))]

    assert [body.headers for body in bodies] == [{"Content-Type": "image/png"}] * 4
    assert [body.content for body in bodies[:3]] == [png()] * 3


def test_several_pictures_are_a_form(tmp_path: Path) -> None:
    path = tmp_path / "seven.png"
    path.write_bytes(png())

    body = encode([path, png(), Image.open(path)])

    assert body.files
    assert [name for _, (name, _) in body.files] == ["seven.png", "1", "2"]
    assert all(field == "file" for field, _ in body.files)


@pytest.mark.parametrize("rows", [PIXELS.reshape(3, 784).tolist(), list(PIXELS)])
def test_lists_of_numbers_and_of_arrays_are_json(rows: Any) -> None:
    body = encode(rows)

    assert body.headers == {"Content-Type": "application/json"}
    assert body.content
    sent = np.array(json.loads(body.content)["instances"])
    np.testing.assert_array_equal(sent.reshape(PIXELS.shape), PIXELS)


def test_what_is_no_image_is_said_before_anything_is_sent() -> None:
    with pytest.raises(TypeError, match=r"Expected an array, a path, .*; got int"):
        encode(7)
    with pytest.raises(UnknownKind):
        encode(b"hello")
    with pytest.raises(FileNotFoundError):
        encode("nowhere.png")
