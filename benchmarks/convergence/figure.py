"""The figure, as plain SVG text: one accent colour for our ranker, greys for everything else."""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape
from typing import Any

INK, GREY, FAINT, ACCENT, PAPER = "#222", "#777", "#ddd", "#c2410c", "#fffdfa"
WIDTH, HEIGHT = 960, 900
ROWS = (
    ("active", 4, "ActiveRanker, K = 4"),
    ("active", 2, "ActiveRanker, K = 2"),
    ("luce-information", 4, "Plackett-Luce + information, K = 4"),
    ("luce-random", 4, "Plackett-Luce + random, K = 4"),
    ("ksort-adjacent", 4, "K-Sort, adjacent only, K = 4"),
    ("ksort", 4, "K-Sort's equations, K = 4"),
    ("elo", 2, "Elo, random pairs"),
)
NOISES = (0.0, 0.05, 0.1)
CURVES = (
    ("active", "wrong", "ActiveRanker", ACCENT, ""),
    ("active", "wrong_fitted", "Plackett-Luce on its ballots", ACCENT, "5 4"),
    ("luce-information", "wrong", "Plackett-Luce + information", INK, ""),
    ("luce-random", "wrong", "Plackett-Luce + random", GREY, "2 3"),
)
Scale = Callable[[float], float]


