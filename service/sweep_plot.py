"""A sweep as a picture: what each trial reached, epoch by epoch. SVG, without a library."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 360, 76, 44, 28, 16
ACROSS, UP = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
TICKS = 4
OTHERS, BEST = "#9ca3af", "#2f50d8"

Curve = Sequence[float | None]


class _Axes(NamedTuple):
    """Where epochs, from 1 on, and values, between the least and the greatest, are drawn."""

    epochs: int
    low: float
    high: float

    @classmethod
    def around(cls, curves: Sequence[Curve]) -> "_Axes":
        values = [value for curve in curves for value in curve if value is not None]
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        epochs = max(map(len, curves), default=1) or 1
        return cls(epochs, low, high if high > low else low + 1.0)

    def x(self, epoch: float) -> float:
        return LEFT + ACROSS * (epoch - 1) / max(self.epochs - 1, 1)

    def y(self, value: float) -> float:
        return TOP + UP * (self.high - value) / (self.high - self.low)


def plot(curves: Sequence[Curve], names: Sequence[str], *, metric: str, best: int | None) -> str:
    """Return an SVG with a line a trial; `best` is the place of the one that stands out.

    Parameters
    ----------
    curves : sequence of sequences of float
        A value an epoch; None where there is none.
    names : sequence of str
        What each trial tried; shown where the mouse rests on its line.
    """
    axes = _Axes.around(curves)
    order = sorted(range(len(curves)), key=lambda place: place == best)  # the best on top
    lines = [_line(axes, curves[place], names[place], place == best) for place in order]
    title = _title(metric, None if best is None else names[best])
    parts = [*_grid(axes, metric), *lines, title, *_epochs(axes)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
        f"{''.join(parts)}</svg>"
    )


def _grid(axes: _Axes, metric: str) -> Iterator[str]:
    unit = "{:.1%}" if metric.endswith("accuracy") else "{:.4g}"
    for step in range(TICKS + 1):
        tick = axes.low + (axes.high - axes.low) * step / TICKS
        y = axes.y(tick)
        yield f'<path d="M{LEFT} {y:.1f}h{ACROSS}" stroke="#e5e7eb"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{unit.format(tick)}</text>'


def _line(axes: _Axes, curve: Curve, name: str, is_best: bool) -> str:
    points = " ".join(
        f"{axes.x(epoch):.1f},{axes.y(value):.1f}"
        for epoch, value in enumerate(curve, 1)
        if value is not None
    )
    kind, colour, width = ("best", BEST, 2.5) if is_best else ("other", OTHERS, 1.2)
    return (
        f'<polyline class="{kind}" points="{points}" fill="none" '
        f'stroke="{colour}" stroke-width="{width}" '
        f'stroke-linejoin="round"><title>{escape(name)}</title></polyline>'
    )


def _title(metric: str, best: str | None) -> str:
    name = "" if best is None else f'<tspan class="name">; best: {escape(best)}</tspan>'
    return f'<text x="{LEFT}" y="{TOP - 10}">{escape(metric.replace("_", " "))}{name}</text>'


def _epochs(axes: _Axes) -> Iterator[str]:
    yield f'<text x="{LEFT}" y="{HEIGHT - 24}" text-anchor="middle">1</text>'
    end, middle = LEFT + ACROSS, LEFT + ACROSS / 2
    yield f'<text x="{end}" y="{HEIGHT - 24}" text-anchor="end">{axes.epochs}</text>'
    yield f'<text x="{middle}" y="{HEIGHT - 10}" text-anchor="middle">epoch</text>'
