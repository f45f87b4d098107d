"""A sweep as a picture: what each trial reached, epoch by epoch. SVG, without a library."""

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 360, 76, 44, 28, 16
TICKS = 4
OTHERS, BEST = "#9ca3af", "#2f50d8"

Curve = Sequence[float | None]


def plot(curves: Sequence[Curve], names: Sequence[str], *, metric: str, best: int | None) -> str:
    """Return an SVG with a line a trial; `best` is the place of the one that stands out.

    Parameters
    ----------
    curves : sequence of sequences of float
        A value an epoch; None where there is none.
    names : sequence of str
        What each trial tried; shown where the mouse rests on its line.
    """
    values = [value for curve in curves for value in curve if value is not None]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    high = high if high > low else low + 1.0
    epochs = max(map(len, curves), default=1) or 1
    across, up = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(epoch: float) -> float:
        return LEFT + across * (epoch - 1) / max(epochs - 1, 1)

    def y(value: float) -> float:
        return TOP + up * (high - value) / (high - low)

    def line(place: int) -> str:
        points = " ".join(
            f"{x(epoch):.1f},{y(value):.1f}"
            for epoch, value in enumerate(curves[place], 1)
            if value is not None
        )
        kind, colour, width = ("best", BEST, 2.5) if place == best else ("other", OTHERS, 1.2)
        return (
            f'<polyline class="{kind}" points="{points}" fill="none" '
            f'stroke="{colour}" stroke-width="{width}" '
            f'stroke-linejoin="round"><title>{escape(names[place])}</title></polyline>'
        )

    order = sorted(range(len(curves)), key=lambda place: place == best)  # the best on top
    ticks = [low + (high - low) * step / TICKS for step in range(TICKS + 1)]
    what = escape(metric.replace("_", " "))
    name = "" if best is None else f'<tspan class="name">; best: {escape(names[best])}</tspan>'
    unit = "{:.1%}" if metric.endswith("accuracy") else "{:.4g}"
    parts = [
        *(
            f'<path d="M{LEFT} {y(tick):.1f}h{across}" stroke="#e5e7eb"/>'
            f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">'
            f"{unit.format(tick)}</text>"
            for tick in ticks
        ),
        *map(line, order),
        f'<text x="{LEFT}" y="{TOP - 10}">{what}{name}</text>',
        f'<text x="{LEFT}" y="{HEIGHT - 24}" text-anchor="middle">1</text>',
        f'<text x="{LEFT + across}" y="{HEIGHT - 24}" text-anchor="end">{epochs}</text>',
        f'<text x="{LEFT + across / 2}" y="{HEIGHT - 10}" text-anchor="middle">epoch</text>',
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
        f"{''.join(parts)}</svg>"
    )
