"""What templates need everywhere: sanitised Markdown, numbers, and intervals drawn as SVG."""

from __future__ import annotations

import functools
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from arena.core.markdown import render_untrusted
from arena.core.scale import Scale

register = template.Library()


@register.filter
def markdown(text: str) -> SafeString:
    return render_untrusted(text)


@register.filter
def score(value: float | None, scale: Scale) -> str:
    return "–" if value is None else _number(value, scale)


def _number(value: float, scale: Scale) -> str:
    return f"{value:,.{scale.digits}f}"


@register.filter
def thousands(value: int) -> str:
    return f"{value:,}"


@register.filter
def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


@register.filter
def rank_range(rating: Any) -> str:
    """“3”, or “2–5” when the intervals cannot tell the systems apart."""
    if rating.rank_low is None:
        return "–"
    if rating.rank_low == rating.rank_high:
        return str(rating.rank_low)
    return f"{rating.rank_low}–{rating.rank_high}"


@register.filter
def bounds(rating: Any, scale: Scale) -> str:
    """The interval in words; a bound that the votes do not give is said to be open."""
    if rating.score is None:
        return "not rated"
    if rating.low is None and rating.high is None:
        return "no interval yet"
    low = "no lower bound" if rating.low is None else _number(rating.low, scale)
    high = "no upper bound" if rating.high is None else _number(rating.high, scale)
    return f"{low} to {high}"


@functools.lru_cache(maxsize=64)
def _grid(scale: Scale) -> SafeString:
    """The lines behind every interval of a column."""
    return format_html_join(
        "",
        '<line class="grid" x1="{0}%" x2="{0}%" y1="0" y2="22"/>',
        [(position,) for position, _ in scale.ticks()],
    )


@register.simple_tag
def interval(rating: Any, scale: Scale) -> SafeString:
    """A drawn interval; dashed to the edge where it is open. The numbers stand beside it as text."""
    if rating.score is None:
        return SafeString("")
    low, high = scale.percent(rating.low, default=0), scale.percent(rating.high, default=100)
    open_class = " open" if rating.low is None or rating.high is None else ""
    return format_html(
        '<svg class="interval" role="img" aria-label="{}: {}">{}'
        '<line class="band{}" x1="{}%" x2="{}%" y1="11" y2="11"/>'
        '<circle class="point" cx="{}%" cy="11" r="3.6"/></svg>',
        score(rating.score, scale),
        bounds(rating, scale),
        _grid(scale),
        open_class,
        low,
        high,
        scale.percent(rating.score, default=50),
    )


@register.simple_tag
def interval_axis(scale: Scale) -> SafeString:
    """The numbers above a column of intervals."""
    ticks = format_html_join(
        "",
        '<text class="tick" x="{}%" y="14" text-anchor="middle">{}</text>',
        [(position, f"{value:,.{scale.tick_digits}f}") for position, value in scale.ticks()],
    )
    return format_html('<svg class="interval" aria-hidden="true">{}</svg>', ticks)
