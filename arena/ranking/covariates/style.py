"""Measures how answers look (length, markup, links), to be covariates of a board. It never judges what they
say, and takes time linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from arena.ranking.arrays import Floats
from arena.ranking.errors import InvalidFeature, LengthMismatch

TEXT_FEATURES = (
    "characters",
    "words",
    "headers",
    "ordered_items",
    "unordered_items",
    "list_items",
    "bold",
    "code_blocks",
    "emoji",
    "links",
    "images",
    "citations",
)
"""What `text_style` counts, in the order of `text_table`."""


class FeatureTable(NamedTuple):
    """Columns for `Ballots.features`: names, and float64[k, F] with a row for each answer, NaN = unknown."""

    names: tuple[str, ...]
    values: Floats


def text_style(text: str) -> dict[str, float]:
    """Count what a text looks like; the keys are `TEXT_FEATURES`.

    characters      code points of the whole text, code included
    words           runs of letters, digits and underscores in the whole text; each Han, Hiragana or Katakana
                    character is a word by itself. It stands in for the tokens of one tokeniser
    code_blocks     fences as in CommonMark: a line of three or more ` or ~, indented by at most three spaces,
                    to the next such line, as long or longer and of the same sign, or else to the end

    Everything below is counted outside of fences (as FastChat does), line by line:

    headers         lines of one to six # (after at most three spaces), then a space, a tab or nothing
    ordered_items   lines of up to nine digits and . or ), space or tab, then text; any indentation
    unordered_items lines of -, * or +, space or tab, then text; not rules such as "* * *"
    list_items      both
    bold            **text** and __text__ that neither begin nor end with a space; no sign of their own kind
                    inside; __ not inside a word

    and, like bold, outside of `inline code`, which ends on its line:

    links           [label](target) and web addresses (http, https) that stand alone
    images          ![label](target)
    citations       numbers from 1 to 999 in square brackets, each number of [2, 3] once, [1](target) once;
                    and links without such a number as label
    emoji           pictographs, dingbats and flags; joined or tinted ones count as one

    Indented code, underlined headers and HTML are taken for plain text.
    """
    lines, n_fences = _outside_fences(_LINE_END.split(text))
    headers = ordered = unordered = 0
    for line in lines:
        if _HEADER.match(line):
            headers += 1
        elif _ORDERED.match(line):
            ordered += 1
        elif _UNORDERED.match(line) and not _RULE.match(line):
            unordered += 1
    prose = "\n".join(_without_inline_code(line) for line in lines)
    links = images = numbered = 0
    for match in _LINK.finditer(prose):
        images += bool(match["image"])
        links += not match["image"]
        numbered += bool(not match["image"] and _NUMBER.fullmatch(match["label"]))
    rest = _LINK.sub(" ", prose)
    links += sum(1 for _ in _ADDRESS.finditer(rest))
    marks = sum(len(_NUMBER.findall(match[0])) for match in _MARK.finditer(rest))
    counts = (
        len(text),
        sum(1 for _ in _WORD.finditer(text)),
        headers,
        ordered,
        unordered,
        ordered + unordered,
        sum(1 for _ in _BOLD.finditer(prose)),
        n_fences,
        sum(1 for _ in _EMOJI.finditer(prose)),
        links,
        images,
        marks + links,
    )
    return dict(zip(TEXT_FEATURES, map(float, counts), strict=True))


def text_table(texts: Sequence[str | None]) -> FeatureTable:
    """`text_style` of many answers; None, an answer that is not at hand, gives a row of NaN."""
    values = np.full((len(texts), len(TEXT_FEATURES)), np.nan)
    for row, text in enumerate(texts):
        if text is not None:
            values[row] = list(text_style(text).values())
    return FeatureTable(TEXT_FEATURES, values)


def feature_rows(answers: Sequence[Mapping[str, float] | None], names: Sequence[str]) -> Floats | None:
    """float64[k, F], the named counts of each answer, NaN where there is no answer; None without a name.

    Raises InvalidFeature for a name that an answer does not have.
    """
    if not names:
        return None
    values = np.full((len(answers), len(names)), np.nan)
    for row, answer in enumerate(answers):
        if answer is None:
            continue
        try:
            values[row] = [answer[name] for name in names]
        except KeyError as missing:
            raise InvalidFeature(
                f"no answer has a feature {missing}; known are {', '.join(answer)}"
            ) from None
    return values


def measured_table(columns: Mapping[str, Sequence[float | bool | None] | ArrayLike]) -> FeatureTable:
    """Properties measured elsewhere, one column each: duration_s, size_bytes, pixels, speech_rate, is_splat,
    is_textured … True counts 1, None and NaN are unknown.

    Raises LengthMismatch, and InvalidFeature for what is no number or infinite.
    """
    made: list[Floats] = []
    for name, column in columns.items():
        try:
            values = np.asarray(column, dtype=np.float64)  # None becomes NaN
        except (TypeError, ValueError) as problem:
            raise InvalidFeature(f"{name} must hold numbers: {problem}") from problem
        if values.ndim != 1 or (made and values.size != made[0].size):
            raise LengthMismatch(f"{name} has shape {values.shape}, unlike the other columns")
        if bool(np.isinf(values).any()):
            raise InvalidFeature(f"{name} is infinite somewhere")
        made.append(values)
    return FeatureTable(tuple(columns), np.stack(made, axis=1) if made else np.zeros((0, 0)))


# Each pattern looks at a character a bounded number of times: no repetition can match what follows it.
_LINE_END = re.compile(r"\r\n|\r|\n")
_FENCE = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})(?P<rest>.*)")
_HEADER = re.compile(r" {0,3}#{1,6}(?:[ \t]|$)")
_ORDERED = re.compile(r"[ \t]*[0-9]{1,9}[.)][ \t]+[^ \t]")
_UNORDERED = re.compile(r"[ \t]*[-*+][ \t]+[^ \t]")
_RULE = re.compile(r"[ \t]*(?P<sign>[-*_])[ \t]*(?:(?P=sign)[ \t]*){2,}$")
_TICKS = re.compile(r"`+")
_IDEOGRAPH = "\u3041-\u3096\u30a1-\u30fa\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_IDEOGRAPH}]|[^\W{_IDEOGRAPH}]+")
_BOLD = re.compile(r"\*\*(?!\s)[^*\n]+(?<!\s)\*\*|(?<!\w)__(?!\s)[^_\n]+(?<!\s)__(?!\w)")
_LINK = re.compile(r"(?P<image>!?)\[(?P<label>[^\[\]\n]*)\]\([^\s()]+\)?")
_ADDRESS = re.compile(r"(?<!\w)https?://[^\s<>]+")
_NUMBER = re.compile(r"\^?[1-9][0-9]{0,2}")
_MARK = re.compile(r"\[\^?[1-9][0-9]{0,2}(?:[ ]?[,;–-][ ]?\^?[1-9][0-9]{0,2})*\]")
_PICTOGRAPH = (
    "[\u2600-\u27bf\U0001f300-\U0001f64f\U0001f680-\U0001f6ff\U0001f7e0-\U0001f7eb\U0001f900-\U0001faff]"
)
_TINT = "[\ufe0f\U0001f3fb-\U0001f3ff]*"
_EMOJI = re.compile(f"[\U0001f1e6-\U0001f1ff]{{2}}|{_PICTOGRAPH}{_TINT}(?:\u200d{_PICTOGRAPH}{_TINT})*")


