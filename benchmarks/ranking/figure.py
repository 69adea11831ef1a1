"""The cost curves as plain SVG: `python -m benchmarks.ranking.figure results.json cost.svg`."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.ranking.groups import CURVES
from benchmarks.ranking.table import least

INK, GREY, FAINT, ACCENT, PAPER = "#222", "#777", "#e3e0da", "#c2410c", "#fffdfa"
STYLES = {
    "fit": (ACCENT, ""),
    "sandwich": (ACCENT, "5 4"),
    "davidson": (INK, ""),
    "bootstrap": (GREY, ""),
    "rankings": (GREY, "2 3"),
}
WIDTH, HEIGHT = 980, 760
Point = dict[str, Any]


class Panel(NamedTuple):
    """left, top, right, bottom in the figure; x, y map values to places."""

    left: float
    top: float
    right: float
    bottom: float
    x: Callable[[float], float]
    y: Callable[[float], float]


def drawn(curves: dict[str, list[Point]]) -> str:
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" font-family="system-ui, sans-serif" font-size="13" fill="{INK}">',
        "<title>Time and memory of fits over votes and over systems</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>',
    ]
    for row, (figure, unit) in enumerate((("time", "ms"), ("memory", "MB"))):
        for column, axis in enumerate(("votes", "systems")):
            left, top = 62 + 490 * column, 66 + 360 * row
            parts += _panel(curves[axis], axis, figure, unit, (left, top, left + 300, top + 270))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(
    points: list[Point], axis: str, figure: str, unit: str, box: tuple[float, float, float, float]
) -> list[str]:
    place = "size" if axis == "votes" else "systems"
    values = [(point[place], value) for point in points if (value := _value(point, figure)) is not None]
    if not values:
        return []
    xs, ys = [x for x, _ in values], [y for _, y in values]
    left, top, right, bottom = box
    low, high = 10 ** math.floor(math.log10(min(ys))), 10 ** math.ceil(math.log10(max(ys)))
    panel = Panel(*box, _log(min(xs), max(xs), left, right), _log(low, high, bottom, top))
    fixed = "200 systems" if axis == "votes" else f"{points[0]['size']:,} votes or ballots"
    heading = f"{'CPU time' if figure == 'time' else 'Peak memory above the input'}, {unit}, {fixed}"
    parts = [_text(left - 40, top - 26, heading, INK, weight="600")]
    for tick in _decades(low, high):
        parts.append(_line(left, panel.y(tick), right, panel.y(tick), FAINT))
        parts.append(_text(left - 8, panel.y(tick) + 4, f"{tick:,g}", GREY, "end"))
    for tick in _decades(min(xs), max(xs)) if axis == "votes" else (10, 50, 200, 1000, 2000):
        if min(xs) <= tick <= max(xs):
            parts.append(_line(panel.x(tick), bottom, panel.x(tick), bottom + 4, GREY))
            parts.append(_text(panel.x(tick), bottom + 20, f"{tick:,}", GREY, "middle"))
    parts.append(_line(left, bottom, right, bottom, GREY))
    parts.append(_text(right, bottom + 38, axis, GREY, "end"))
    return [*parts, *_curves(points, place, figure, panel)]


def _curves(points: list[Point], place: str, figure: str, panel: Panel) -> list[str]:
    parts: list[str] = []
    ends: list[tuple[float, str, str]] = []
    for case, label in CURVES.items():
        colour, dash = STYLES[case]
        way = [
            (panel.x(point[place]), panel.y(value))
            for point in points
            if point["case"] == case and (value := _value(point, figure)) is not None
        ]
        if not way:
            continue
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in way)
        parts.append(
            f'<polyline points="{corners}" fill="none" stroke="{colour}" stroke-width="1.6" '
            f'stroke-dasharray="{dash}"/>'
        )
        x, y = way[-1]
        if x < panel.right - 1:
            parts.append(_text(x, y - 10, label, colour, "end"))
        else:
            ends.append((y, label, colour))
    before = -math.inf
    for y, label, colour in sorted(ends):
        before = max(y, before + 16)
        parts.append(_text(panel.right + 8, before + 4, label, colour))
    return parts


def _value(point: Point, figure: str) -> float | None:
    seconds = least(point)
    if seconds is None:
        return None
    return 1000 * seconds if figure == "time" else max(point["peak_mb"], 0.1)


def _log(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    span = math.log(high / low) or 1.0
    return lambda value: start + (end - start) * math.log(value / low) / span


def _decades(low: float, high: float) -> list[float]:
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    return [10**power if power >= 0 else 10.0**power for power in range(first, last + 1)]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _text(x: float, y: float, words: str, colour: str, anchor: str = "start", weight: str = "400") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{escape(words)}</text>"
    )


if __name__ == "__main__":
    results, picture = (Path(name) for name in sys.argv[1:3])
    picture.write_text(drawn(json.loads(results.read_text())["curves"]))
