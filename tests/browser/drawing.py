"""Digits as strokes, for a mouse, a finger or a picture: points in a square of side 1."""

import io
import math

from PIL import Image, ImageDraw


def arc(x, y, wide, high, start, end, steps=24):
    """Return points along an ellipse from one angle to another; degrees, clockwise from right."""
    angles = [math.radians(start + (end - start) * i / steps) for i in range(steps + 1)]
    return [(x + wide * math.cos(a), y + high * math.sin(a)) for a in angles]


DIGITS = {
    "0": [arc(0.5, 0.5, 0.2, 0.33, -90, 270)],
    "1": [[(0.52, 0.18), (0.48, 0.82)]],
    "2": [[*arc(0.5, 0.33, 0.19, 0.17, -170, 40), (0.3, 0.82), (0.74, 0.82)]],
    "3": [[*arc(0.48, 0.33, 0.18, 0.16, -150, 80), *arc(0.48, 0.66, 0.21, 0.18, -80, 150)]],
    "4": [[(0.42, 0.15), (0.28, 0.52), (0.7, 0.52)], [(0.64, 0.2), (0.6, 0.85)]],
    "5": [[(0.7, 0.18), (0.4, 0.18), (0.36, 0.46), *arc(0.48, 0.63, 0.2, 0.19, -110, 150)]],
    "6": [[(0.62, 0.15), (0.42, 0.4), *arc(0.5, 0.65, 0.18, 0.18, -170, 190)]],
    "7": [[(0.28, 0.2), (0.72, 0.2), (0.46, 0.85)]],
    "8": [
        [
            *arc(0.5, 0.33, 0.16, 0.15, 90, -270),
            *arc(0.5, 0.66, 0.19, 0.18, -90, 270),
        ]
    ],
    "9": [[*arc(0.5, 0.36, 0.17, 0.17, 0, -360), (0.67, 0.4), (0.6, 0.85)]],
}


def on_pad(page, stroke):
    """Return a stroke's points in pixels of the page."""
    box = page.locator("#pad").bounding_box()
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]


def draw(page, digit):
    """Draw a digit with the mouse."""
    for stroke in DIGITS[digit]:
        first, *others = on_pad(page, stroke)
        page.mouse.move(*first)
        page.mouse.down()
        for point in others:
            page.mouse.move(*point)
        page.mouse.up()


def photograph(digit, size=(900, 640)):
    """Return a digit in dark ink on uneven light paper, away from the middle, as a JPEG."""
    paper = Image.linear_gradient("L").resize(size).point(lambda grey: 190 + grey // 6)
    pen = ImageDraw.Draw(paper)
    side = min(size) * 0.6
    for stroke in DIGITS[digit]:
        points = [(size[0] * 0.45 + x * side, size[1] * 0.2 + y * side) for x, y in stroke]
        pen.line(points, fill=40, width=round(side / 16), joint="curve")
    file = io.BytesIO()
    paper.save(file, "jpeg")
    return file.getvalue()
