"""Photographs and drawings of digits, made by program: paper, light, camera and file.

Everything is drawn from a generator: the same seed gives the same pictures.
"""

import io
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from nncore.framing import frame_digit
from tests.pictures.strokes import draw_digit, trace_digit

PAPERS = {
    "white": (238, 238, 234),
    "cream": (236, 226, 200),
    "yellow note": (240, 226, 90),
    "pink note": (240, 160, 180),
    "green note": (170, 220, 130),
    "blue note": (140, 190, 230),
    "kraft": (176, 136, 92),
    "grey": (170, 170, 168),
}
BOARDS = {"blackboard": (38, 42, 40), "green board": (36, 74, 56), "black card": (22, 20, 24)}
TABLES = [
    (92, 60, 36),
    (30, 28, 30),
    (190, 150, 110),
    (120, 120, 124),
    (215, 212, 205),
    (60, 80, 110),
]
# pen: colour, thickness as a share of the digit's box, coverage, grain
PENS = {
    "pencil": ((96, 96, 100), (0.012, 0.03), (0.45, 0.95), 0.5),
    "soft pencil": ((70, 70, 74), (0.03, 0.06), (0.5, 0.95), 0.35),
    "ballpoint": ((28, 36, 110), (0.012, 0.03), (0.75, 1.0), 0.1),
    "black pen": ((24, 22, 26), (0.015, 0.045), (0.9, 1.0), 0.0),
    "red pen": ((190, 30, 40), (0.015, 0.045), (0.8, 1.0), 0.05),
    "green pen": ((20, 120, 60), (0.015, 0.045), (0.8, 1.0), 0.05),
    "marker": ((20, 20, 24), (0.05, 0.13), (0.92, 1.0), 0.0),
    "blue marker": ((30, 60, 170), (0.05, 0.12), (0.85, 1.0), 0.05),
    "red marker": ((200, 30, 36), (0.05, 0.12), (0.85, 1.0), 0.05),
    "crayon": ((180, 70, 30), (0.04, 0.08), (0.7, 1.0), 0.5),
}
CHALKS = {
    "chalk": ((226, 226, 220), (0.03, 0.07), (0.55, 0.95), 0.5),
    "white pen": ((236, 236, 236), (0.02, 0.06), (0.85, 1.0), 0.1),
    "yellow chalk": ((226, 214, 120), (0.03, 0.07), (0.6, 0.95), 0.45),
}


class Photograph(NamedTuple):
    """A picture's file, its label, how it was made, and the digit as MNIST would have it."""

    content: bytes
    label: int
    traits: tuple[str, ...]
    clean: np.ndarray


def photographs(count, seed, images=None, labels=None):
    """Yield pictures of digits; three of five from `images` (n, 28, 28), if given.

    The others are written with a pen's strokes. Of four, three are photographs, one is a drawing
    on a screen. Any `count` begins with the same pictures.
    """
    rng = np.random.default_rng(seed)
    for _ in range(count):
        traced = rng.random() < 0.6 and images is not None
        chosen = int(rng.integers(1 << 30))
        digit = images[chosen % len(images)] if traced else None
        label = int(labels[chosen % len(images)]) if traced else chosen % 10
        content, traits, ink = (screen if rng.random() < 0.25 else camera)(digit, label, rng)
        origin = "MNIST's digits" if traced else "written by program"
        clean = digit if traced else frame_digit(ink)
        yield Photograph(content, label, (origin, *traits), clean)


def written(digit, label, side, thickness, rng):
    if digit is None:
        return draw_digit(label, side, thickness, rng)
    own = thickness > 0.06 and rng.random() < 0.7
    return trace_digit(digit, side, None if own else thickness, rng)


