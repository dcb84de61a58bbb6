"""Line charts as SVG, drawn for a report of one file: axes with round figures, a legend, and no script or asset.

Colours come from the page's own variables, so that a chart follows light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

__all__ = ["Line", "chart", "ticks"]

WIDTH: Final = 540
HEIGHT: Final = 190
LEFT: Final = 64
RIGHT: Final = 12
TOP: Final = 12
BOTTOM: Final = 28
_TICKS: Final = 4
_X_TICKS: Final = 6
_LEAST: Final = 1e-9
"""What is less is drawn as nothing."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: its name, its colour (a CSS variable's name) and its values, None where it has a gap."""

    name: str
    colour: str
    values: Sequence[float | None]
    filled: bool = False


def chart(title: str, at_s: Sequence[float], lines: Sequence[Line], *, tell: Callable[[float], str]) -> str:
    """Return an SVG of ``lines`` over ``at_s`` (rising, in s); ``tell`` writes a value of the y axis."""
    highest = max((value for line in lines for value in line.values if value is not None), default=0.0)
    y_ticks = ticks(highest)
    top = y_ticks[-1]
    end_s = at_s[-1] if at_s else 1.0

    def x(second: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * second / end_s

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}" preserveAspectRatio="none">',
        *(_grid_line(y(value), tell(value)) for value in y_ticks),
        *(_second(x(second), second) for second in ticks(end_s, most=_X_TICKS) if second <= end_s * 1.0001),
    ]
    for line in lines:
        parts += _drawn(line, [(x(second), second) for second in at_s], y, tell)
    parts.append("</svg>")
    legend = "".join(
        f'<li><span class="swatch" style="background:var({line.colour})"></span>{escape(line.name)}</li>'
        for line in lines
    )
    return f'<figure><figcaption>{escape(title)}<ul class="legend">{legend}</ul></figcaption>{"".join(parts)}</figure>'


def ticks(highest: float, *, most: int = _TICKS) -> list[float]:
    """Return round figures from 0 up to the first at or above ``highest``, about ``most`` of them."""
    if not _LEAST <= highest < math.inf:
        return [0.0, 1.0]
    rough = highest / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if power * factor >= rough * 0.9999)
    return [step * number for number in range(math.ceil(highest / step - 1e-9) + 1)]


def _grid_line(at_y: float, text: str) -> str:
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at_y:.1f}" y2="{at_y:.1f}"/>'
        f'<text x="{LEFT - 8}" y="{at_y + 4:.1f}" text-anchor="end">{escape(text)}</text>'
    )


def _second(at_x: float, second: float) -> str:
    minutes, seconds = divmod(round(second), 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
    return f'<text x="{at_x:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{text}</text>'


def _drawn(
    line: Line, columns: Sequence[tuple[float, float]], y: Callable[[float], float], tell: Callable[[float], str]
) -> list[str]:
    parts: list[str] = []
    run: list[tuple[float, float]] = []
    for (at_x, _), value in zip([*columns, (0.0, 0.0)], [*line.values, None], strict=True):
        if value is not None:
            run.append((at_x, y(value)))
        elif run:
            parts.append(_stroke(run, line, floor=y(0.0)))
            run = []
    worst = max(((value, index) for index, value in enumerate(line.values) if value is not None), default=None)
    if worst is not None and not line.filled:
        value, index = worst
        at_x, second = columns[index]
        minutes, seconds = divmod(round(second), 60)
        parts.append(
            f'<circle cx="{at_x:.1f}" cy="{y(value):.1f}" r="3" style="fill:var({line.colour})">'
            f"<title>{escape(line.name)}: {escape(tell(value))} at {minutes}:{seconds:02d}</title></circle>"
        )
    return parts


def _stroke(run: Sequence[tuple[float, float]], line: Line, *, floor: float) -> str:
    points = " ".join(f"{at_x:.1f},{at_y:.1f}" for at_x, at_y in run)
    if len(run) == 1:
        return f'<circle cx="{run[0][0]:.1f}" cy="{run[0][1]:.1f}" r="2" style="fill:var({line.colour})"/>'
    stroke = f'<polyline class="line" points="{points}" style="stroke:var({line.colour})"/>'
    if not line.filled:
        return stroke
    area = f"{run[0][0]:.1f},{floor:.1f} {points} {run[-1][0]:.1f},{floor:.1f}"
    return f'<polygon class="area" points="{area}" style="fill:var({line.colour})"/>{stroke}'
