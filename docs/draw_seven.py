"""Draws docs/seven.png, the picture in the README's examples: python docs/draw_seven.py."""

from pathlib import Path

from PIL import Image, ImageDraw

SCALE = 8  # drawn large and brought down, for soft edges
STROKE = [(7, 6), (19, 6), (11, 22)]

picture = Image.new("L", (28 * SCALE, 28 * SCALE))
ImageDraw.Draw(picture).line(
    [(x * SCALE, y * SCALE) for x, y in STROKE], fill=255, width=2 * SCALE + 4, joint="curve"
)
picture.resize((28, 28), Image.Resampling.LANCZOS).save(Path(__file__).with_name("seven.png"))