class _Outside(NamedTuple):
    lines: list[str]
    n_fences: int


def _outside_fences(lines: Sequence[str]) -> _Outside:
    kept: list[str] = []
    fence, count = "", 0
    for line in lines:
        found = _FENCE.match(line)
        if fence:
            closes = found is not None and not found["rest"].strip() and found["fence"].startswith(fence)
            fence = "" if closes else fence
        elif found is not None and not (found["fence"][0] == "`" and "`" in found["rest"]):
            fence, count = found["fence"], count + 1
        else:
            kept.append(line)
    return _Outside(kept, count)


def _without_inline_code(line: str) -> str:
    """Spans from a run of backticks to the next run of the same length become spaces."""
    if "`" not in line:
        return line
    runs = [match.span() for match in _TICKS.finditer(line)]
    later: dict[int, list[int]] = {}
    for number in range(len(runs) - 1, -1, -1):
        later.setdefault(runs[number][1] - runs[number][0], []).append(number)
    pieces, at, number = [], 0, 0
    while number < len(runs):
        start, end = runs[number]
        ends = later[end - start]
        while ends and ends[-1] <= number:  # each run is dropped once: linear
            ends.pop()
        if ends:
            pieces += [line[at:start], " "]
            number = ends.pop()
            at = runs[number][1]
        number += 1
    return "".join(pieces) + line[at:]