def screen(digit, label, rng):
    """A drawing by finger or mouse on a canvas: even colours, sharp, sometimes transparent."""
    side = int(rng.choice([28, 32, 48, 64, 100, 140, 200, 280, 400, 600]))
    thickness = rng.uniform(0.03, 0.14)
    box = max(20, round(side * rng.uniform(0.55, 1.15)))
    ink = written(digit, label, box, thickness, rng)
    if rng.random() < 0.25:  # a pencil tool without smoothing
        ink = (ink > 0.5).astype(np.float32)
    sheet, _ = place(ink, (side, side), rng, margin=-0.08)
    style = rng.integers(5)
    dark = np.array(
        [(0, 0, 0), (0, 0, 0), (30, 30, 160), (200, 20, 20), (90, 90, 90)][rng.integers(5)]
    )
    if style == 0:  # white on black
        picture = compose(sheet, np.zeros(3), np.full(3, 255.0))
    elif style == 1:  # strokes on a transparent canvas
        alpha = np.rint(sheet * 255).astype(np.uint8)
        rgba = np.dstack([np.broadcast_to(dark, (*sheet.shape, 3)).astype(np.uint8), alpha])
        return saved(Image.fromarray(rgba), "PNG", rng), ("screen", "transparent"), ink
    elif style == 2:  # any colours
        paper = rng.integers(120, 256, 3)
        picture = compose(sheet, paper, dark)
    else:
        picture = compose(sheet, np.full(3, 255.0), dark)
    image = Image.fromarray(picture)
    if rng.random() < 0.3:
        image = image.convert("L")
    form = rng.choice(["PNG", "PNG", "JPEG", "WEBP", "BMP", "GIF"])
    size = "below 64 pixels" if side < 64 else "64 pixels and more"
    return saved(image, form, rng), ("screen", f"screen, {size}"), ink


def camera(digit, label, rng):
    """Return a photograph of a digit on paper or on a board."""
    long = int(rng.choice([160, 240, 320, 400, 480, 640, 800]))
    shape = (long, round(long * rng.uniform(0.6, 1.0)))
    if rng.random() < 0.5:
        shape = shape[::-1]
    board = rng.random() < 0.2
    supports, pens = (BOARDS, CHALKS) if board else (PAPERS, PENS)
    support, pen = (rng.choice(list(names)) for names in (supports, pens))
    if not board and rng.random() < 0.4:
        support = "white"
    colour, thicknesses, coverages, grain = pens[pen]
    box = round(
        min(shape) * (rng.uniform(0.5, 1.1) if rng.random() < 0.65 else rng.uniform(0.18, 0.5))
    )
    thickness = rng.uniform(*thicknesses) * max(1, min(2.2, 0.5 * min(shape) / box))
    thickness = max(thickness, 0.7 / box)
    ink = written(digit, label, box, thickness, rng)
    sheet, corner = place(ink, shape, rng, margin=0.0)
    sheet = sheet * (1 - grain * noise(shape, 1.2, rng)) * rng.uniform(*coverages)
    sheet = np.maximum(sheet, smudges(shape, corner, box, rng))
    crowded = rng.random() < 0.25
    if crowded:
        sheet = np.maximum(sheet, neighbours(shape, corner, box, thickness, rng))
    paper, lines = printed(np.array(supports[support], float), shape, rng, plain=board)
    paper *= 1 + 0.05 * (noise(shape, rng.uniform(1, 3), rng) - 0.5)[..., None]
    if board:
        paper = paper + 30 * rng.random() * noise(shape, long / 12, rng)[..., None]
    picture = compose(np.clip(sheet, 0, 1), paper, np.array(colour) * rng.uniform(0.8, 1.1))
    picture = picture.astype(np.float32) * light(shape, rng)[..., None] * tint(rng)
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    traits = ["camera", pen, f"on {support}", lines]
    if rng.random() < 0.15:
        image, more = close_by(image, corner, rng), ("close by",)
    elif rng.random() < 0.6:
        image, more = shot(image, corner, rng, table=not crowded)
    else:
        more = ()
    return developed(image, rng), (*traits, *more), ink


def place(ink, shape, rng, *, margin):
    """Return a sheet with `ink` somewhere whole on it, and the ink's corner (top, left)."""
    rows, columns = np.flatnonzero(ink.max(1) > 0.3), np.flatnonzero(ink.max(0) > 0.3)
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    room = round(0.03 * min(shape)) if margin >= 0 else 0
    top, left = (
        round(
            rng.triangular(
                room, max((whole - part) / 2, room + 1), max(whole - part - room, room + 2)
            )
        )
        for whole, part in zip(shape, ink.shape, strict=True)
    )
    sheet = np.zeros(shape, np.float32)
    part = ink[: shape[0] - top, : shape[1] - left]
    sheet[top : top + part.shape[0], left : left + part.shape[1]] = part
    return sheet, (top, left, *ink.shape)


