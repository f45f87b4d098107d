"""Pictures of digits: what is read in them, what is told of it, what is refused."""

import io
import struct
import threading
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageDraw

from service import picture_bodies, picture_files
from tests.conftest import classifier_of
from tests.pictures.strokes import draw_digit

PREDICT = "/api/v1/predict"
pytestmark = pytest.mark.usefixtures("live")


def ink_of(label, side=200, thickness=0.06, seed=3):
    return draw_digit(label, side, thickness, np.random.default_rng(seed))


def on_paper(ink, paper=255.0, colour=0.0):
    return (paper + (colour - paper) * ink).astype(np.uint8)


def file_of(image, form="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


THREE = Image.fromarray(on_paper(ink_of(3)))


def seen(client, content, content_type="image/png", **query):
    """Return what the network saw of one picture, (28, 28), and what was done to it."""
    answer = client.post(
        PREDICT, data=content, content_type=content_type, query_string={"outputs": "input"} | query
    )
    assert answer.status_code == 200, answer.text
    (prediction,) = answer.json["predictions"]
    return np.array(prediction["input"]).reshape(28, 28), prediction["picture"]


def likeness(first, second):
    """Return the correlation of two pictures."""
    return np.corrcoef(first.ravel(), second.ravel())[0, 1]


def zipped(files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_every_format_shows_the_same_digit(client, form):
    expected, _ = seen(client, file_of(THREE))

    pixels, picture = seen(client, file_of(THREE, form), f"image/{form.lower()}")

    assert likeness(pixels, expected) > 0.99
    assert picture["inverted"]


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "I;16", "I", "F"]
)
def test_every_mode_shows_the_same_digit(client, mode):
    expected, _ = seen(client, file_of(THREE))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(THREE).astype(np.uint16) * 257)
    else:
        image = THREE.convert(mode)

    pixels, _ = seen(client, file_of(image, "TIFF"), "image/tiff")

    assert likeness(pixels, expected) > 0.98


def test_a_16_bit_png_is_read(client):
    expected, _ = seen(client, file_of(THREE))
    deep = Image.fromarray(np.asarray(THREE).astype(np.uint16) * 12 + 700)

    assert likeness(seen(client, file_of(deep))[0], expected) > 0.98


@pytest.mark.parametrize("colour", [0, 255])
def test_strokes_on_a_transparent_canvas_are_seen_whether_black_or_white(client, colour):
    expected, _ = seen(client, file_of(THREE))
    strokes = np.full((200, 200, 4), colour, np.uint8)
    strokes[..., 3] = ink_of(3) * 255

    pixels, picture = seen(client, file_of(Image.fromarray(strokes)))

    assert likeness(pixels, expected) > 0.99
    assert picture["inverted"] == (colour == 0)


