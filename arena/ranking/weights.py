"""Weights that undo how battles were chosen, or that mix sources of votes on one scale. They change weights
and nothing else; the total stays what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from arena.ranking.arrays import Floats, Ints, sum_by
from arena.ranking.ballots import NOT_COMPARED, Ballots
from arena.ranking.errors import InvalidSetting, InvalidWeight, LengthMismatch


def inverse_pair_frequency(ballots: Ballots, *, floor: float = 50.0) -> Ballots:
    """Every set of systems that met counts alike, however often: a ballot's weight is divided by the weight
    of all ballots on the same compared systems, at least `floor` (as arena-rank 0.1.1 does, and LMArena since
    July 2025; without a floor a pair that met once would weigh as much as one that met a thousand times).

    Raises InvalidSetting if the floor is not above 0.
    """
    if not (np.isfinite(floor) and floor > 0):
        raise InvalidSetting(f"floor must be finite and above 0, not {floor}")
    group = _sets(ballots)
    weight = np.asarray(ballots.weight)
    seen = sum_by(group, weight, int(group.max(initial=-1)) + 1)
    return _reweighted(ballots, weight / np.maximum(seen[group], floor))


def inverse_draw_probability(ballots: Ballots, *, largest: float = np.inf) -> Ballots:
    """Weights 1 / P(the ballot's set was drawn), Horvitz & Thompson 1952: the board is then the one that
    uniform matchmaking would have reached (Chiang et al. 2024, arXiv:2403.04132, section 4).

    largest     no weight is let above this many times the median one; trades a little bias for less noise

    Raises InvalidWeight if the ballots do not carry the chance of their draw, InvalidSetting.
    """
    if not largest >= 1:
        raise InvalidSetting(f"largest must be 1 or more, not {largest}")
    if ballots.chance is None:
        raise InvalidWeight("the ballots do not say with what chance their systems were drawn")
    inverse = 1.0 / ballots.chance
    if inverse.size:
        inverse = np.minimum(inverse, largest * float(np.median(inverse)))
    return _reweighted(ballots, ballots.weight * inverse)


def by_source(ballots: Ballots, source: ArrayLike, shares: Mapping[int, float]) -> Ballots:
    """A composite board: each source (people, judges …) has the given share of the total weight, whatever its
    number of ballots.

    source      int64[n], a code for each ballot
    shares      share of each code, 0 or more, not all 0; they need not sum to 1

    Raises LengthMismatch, InvalidSetting (a code without a share, a share of a source without ballots, a bad
    share).
    """
    code = np.asarray(source)
    if code.shape != (len(ballots),):
        raise LengthMismatch(f"source has shape {code.shape} for {len(ballots)} ballots")
    if not all(np.isfinite(share) and share >= 0 for share in shares.values()) or not any(shares.values()):
        raise InvalidSetting("shares must be finite, not negative and not all 0")
    missing = sorted(set(np.unique(code).tolist()) - set(shares))
    if missing:
        raise InvalidSetting(f"no share is given for source {missing[0]}")
    weight = np.array(ballots.weight)
    for name, share in shares.items():
        own = code == name
        total = float(weight[own].sum())
        if share > 0 and total == 0:
            raise InvalidSetting(f"source {name} has a share but no ballot with a weight")
        weight[own] *= share / total if total else 0.0
    return _reweighted(ballots, weight)


SCHEMES: dict[str, Callable[[Ballots], Ballots]] = {
    "inverse-pair-frequency": inverse_pair_frequency,
    "inverse-draw-probability": inverse_draw_probability,
}
"""Schemes that a stored board can name; they read nothing but the ballots."""


def _reweighted(ballots: Ballots, weight: Floats) -> Ballots:
    total = float(weight.sum())
    scale = float(ballots.weight.sum()) / total if total > 0 else 1.0
    return replace(ballots, weight=scale * weight)


def _sets(ballots: Ballots) -> Ints:
    """int64[n], a number for each different set of compared systems."""
    width = int(ballots.sizes.max(initial=0))
    members = np.full((len(ballots), width), -1, dtype=np.int64)
    slot = np.arange(ballots.slot_item.size)
    ballot = np.repeat(np.arange(len(ballots)), ballots.sizes)
    compared = ballots.slot_rank != NOT_COMPARED
    members[ballot[compared], (slot - ballots.offsets[ballot])[compared]] = ballots.slot_item[compared]
    members.sort(axis=1)
    group = np.zeros(len(ballots), dtype=np.int64)
    for column in members.T:
        _, group = np.unique(group * (len(ballots.items) + 1) + column, return_inverse=True)
    return group