def compose(share, paper, colour):
    """Return paper with ink of one colour on it, uint8 (h, w, 3)."""
    share = share[..., None]
    return np.clip(paper * (1 - share) + colour * share, 0, 255).astype(np.uint8)


def noise(shape, size, rng):
    """Return noise between 0 and 1 with grains of about `size` pixels."""
    small = tuple(max(2, round(length / size)) for length in shape)
    grains = Image.fromarray(rng.integers(0, 256, small).astype(np.uint8))
    return np.asarray(grains.resize(shape[::-1], Image.Resampling.BICUBIC), np.float32) / 255


def printed(colour, shape, rng, *, plain):
    """Return paper of one colour, or ruled, squared or dotted, float (h, w, 3); and which."""
    paper = np.broadcast_to(colour, (*shape, 3)).copy()
    kind = "plain" if plain else rng.choice(["plain", "plain", "ruled", "squared", "dotted"])
    if kind == "plain":
        return paper, kind
    gap, start = rng.uniform(0.05, 0.25) * min(shape), rng.uniform(0, 30)
    image = Image.new("L", (2 * shape[1], 2 * shape[0]))
    pen = ImageDraw.Draw(image)
    width = max(1, round(rng.uniform(0.002, 0.006) * 2 * min(shape)))
    across = np.arange(start, 2 * shape[1], 2 * gap)
    down = np.arange(start, 2 * shape[0], 2 * gap)
    if kind == "dotted":
        for x in across:
            for y in down:
                pen.ellipse((x - width, y - width, x + width, y + width), fill=255)
    else:
        for y in down:
            pen.line((0, y, image.width, y), fill=255, width=width)
    if kind == "squared":
        for x in across:
            pen.line((x, 0, x, image.height), fill=255, width=width)
    elif kind == "ruled" and rng.random() < 0.4:
        x = rng.uniform(0, 2 * shape[1])
        pen.line((x, 0, x, image.height), fill=255, width=width)
    share = np.asarray(image.resize(shape[::-1], Image.Resampling.BOX), float)[..., None] / 255
    lines = np.array(
        [(110, 150, 210), (150, 150, 160), (200, 140, 120), (120, 160, 140)][rng.integers(4)]
    )
    return paper * (1 - share * rng.uniform(0.3, 0.8) * (1 - lines / 255)), kind


def smudges(shape, corner, box, rng):
    """Return specks and rubbed places, as ink."""
    image = Image.new("L", shape[::-1])
    if rng.random() < 0.4:
        pen = ImageDraw.Draw(image)
        for _ in range(rng.integers(1, 8)):
            x, y, r = (
                rng.uniform(0, shape[1]),
                rng.uniform(0, shape[0]),
                rng.uniform(0.3, 0.012 * box + 0.5),
            )
            pen.ellipse((x - r, y - r, x + r, y + r), fill=int(rng.uniform(60, 255)))
    specks = np.asarray(image, np.float32) / 255
    rubbed = 0.07 * noise(shape, min(shape) / 6, rng) if rng.random() < 0.3 else 0
    return np.maximum(specks, rubbed)