def test_light_ink_on_dark_paper_is_not_inverted(client):
    expected, _ = seen(client, file_of(THREE))

    pixels, picture = seen(client, file_of(Image.fromarray(on_paper(ink_of(3), 30, 230))))

    assert likeness(pixels, expected) > 0.98
    assert not picture["inverted"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_upright(client, orientation):
    turned_back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    sheet = Image.new("L", (600, 400), 255)
    sheet.paste(THREE, (300, 50))
    expected, where = seen(client, file_of(sheet, "JPEG", quality=95), "image/jpeg")
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = sheet.transpose(turned_back[orientation]) if orientation > 1 else sheet

    pixels, picture = seen(client, file_of(stored, "JPEG", quality=95, exif=exif), "image/jpeg")

    assert likeness(pixels, expected) > 0.97
    np.testing.assert_allclose(picture["box"], where["box"], atol=3)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_a_large_photograph_is_read_and_its_box_is_in_its_own_pixels(client, form):
    expected, _ = seen(client, file_of(THREE))
    sheet = Image.new("L", (4000, 3000), 240)
    sheet.paste(THREE.resize((600, 600)), (2500, 1000))

    pixels, picture = seen(client, file_of(sheet, form), f"image/{form.lower()}")

    assert likeness(pixels, expected) > 0.95
    rows, columns = (np.flatnonzero(ink_of(3).max(axis) > 0.5) for axis in (1, 0))
    left, top = 2500 + 3 * columns[0], 1000 + 3 * rows[0]
    width, height = 3 * (columns[-1] - columns[0] + 1), 3 * (rows[-1] - rows[0] + 1)
    np.testing.assert_allclose(picture["box"], [left, top, width, height], atol=25)


def test_scale_and_shift_lead_from_the_picture_to_the_28_by_28_pixels(client):
    pixels, picture = seen(client, file_of(THREE))

    x, y, width, height = picture["box"]
    rows, columns = np.flatnonzero(pixels.max(1) > 127), np.flatnonzero(pixels.max(0) > 127)
    corner = np.array([x, y]) * picture["scale"] + picture["shift"]
    far = np.array([x + width, y + height]) * picture["scale"] + picture["shift"]
    np.testing.assert_allclose(corner, [columns[0], rows[0]], atol=1.5)
    np.testing.assert_allclose(far, [columns[-1] + 1, rows[-1] + 1], atol=1.5)


@pytest.mark.parametrize("side", [8, 12, 20, 28, 50])
def test_the_smallest_pictures_are_read(client, side):
    expected, _ = seen(client, file_of(THREE))
    small = THREE.crop((20, 10, 180, 190)).resize((side, side), Image.Resampling.BOX)

    pixels, _ = seen(client, file_of(small))

    assert likeness(pixels, expected) > 0.5


@pytest.mark.parametrize("size", [(8, 3000), (3000, 8), (9, 400)])
def test_very_long_pictures_are_answered(client, size):
    image = Image.new("L", size, 255)
    image.paste(0, (3, 3, 6, 6))

    answer = client.post(PREDICT, data=file_of(image), content_type="image/png")

    assert answer.status_code in (200, 422)


def test_the_first_of_several_frames_is_read(client):
    expected, _ = seen(client, file_of(THREE))
    other = Image.fromarray(on_paper(ink_of(8)))

    for form in ("GIF", "TIFF", "WEBP", "PNG"):
        content = file_of(THREE, form, save_all=True, append_images=[other])
        assert likeness(seen(client, content, f"image/{form.lower()}")[0], expected) > 0.98


def test_a_digit_in_two_pieces_is_kept_whole(client):
    ink = ink_of(1, thickness=0.08)
    gap = ink.copy()
    rows = np.flatnonzero(ink.max(1))
    middle = (rows[0] + rows[-1]) // 2
    gap[middle - 6 : middle + 6] = 0

    pixels, _ = seen(client, file_of(Image.fromarray(on_paper(gap))))

    ends = np.flatnonzero(pixels.max(1) > 100)
    assert ends[-1] - ends[0] >= 18


def test_specks_and_neighbours_that_the_edge_cuts_off_are_dropped(client):
    expected, _ = seen(client, file_of(THREE))
    sheet = Image.new("L", (440, 200), 255)
    sheet.paste(THREE, (120, 0))
    sheet.paste(Image.fromarray(on_paper(ink_of(8))).crop((90, 0, 200, 200)), (0, 0))
    sheet.paste(Image.fromarray(on_paper(ink_of(5))).crop((0, 0, 100, 200)), (340, 0))
    for corner in ((130, 20), (300, 180), (200, 190)):
        sheet.paste(0, (*corner, corner[0] + 3, corner[1] + 3))

    assert likeness(seen(client, file_of(sheet))[0], expected) > 0.97


@pytest.mark.parametrize("left", [250, 310])
def test_a_neighbour_that_ends_just_inside_the_edge_is_dropped_although_it_is_darker(client, left):
    expected, _ = seen(client, file_of(THREE))
    sheet = Image.new("L", (480, 200), 255)
    three = Image.fromarray(on_paper(ink_of(3), colour=90))
    sheet.paste(three.resize((140, 140)), (left, 30))
    sheet.paste(Image.fromarray(on_paper(ink_of(4))).crop((91, 20, 200, 180)), (4, 20))

    assert likeness(seen(client, file_of(sheet))[0], expected) > 0.9


def ruled(side, gap, *, squared=False, colour=120):
    sheet = np.full((side, side), 255, np.uint8)
    for at in range(gap // 3, side, gap):
        sheet[at : at + 2] = colour
        if squared:
            sheet[:, at : at + 2] = colour
    return Image.fromarray(sheet)


@pytest.mark.parametrize("turned", [0, 6])
@pytest.mark.parametrize("gap", [30, 50, 120])
@pytest.mark.parametrize("squared", [False, True])
def test_printed_lines_as_dark_as_the_pencil_are_dropped(client, gap, squared, turned):
    pencil = Image.fromarray(on_paper(ink_of(3, thickness=0.02), colour=120))
    expected, _ = seen(client, file_of(pencil))
    # Turned further than is seen of it: lines go on beyond the picture.
    lines = ruled(500, gap, squared=squared).rotate(turned, Image.Resampling.BICUBIC)
    sheet = lines.crop((130, 130, 370, 370))
    sheet.paste(ImageChops.darker(sheet.crop((20, 20, 220, 220)), pencil), (20, 20))

    assert likeness(seen(client, file_of(sheet))[0], expected) > 0.7


def test_a_1_that_fills_the_picture_is_no_printed_line(client):
    sheet = Image.new("L", (120, 200), 255)
    ImageDraw.Draw(sheet).line([(62, 0), (58, 199)], fill=0, width=5)

    pixels, _ = seen(client, file_of(sheet))

    ends = np.flatnonzero(pixels.max(1) > 100)
    assert ends[-1] - ends[0] >= 18


def test_lines_are_dropped_where_the_digit_fills_the_picture(client):
    pencil = Image.fromarray(on_paper(ink_of(0, side=360, thickness=0.04), colour=120))
    left, top, right, bottom = ImageChops.invert(pencil).getbbox()
    pencil = pencil.crop((left - 8, top - 8, right + 8, bottom + 8))
    expected, _ = seen(client, file_of(pencil))
    lines = ruled(500, 60, squared=True, colour=170).crop((0, 0, *pencil.size))
    sheet = ImageChops.darker(lines, pencil)

    assert likeness(seen(client, file_of(sheet))[0], expected) > 0.9


def test_a_1_on_squared_paper_is_no_printed_line(client):
    sheet = ruled(400, 50, squared=True, colour=190)
    ImageDraw.Draw(sheet).line([(215, 50), (208, 350)], fill=40, width=6)

    pixels, picture = seen(client, file_of(sheet))

    np.testing.assert_allclose(picture["box"], [205, 50, 13, 300], atol=12)
    assert np.ptp(np.flatnonzero(pixels.max(1) > 100)) >= 18


def test_the_straight_stem_of_a_9_is_no_printed_line(client):
    nine = on_paper(ink_of(9, thickness=0.03), 215, 120)

    _, picture = seen(client, file_of(Image.fromarray(nine)))

    assert picture["box"][3] > 140


def test_the_leaning_stroke_of_a_7_on_squared_paper_is_no_printed_line(client):
    sheet = ruled(400, 50, squared=True, colour=225)
    pen = ImageDraw.Draw(sheet)
    pen.line([(60, 30), (260, 34), (195, 350)], fill=30, width=10)

    _, picture = seen(client, file_of(sheet))

    np.testing.assert_allclose(picture["box"], [58, 26, 208, 328], atol=12)


@pytest.mark.parametrize("squared", [False, True])
def test_the_margin_line_of_a_sheet_is_no_digit(client, squared):
    three = Image.fromarray(on_paper(ink_of(3, thickness=0.025), colour=90))
    expected, _ = seen(client, file_of(three))
    sheet = ruled(400, 40, squared=squared, colour=190)
    ImageDraw.Draw(sheet).line([(140, 0), (140, 400)], fill=110, width=3)
    sheet.paste(ImageChops.darker(sheet.crop((160, 100, 360, 300)), three), (160, 100))
    picture = Image.new("L", (460, 460), 60)
    picture.paste(sheet, (30, 30))

    assert likeness(seen(client, file_of(picture))[0], expected) > 0.7


@pytest.mark.parametrize("label", [0, 6, 8])
def test_the_broadest_strokes_of_a_drawing_are_kept_whole(client, label):
    ink = ink_of(label, thickness=0.075)
    rows, columns = np.flatnonzero(ink.max(1) > 0.5), np.flatnonzero(ink.max(0) > 0.5)

    _, picture = seen(client, file_of(Image.fromarray(on_paper(ink)).crop((15, 15, 185, 185))))

    box = [columns[0] - 15, rows[0] - 15, np.ptp(columns) + 1, np.ptp(rows) + 1]
    np.testing.assert_allclose(picture["box"], box, atol=4)


@pytest.mark.parametrize(("label", "thickness"), [(0, 0.26), (6, 0.2)])
def test_strokes_may_be_of_any_width_on_a_screen(client, label, thickness):
    ink = ink_of(label, side=160, thickness=thickness)
    rows, columns = np.flatnonzero(ink.max(1) > 0.5), np.flatnonzero(ink.max(0) > 0.5)

    _, picture = seen(client, file_of(Image.fromarray(on_paper(ink))))

    box = [columns[0], rows[0], np.ptp(columns) + 1, np.ptp(rows) + 1]
    np.testing.assert_allclose(picture["box"], box, atol=4)


def test_a_drawing_may_touch_the_edge_of_the_screen(client):
    ink = ink_of(2, thickness=0.12)
    expected, _ = seen(client, file_of(Image.fromarray(on_paper(ink))))
    lowest = np.flatnonzero(ink.max(1) > 0.5)[-1]

    pixels, _ = seen(client, file_of(Image.fromarray(on_paper(ink[: lowest + 1]))))

    assert likeness(pixels, expected) > 0.95


@pytest.mark.parametrize("label", [2, 4, 7, 9])
def test_the_edge_of_a_shadow_may_cross_a_digit(client, label):
    pencil = on_paper(ink_of(label, thickness=0.03), 215, 120)
    expected, _ = seen(client, file_of(Image.fromarray(pencil)))
    sheet = np.full((400, 400), 215.0)
    sheet[100:300, 100:300] = pencil
    down, right = np.arange(400)[:, None], np.arange(400)
    sheet *= 1 - 0.6 / (1 + np.exp((270 - right - down / 3) / 2))
    noise = np.random.default_rng(1).normal(0, 3, sheet.shape)
    picture = Image.fromarray(np.clip(sheet + noise, 0, 255).astype(np.uint8))

    assert likeness(seen(client, file_of(picture))[0], expected) > 0.8


def test_a_lit_sheet_on_a_dark_table_is_no_ink(client):
    picture = Image.new("L", (300, 400), 40)
    picture.paste(Image.new("L", (180, 300), 200), (60, 50))
    one = Image.fromarray(on_paper(ink_of(1, thickness=0.02), 200, 20)).crop((30, 0, 170, 200))
    picture.paste(one, (80, 100))
    expected, _ = seen(client, file_of(one))

    pixels, what = seen(client, file_of(picture))

    assert what["inverted"]
    assert likeness(pixels, expected) > 0.8


def shaded(sheet, middle, share):
    """Return a sheet (h, w) whose upper right corner lies in shadow, up to `middle` of its way."""
    down, right = (np.arange(length)[:, None] / length for length in sheet.shape)
    depth = right.T - down - middle
    return sheet * (1 - share / (1 + np.exp(-depth / 0.03)))


@pytest.mark.parametrize("middle", [-0.2, 0.0, 0.2])
@pytest.mark.parametrize("share", [0.3, 0.4])
def test_the_shadow_on_a_corner_of_the_sheet_is_no_digit(client, middle, share):
    nine = on_paper(ink_of(9, thickness=0.03), 215, 120)
    expected, _ = seen(client, file_of(Image.fromarray(nine)))
    sheet = np.full((420, 300), 215.0)
    sheet[110:310, 70:270] = nine
    table = np.full((520, 400), 130.0)
    table[50:470, 50:350] = shaded(sheet, middle, share)
    noise = np.random.default_rng(1).normal(0, 3, table.shape)
    picture = Image.fromarray((table + noise).astype(np.uint8))

    assert likeness(seen(client, file_of(picture))[0], expected) > 0.8


@pytest.mark.parametrize("label", [0, 3, 5])
def test_faint_lines_in_noise_are_dropped_from_beside_a_small_digit(client, label):
    pencil = Image.fromarray(on_paper(ink_of(label, side=120), 215, 150))
    expected, _ = seen(client, file_of(pencil))
    sheet = Image.new("L", (480, 480), 215)
    pen = ImageDraw.Draw(sheet)
    pen.line([(0, 240), (480, 240)], fill=195, width=3)
    pen.line([(262, 0), (262, 480)], fill=195, width=3)
    sheet.paste(ImageChops.darker(sheet.crop((180, 180, 300, 300)), pencil), (180, 180))
    noise = np.random.default_rng(1).normal(0, 8, (480, 480))
    picture = Image.fromarray(np.clip(sheet + noise, 0, 255).astype(np.uint8))

    assert likeness(seen(client, file_of(picture))[0], expected) > 0.8


def test_a_digit_that_noise_nearly_drowns_is_seen_from_farther_away(client):
    three = ink_of(3, side=250, thickness=0.02)
    expected, _ = seen(client, file_of(Image.fromarray(on_paper(three, 150, 100))))
    sheet = np.full((800, 800), 150.0)
    sheet[300:550, 280:530] = on_paper(three, 150, 134)
    noise = np.random.default_rng(1).normal(0, 14, sheet.shape)
    picture = Image.fromarray(np.clip(sheet + noise, 0, 255).astype(np.uint8))

    assert likeness(seen(client, file_of(picture))[0], expected) > 0.7


@pytest.mark.parametrize("frame", ["rectangle", "ellipse"])
def test_a_frame_that_is_drawn_around_a_digit_is_dropped(client, frame):
    two = Image.fromarray(on_paper(ink_of(2)))
    expected, _ = seen(client, file_of(two))
    sheet = Image.new("L", (400, 400), 255)
    sheet.paste(two, (100, 100))
    getattr(ImageDraw.Draw(sheet), frame)((80, 80, 320, 320), outline=0, width=4)

    assert likeness(seen(client, file_of(sheet))[0], expected) > 0.9


def test_a_note_on_a_dark_table_is_no_digit(client):
    picture = Image.new("RGB", (480, 270), (60, 60, 64))
    ink = ink_of(8, side=110, thickness=0.035)[..., None]
    note = Image.fromarray(on_paper(ink, np.array((200, 180, 60)), np.array((150, 40, 40))))
    expected, _ = seen(client, file_of(note))
    picture.paste(note, (110, 60))

    pixels, what = seen(client, file_of(picture))

    assert what["inverted"]
    assert likeness(pixels, expected) > 0.9


@pytest.mark.mnist
def test_all_of_mnists_test_images_pass_unchanged(client, registry, mnist_test):
    images = mnist_test.pixels.reshape(-1, 28, 28)
    told = []

    for start in range(0, len(images), 500):
        parts = [
            (io.BytesIO(file_of(Image.fromarray(i))), "i.png") for i in images[start : start + 500]
        ]
        answer = client.post(PREDICT, data={"file": parts}, query_string={"outputs": "label,input"})
        assert answer.status_code == 200
        told += answer.json["predictions"]

    assert (np.array([t["input"] for t in told], np.uint8) == mnist_test.pixels).all()
    expected = classifier_of(registry, 1).predict(mnist_test.pixels)
    assert [int(t["label"]) for t in told] == expected.tolist()
    assert told[0]["picture"] == {
        "file": "i.png",
        "inverted": False,
        "box": told[0]["picture"]["box"],
        "scale": 1.0,
        "shift": [0.0, 0.0],
    }


@pytest.mark.mnist
def test_mnist_in_black_on_white_is_inverted_and_else_unchanged(client, mnist_test):
    for row in mnist_test.pixels[:50]:
        pixels, picture = seen(client, file_of(Image.fromarray(255 - row.reshape(28, 28))))
        assert (pixels.ravel() == row).all()
        assert picture["inverted"]


def test_many_pictures_in_a_form_are_answered_in_their_order(client):
    files = [
        (io.BytesIO(file_of(Image.fromarray(on_paper(ink_of(d))))), f"{d}.png") for d in (4, 2)
    ]

    answer = client.post(PREDICT, data={"file": files, "outputs": "label,top_k", "top_k": "2"})

    assert answer.status_code == 200, answer.text
    predictions = answer.json["predictions"]
    assert [p["picture"]["file"] for p in predictions] == ["4.png", "2.png"]
    assert [set(p) for p in predictions] == [{"label", "top_k", "picture"}] * 2
    assert len(predictions[0]["top_k"]) == 2


def test_a_zip_of_pictures_is_answered_without_what_systems_hide_there(client):
    three = file_of(THREE)
    body = zipped(
        {"b.png": three, "a/": b"", "a/c.png": three, "__MACOSX/b.png": b"x", "a/.DS_Store": b"x"}
    )

    answer = client.post(PREDICT, data=body, content_type="application/zip")

    assert answer.status_code == 200, answer.text
    assert [p["picture"]["file"] for p in answer.json["predictions"]] == ["b.png", "a/c.png"]


def test_the_query_chooses_outputs_for_every_kind_of_body(client, pixels):
    for body, kind in (
        (file_of(THREE), "image/png"),
        (pixels.tobytes(), "application/octet-stream"),
    ):
        answer = client.post(
            PREDICT,
            data=body,
            content_type=kind,
            query_string="outputs=label&outputs=top_k&top_k=2",
        )
        assert set(answer.json["predictions"][0]) - {"picture"} == {"label", "top_k"}


@pytest.mark.parametrize(
    ("query", "words"),
    [("top_k=eleven", "from 1 to 10"), ("outputs=lebal", "lebal"), ("colour=red", "colour")],
)
def test_wrong_options_in_the_query_are_told(client, query, words):
    answer = client.post(PREDICT, data=file_of(THREE), content_type="image/png", query_string=query)

    assert answer.status_code == 422
    assert words in answer.json["detail"]


@pytest.mark.parametrize(
    "image",
    [
        Image.new("L", (300, 200), 255),
        Image.new("L", (28, 28), 0),
        Image.new("RGB", (50, 50), (240, 220, 90)),
        Image.new("RGBA", (50, 50), (0, 0, 0, 0)),
        Image.fromarray(np.random.default_rng(0).normal(230, 3, (480, 640)).astype(np.uint8)),
        Image.fromarray(np.tile(np.linspace(120, 250, 640), (480, 1)).astype(np.uint8)),
    ],
    ids=["white", "black", "note", "transparent", "noise", "shade"],
)
def test_a_blank_sheet_is_told(client, image):
    answer = client.post(PREDICT, data=file_of(image), content_type="image/png")

    assert answer.status_code == 422
    assert answer.json["type"] == "urn:inkwell:problem:blank-picture"


HEADER = struct.pack(">4sIIBBBBB", b"IHDR", 30_000, 30_000, 8, 0, 0, 0, 0)
HUGE = (
    b"\x89PNG\r\n\x1a\n"
    + struct.pack(">I17sI", 13, HEADER, zlib.crc32(HEADER))
    + struct.pack(">I4sI", 1000, b"IDAT", 0)
)
WHOLE = file_of(THREE)


@pytest.mark.parametrize(
    ("body", "content_type", "status", "words"),
    [
        (b"hello", "image/png", 400, "a whole picture (PNG, JPEG, WEBP, BMP, GIF, TIFF)"),
        (b"", "image/jpeg", 400, "a whole picture"),
        (WHOLE[:-200], "image/png", 400, "a whole picture"),
        (HUGE, "image/png", 413, "40,000,000 pixels, 16,384 along a side; got 30000 x 30000"),
        (file_of(Image.new("1", (16_385, 8))), "image/png", 413, "16,384 along a side; got 16385"),
        (file_of(Image.new("L", (7, 90))), "image/png", 422, "at least 8 x 8 pixels; got 7 x 90"),
        (b"hello", "application/zip", 400, "no whole zip"),
        (zipped({}), "application/zip", 422, "at least one picture"),
        (
            zipped({"b.png": b"hello", "c.png": b""}),
            "application/zip",
            400,
            "b.png: Expected",
        ),
        (zipped({"a.png": bytes(50_000_000)}), "application/zip", 413, "after unpacking"),
        (zipped({f"{i}.png": b"" for i in range(1001)}), "application/zip", 413, "1,000 files"),
        (b"hello", "multipart/form-data", 400, "multipart/form-data"),
        (b"hello", "multipart/form-data; boundary=x", 400, "multipart/form-data"),
    ],
)
def test_wrong_pictures_are_told(client, body, content_type, status, words):
    answer = client.post(PREDICT, data=body, content_type=content_type)

    assert answer.status_code == status, answer.text
    assert words in answer.json["detail"]


def test_files_that_cannot_be_read_are_named_and_the_others_answered(client):
    blank = file_of(Image.new("L", (50, 50), 255))
    files = {"a.png": WHOLE, "b.png": b"hello", "c.png": blank, "d.png": WHOLE}
    form = {"file": [(io.BytesIO(content), name) for name, content in files.items()]}

    for sent in ({"data": zipped(files), "content_type": "application/zip"}, {"data": form}):
        answer = client.post(PREDICT, **sent)

        assert answer.status_code == 200, answer.text
        read = [prediction["picture"]["file"] for prediction in answer.json["predictions"]]
        assert read == ["a.png", "d.png"]
        assert [(each["file"], each["type"].split(":")[-1]) for each in answer.json["refused"]] == [
            ("b.png", "not-a-picture"),
            ("c.png", "blank-picture"),
        ]
        assert answer.json["refused"][0]["detail"].startswith("b.png: Expected a whole picture")


def test_a_dialect_that_cannot_name_files_refuses_them_all(client):
    body = zipped({"a.png": WHOLE, "b.png": b"hello"})

    answer = client.post("/invocations", data=body, content_type="application/zip")

    assert answer.status_code == 400
    assert answer.json["message"].startswith("b.png: Expected")


def test_a_file_in_another_field_of_the_form_is_told(client):
    answer = client.post(PREDICT, data={"image": (io.BytesIO(WHOLE), "3.png")})

    assert answer.status_code == 422
    assert "in the field 'file'; got one in 'image'" in answer.json["detail"]


def test_many_small_files_of_many_pixels_are_refused(client, monkeypatch):
    monkeypatch.setattr(picture_bodies, "MOST_PIXELS", 100_000)
    files = [(io.BytesIO(WHOLE), f"{i}.png") for i in range(3)]

    answer = client.post(PREDICT, data={"file": files})

    assert answer.status_code == 413
    assert answer.json["detail"].startswith("2.png: Expected at most 100,000 pixels in all")


def test_pictures_that_take_too_long_are_refused(client, monkeypatch):
    monkeypatch.setattr(picture_bodies, "MOST_SECONDS", 0.0)
    files = [(io.BytesIO(WHOLE), f"{i}.png") for i in range(2)]

    answer = client.post(PREDICT, data={"file": files})

    assert answer.status_code == 413
    assert "send fewer at once" in answer.json["detail"]


def test_a_file_is_read_by_what_it_is_whatever_its_type_says(client):
    expected, _ = seen(client, WHOLE)

    assert likeness(seen(client, file_of(THREE, "BMP"), "image/png")[0], expected) > 0.99


def test_large_pictures_past_a_number_at_once_are_refused_and_small_ones_are_read(
    client, monkeypatch
):
    monkeypatch.setattr(picture_files, "_large_wait", threading.BoundedSemaphore(1))
    large = file_of(THREE.resize((2100, 2100)))
    assert client.post(PREDICT, data=large, content_type="image/png").status_code == 200

    with picture_files._large_wait:
        answer = client.post(PREDICT, data=large, content_type="image/png")
        both = {"file": [(io.BytesIO(WHOLE), "a"), (io.BytesIO(large), "b")]}
        assert client.post(PREDICT, data=both).status_code == 429
        assert client.post(PREDICT, data=WHOLE, content_type="image/png").status_code == 200

    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "1"
    assert client.post(PREDICT, data=large, content_type="image/png").status_code == 200


def test_broken_files_never_bring_the_service_down(client):
    rng = np.random.default_rng(0)
    for form in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"):
        whole = np.frombuffer(file_of(THREE, form), np.uint8)
        for _ in range(30):
            broken = whole.copy()
            places = rng.integers(0, len(broken), rng.integers(1, 30))
            broken[places] = rng.integers(0, 256, len(places))
            answer = client.post(PREDICT, data=broken.tobytes(), content_type="image/png")
            assert answer.status_code in (200, 400, 413, 422), answer.text
