"""Turns properties of answers into one number per compared pair and covariate. It never sees an outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np

from arena.ranking.arrays import Floats, Ints
from arena.ranking.ballots import Ballots
from arena.ranking.counts import OUTCOMES, Comparisons, only_comparisons
from arena.ranking.errors import InvalidFeature, InvalidSetting

Contrast = Literal["relative", "difference"]
"""How the properties f_l, f_r of two answers become one number: (f_l - f_r) / (f_l + f_r + 1), for counts and
sizes, or f_l - f_r, for indicators and for what is a score already.
"""

POSITION = "position"
"""Name and contrast of the covariate that is 1 on every comparison: its coefficient favours the earlier slot.
"""

_CHUNK = 1 << 14  # comparisons at a time: their slots' features stay in the second-level cache
_NO_VARIATION = 1e-12  # of the largest value; below it a spread is only rounding


class Covariate(NamedTuple):
    """A property of answers (or the position) and the way two of its values are set against each other."""

    name: str
    contrast: str


class Contrasts(NamedTuple):
    """The comparisons on which every covariate is known, c of them, and the covariates' values there.

    value       float64[F, c], positive where the earlier slot has more; divided by `sd`, not centred
    sd          float64[F], standard deviation of the raw contrast over these comparisons; 1 for the position
    n_unknown   comparisons left out because some answer's property is not known
    """

    comparisons: Comparisons
    covariates: tuple[Covariate, ...]
    value: Floats
    sd: Floats
    n_unknown: int


def named_covariates(spelled: Sequence[str], default: str) -> tuple[Covariate, ...]:
    """Read "length" (with the default contrast) or "length:difference"; what follows another colon is part of
    the name.

    Raises InvalidSetting for an unknown default, for what is no name, and for a covariate given twice.
    """
    if default not in get_args(Contrast):
        raise InvalidSetting(f"contrast must be one of {', '.join(get_args(Contrast))}, not {default!r}")
    found = []
    for text in spelled:
        if not isinstance(text, str) or not text:
            raise InvalidSetting(f"a covariate is the name of a feature, not {text!r}")
        name, colon, contrast = text.rpartition(":")
        is_spelled = bool(colon and name) and contrast in get_args(Contrast)
        found.append(Covariate(name, contrast) if is_spelled else Covariate(text, default))
    if len(set(found)) != len(found):
        raise InvalidSetting(f"a covariate is given twice: {', '.join(spelled)}")
    return tuple(found)


def contrasts_of(
    ballots: Ballots, comparisons: Comparisons, covariates: Sequence[Covariate], *, position: bool
) -> Contrasts:
    """One row per comparison; `position` adds the covariate `POSITION` as the last row.

    A contrast is divided by its population standard deviation over the comparisons kept, each counted once.
    It is not centred, unlike a z-score: taking a mean off it would favour one side of every battle, which is
    for the position's coefficient to say. Where sides are drawn at random that mean is about 0 and the two
    scalings agree.

    Raises InvalidFeature for a feature the ballots do not have or that is known on no comparison, for a
    negative value under the contrast "relative", and for a contrast that is the same on all comparisons.
    """
    column = {name: index for index, name in enumerate(ballots.feature_names)}
    for covariate in covariates:
        if covariate.name not in column:
            given = ", ".join(column) or "none"
            raise InvalidFeature(f"the ballots have no feature {covariate.name!r}; they have: {given}")
    c = comparisons.key.size
    value = np.ones((len(covariates) + int(position), c))
    if covariates:
        _fill(value, ballots, comparisons, covariates, [column[name] for name, _ in covariates])
    # One NaN anywhere makes the sum NaN: the usual case of none costs one pass.
    n_unknown = 0
    if np.isnan(value.sum()):
        known = ~np.isnan(value.sum(axis=0))
        n_unknown = c - int(known.sum())
        value = np.compress(known, value, axis=1)
        comparisons = only_comparisons(comparisons, ballots, known, reason="no_features")
    sd = np.ones(value.shape[0])
    for row, covariate in enumerate(covariates):
        if c:
            sd[row] = _spread(value[row], covariate)
            value[row] /= sd[row]
    every = (*covariates, Covariate(POSITION, POSITION)) if position else tuple(covariates)
    return Contrasts(comparisons, every, value, sd, n_unknown)


def _fill(
    value: Floats,
    ballots: Ballots,
    comparisons: Comparisons,
    covariates: Sequence[Covariate],
    columns: list[int],
) -> None:
    features = ballots.features
    assert features is not None  # noqa: S101 - its names were found, so it is there
    slots = None if _is_plain(ballots, comparisons) else _slots(ballots, comparisons)
    for start in range(0, value.shape[1], _CHUNK):
        part = slice(start, min(start + _CHUNK, value.shape[1]))
        if slots is None:
            left, right = (features[2 * part.start + side : 2 * part.stop : 2] for side in (0, 1))
        else:
            left, right = (features[slots[side][part]] for side in (0, 1))
        for row, (covariate, column) in enumerate(zip(covariates, columns, strict=True)):
            f_l, f_r, found = left[:, column], right[:, column], value[row, part]
            with np.errstate(over="ignore"):  # refused below, by name
                np.subtract(f_l, f_r, out=found)
                if covariate.contrast == "relative":
                    if bool((f_l < 0.0).any()) or bool((f_r < 0.0).any()):
                        raise InvalidFeature(
                            f"{covariate.name} is negative somewhere: a relative contrast needs counts or"
                            f" sizes; ask for '{covariate.name}:difference'"
                        )
                    found /= f_l + f_r + 1.0
                elif bool(np.isinf(found).any()):
                    raise InvalidFeature(f"{covariate.name} has values too large to set against each other")


def _is_plain(ballots: Ballots, comparisons: Comparisons) -> bool:
    """True if comparison k sets slot 2k against slot 2k + 1."""
    return ballots.size_shared == 2 and comparisons.ballot is None


def _slots(ballots: Ballots, comparisons: Comparisons) -> Ints:
    """int64[2, c], the earlier and the later slot of each comparison."""
    number = np.arange(comparisons.key.size) if comparisons.ballot is None else comparisons.ballot
    start = ballots.offsets[number]
    if ballots.size_shared == 2:
        return np.stack([start, start + 1])
    slots = np.empty((2, number.size), dtype=np.int64)
    last = ballots.offsets[number + 1] - 1
    for side, item in enumerate(np.divmod(comparisons.key // OUTCOMES, comparisons.n_items)):
        # An item stands once in a ballot, so it tells the slot.
        for place in range(int(ballots.sizes.max(initial=0))):
            slot = np.minimum(start + place, last)
            here = ballots.slot_item[slot] == item
            slots[side, here] = slot[here]
    return slots


def _spread(value: Floats, covariate: Covariate) -> float:
    if not value.size:
        raise InvalidFeature(f"{covariate.name} is known on no comparison together with the other covariates")
    with np.errstate(over="ignore"):
        sd = float(value.std())
    if not np.isfinite(sd):
        raise InvalidFeature(f"{covariate.name} has values too large to set against each other")
    if sd <= _NO_VARIATION * max(float(value.max()), -float(value.min())):
        raise InvalidFeature(f"{covariate.name} ({covariate.contrast}) is the same on every comparison")
    return sd