def neighbours(shape, corner, box, thickness, rng):
    """Return the ink of other digits that the picture's edge cuts off."""
    sheet = np.zeros(shape, np.float32)
    top, left, _, width = corner
    other = draw_digit(int(rng.integers(10)), box, thickness, rng)
    rows, columns = np.flatnonzero(other.max(1) > 0.3), np.flatnonzero(other.max(0) > 0.3)
    other = other[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    seen = round(other.shape[1] * rng.uniform(0.2, 0.7))
    gap = 0.12 * box
    y = int(np.clip(top + rng.integers(-10, 11), 0, max(shape[0] - other.shape[0], 0)))
    part = other[: shape[0] - y]
    if left - gap > seen and rng.random() < 0.5:
        sheet[y : y + len(part), :seen] = part[:, -seen:]
    elif shape[1] - left - width - gap > seen:
        sheet[y : y + len(part), -seen:] = part[:, :seen]
    return sheet


def light(shape, rng):
    """Return how bright the light is at each pixel: a slope, darker corners, shadows."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, length) for length in shape), indexing="ij")
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.35)
    bright = 1 - strength * (1 + np.cos(angle) * x + np.sin(angle) * y) / 2
    bright *= 1 - rng.uniform(0, 0.4) * (x * x + y * y) / 2
    if rng.random() < 0.35:  # the shadow of a hand or a phone
        angle, at = rng.uniform(0, 2 * np.pi), rng.uniform(-0.8, 0.8)
        far = np.cos(angle) * x + np.sin(angle) * y + rng.uniform(0, 0.3) * np.sin(3 * x + 2 * y)
        bright *= 1 - rng.uniform(0.15, 0.55) / (1 + np.exp(-(far - at) / rng.uniform(0.01, 0.2)))
    return bright * rng.uniform(0.65, 1.08)


def tint(rng):
    return 1 + rng.normal(0, 0.05, 3)


def close_by(image, corner, rng):
    """Return the sheet cut off around the digit, which hardly has room in it."""
    top, left, tall, wide = corner
    room = rng.uniform(0.01, 0.12, 4) * max(tall, wide) + 1
    edges = left - room[0], top - room[1], left + wide + room[2], top + tall + room[3]
    return image.crop([round(np.clip(edges[i], 0, image.size[i % 2])) for i in range(4)])


def shot(image, corner, rng, *, table):
    """Return the sheet as a camera sees it that is not held straight, perhaps with a table.

    There is none around a sheet that cuts digits off: the camera does that, the writer does not.
    """
    width, height = image.size
    top, left, tall, wide = corner
    free = min(top, left, height - top - tall, width - left - wide)
    traits = ["tilted"]
    canvas, offset = image, 0
    if table and rng.random() < 0.45:
        offset = round(rng.uniform(0.03, 0.3) * min(image.size))
        colour = np.array(TABLES[rng.integers(len(TABLES))], float)
        shape = (height + 2 * offset, width + 2 * offset)
        grain = (
            noise(shape, rng.uniform(1, 6), rng) * 0.3
            + noise((shape[0], 4), 9, rng).mean(1)[:, None] * 0.3
        )
        wood = np.clip(colour * (0.6 + grain)[..., None], 0, 255).astype(np.uint8)
        canvas = Image.fromarray(wood)
        canvas.paste(image, (offset, offset))
        traits.append("table around it")
        free += offset
    reach = max(0, min(0.08 * min(canvas.size), 0.6 * free))
    size = np.array(canvas.size)
    corners = np.array([(0, 0), (0, 1), (1, 1), (1, 0)]) * size
    angle = np.radians(rng.normal(0, 4))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    seen = (corners - size / 2) @ turn.T + size / 2 + rng.uniform(-reach, reach, (4, 2))
    seen = np.clip(seen, 0, size)
    # A cut through the sheet's edges, so that the table may be on one side only.
    if offset and rng.random() < 0.5:
        cut = rng.uniform(0, offset, 4)
        seen[:, 0] = np.clip(seen[:, 0], cut[0], size[0] - cut[1])
        seen[:, 1] = np.clip(seen[:, 1], cut[2], size[1] - cut[3])
    return (
        canvas.transform(
            canvas.size,
            Image.Transform.QUAD,
            tuple(seen.ravel()),
            Image.Resampling.BICUBIC,
        ),
        traits,
    )


def developed(image, rng):
    """Return the file that a camera or a scanner makes: out of focus, noisy, compressed."""
    sharp = min(image.size)
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.006) * sharp))
    pixels = np.asarray(image, np.float32)
    pixels = pixels + rng.normal(0, rng.uniform(0, 6), pixels.shape)
    if rng.random() < 0.3:
        pixels = pixels + rng.normal(0, 4, (*pixels.shape[:2], 1))
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    if rng.random() < 0.15:
        image = image.convert("L")
    return saved(image, rng.choice(["JPEG", "JPEG", "JPEG", "PNG", "WEBP"]), rng)


def saved(image, form, rng):
    stream = io.BytesIO()
    options = {"quality": int(rng.integers(25, 96))} if form in ("JPEG", "WEBP") else {}
    image.save(stream, str(form), **options)
    return stream.getvalue()