def drawn(results: dict[str, Any]) -> str:
    """The whole figure."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" font-family="system-ui, sans-serif" font-size="13" fill="{INK}">',
        "<title>Ballots until 50 systems stand in exactly the true order, by method</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>',
        *_exact_by_method(results["exact"]),
        *_exact_by_size(results["exact"]),
        *_kendall(results["kendall"], results["budgets"]),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _exact_by_method(rows: list[dict[str, Any]]) -> list[str]:
    left, right, top, row_height = 300, 920, 78, 54
    bottom = top + row_height * len(ROWS)
    x = _log_scale(40, 130_000, left, right)
    parts = [_heading(30, 30, "Ballots until the order of 50 systems is exact and stays exact")]
    parts.append(
        _text(30, 50, "dot: median; line: best to worst seed; arrow: some seeds never within the limit", GREY)
    )
    for tick in (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 100_000):
        parts.append(_line(x(tick), top - 8, x(tick), bottom, FAINT))
        parts.append(_text(x(tick), bottom + 16, f"{tick:,}", GREY, "middle"))
    parts.append(_line(x(47), top - 8, x(47), bottom, INK, "2 3"))
    parts.append(_text(x(47) + 4, top - 12, "47: information bound at K = 4", GREY))
    for place, (name, size, label) in enumerate(ROWS):
        colour = ACCENT if name == "active" else INK
        y = top + place * row_height
        parts.append(_text(left - 60, y + 30, label, colour, "end"))
        for which, noise in enumerate(NOISES):
            parts += _range(rows, name, size, noise, y + 12 + 16 * which, x, colour, left)
    return parts


def _range(
    rows: list[dict[str, Any]], name: str, size: int, noise: float, y: float, x: Scale, colour: str, left: int
) -> list[str]:
    found = _find(rows, method=name, k=size, noise=noise)
    parts = [_text(left - 12, y + 4, f"{noise:.0%}", GREY, "end", 11)]
    if found is None:
        return parts
    counts = sorted(count for count in found["ballots"] if count is not None)
    given_up = len(found["ballots"]) - len(counts)
    limit = 100_000 if name == "elo" else 10_000
    end = x(limit) if given_up else x(counts[-1])
    if counts:
        parts.append(_line(x(counts[0]), y, end, y, colour))
    if given_up:
        parts.append(f'<path d="M{end:.1f} {y - 4} l6 4 l-6 4 z" fill="{colour}"/>')
        start = x(counts[0]) if counts else end
        parts.append(_text(start - 8, y + 4, f"{given_up} of {found['seeds']} not", GREY, "end", 11))
    if found["median"] is not None:
        parts.append(f'<circle cx="{x(found["median"]):.1f}" cy="{y}" r="4" fill="{colour}"/>')
        if not given_up:
            parts.append(_text(end + 8, y + 4, f"{found['median']:,.0f}", colour, size=11))
    return parts


def _exact_by_size(rows: list[dict[str, Any]]) -> list[str]:
    left, right, top, bottom = 70, 430, 590, 840
    y = _log_scale(20, 500, bottom, top)
    parts = [_heading(30, 548, "ActiveRanker by ballot size"), _text(30, 568, "median ballots", GREY)]
    for tick in (20, 50, 100, 200, 500):
        parts.append(_line(left, y(tick), right, y(tick), FAINT))
        parts.append(_text(left - 8, y(tick) + 4, str(tick), GREY, "end"))

    def x(size: float) -> float:
        return left + 20 + (size - 2) * (right - left - 90) / 4

    for size in range(2, 7):
        parts.append(_text(x(size), bottom + 20, f"K = {size}", GREY, "middle"))
    bound = [(x(k), y(math.lgamma(51) / math.lgamma(k + 1))) for k in range(2, 7)]
    parts += [_path(bound, GREY, "2 3"), _text(bound[-1][0] + 8, bound[-1][1] + 4, "bound", GREY, size=11)]
    ends: list[float] = []
    for noise, dash in zip(NOISES, ("", "6 3", "2 2"), strict=True):
        cells = [(k, _find(rows, method="active", k=k, noise=noise)) for k in range(2, 7)]
        points = [(x(k), y(cell["median"])) for k, cell in cells if cell is not None and cell["median"]]
        if points:
            ends.append(min(points[-1][1], ends[-1] - 13) if ends else points[-1][1])
            parts += [_path(points, ACCENT, dash), *(_dot(point, ACCENT) for point in points)]
            parts.append(_text(points[-1][0] + 8, ends[-1] + 4, f"noise {noise:.0%}", ACCENT, size=11))
    return parts


def _kendall(rows: list[dict[str, Any]], budgets: list[int]) -> list[str]:
    left, right, top, bottom = 550, 900, 590, 840
    x, y = _log_scale(budgets[0], budgets[-1], left, right), _linear_scale(0.0, 0.4, bottom, top)
    parts = [_heading(510, 548, "True Plackett-Luce noise, K = 4")]
    parts.append(_text(510, 568, "share of pairs in the wrong order; strengths normal, SD 174 Elo", GREY))
    for share in (0.0, 0.1, 0.2, 0.3, 0.4):
        parts.append(_line(left, y(share), right, y(share), FAINT))
        parts.append(_text(left - 8, y(share) + 4, f"{share:.0%}", GREY, "end"))
    for budget in budgets:
        parts.append(_text(x(budget), bottom + 20, str(budget), GREY, "middle"))
    parts.append(_text((left + right) / 2, bottom + 40, "ballots", GREY, "middle"))
    for place, (name, key, label, colour, dash) in enumerate(CURVES):
        found = _find(rows, method=name, k=4, spread="normal")
        if found is not None:
            points = [(x(b), y(min(share, 0.4))) for b, share in zip(budgets, found[key], strict=True)]
            parts.append(_path(points, colour, dash))
        legend = top + 12 + 18 * place
        parts += [_line(right - 215, legend, right - 185, legend, colour, dash, 1.6)]
        parts.append(_text(right - 178, legend + 4, label, colour, size=12))
    return parts


def _find(rows: list[dict[str, Any]], **wanted: object) -> dict[str, Any] | None:
    return next((row for row in rows if all(row[key] == value for key, value in wanted.items())), None)


def _log_scale(low: float, high: float, start: float, end: float) -> Scale:
    return lambda value: start + (end - start) * math.log(value / low) / math.log(high / low)


def _linear_scale(low: float, high: float, start: float, end: float) -> Scale:
    return lambda value: start + (end - start) * (value - low) / (high - low)


def _text(x: float, y: float, words: str, colour: str, anchor: str = "start", size: int = 13) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" font-size="{size}">'
        f"{escape(words)}</text>"
    )


def _heading(x: float, y: float, words: str) -> str:
    return f'<text x="{x}" y="{y}" font-size="16" font-weight="600">{escape(words)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dash: str = "", width: float = 1.0) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="{width}" stroke-dasharray="{dash}"/>'
    )


def _path(points: list[tuple[float, float]], colour: str, dash: str) -> str:
    way = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (
        f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="1.6" '
        f'stroke-dasharray="{dash}"/>'
    )


def _dot(point: tuple[float, float], colour: str) -> str:
    return f'<circle cx="{point[0]:.1f}" cy="{point[1]:.1f}" r="3" fill="{colour}"/>'
