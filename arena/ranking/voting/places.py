"""The places that items took on ballots, and the scoring rules that read nothing else. It knows no rivals by
name.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arena.ranking.arrays import Floats, Ints, sum_by
from arena.ranking.ballots import Ballots
from arena.ranking.counts import BothBad, ordered_slots

TOLERANCE = 1e-12
"""Shares that differ by no more are equal: sums of the same weights in another order are."""


@dataclass(frozen=True, eq=False)
class Places:
    """The m compared slots of the usable ballots over n items.

    ballot      int64[m]
    item        int64[m]
    ahead       int64[m], how many of the ballot's compared slots are better
    level       int64[m], how many stand equal, itself among them
    size        int64[m], how many the ballot compares, at least 2
    part        float64[m], of the ballot's weight; None: all of it. A graded ballot of share s stands here
                twice, as ranked with part s and upside down with 1 - s

    Every rule spreads the points of tied places evenly over those who share them, so that each ballot hands
    out the same points whether it ties or not; and takes an item's mean over the ballots that compare it, so
    that an item nobody was shown loses nothing by it. On ballots that rank all items, both leave the order
    of the textbook's sums. An item that was not compared, or only with weight 0, scores NaN.
    """

    n_items: int
    ballot: Ints
    item: Ints
    ahead: Ints
    level: Ints
    size: Ints
    part: Floats | None = None

    @property
    def behind(self) -> Ints:
        """int64[m], how many of the ballot's compared slots are worse."""
        return self.size - self.ahead - self.level

    def weigh(self, weight: Floats) -> Floats:
        """float64[m], weight of each slot if ballot b weighs `weight[b]`."""
        return weight[self.ballot] if self.part is None else weight[self.ballot] * self.part

    def mean(self, points: Floats, weight: Floats) -> Floats:
        """float64[n], mean of float64[m] `points` under float64[n_ballots] `weight`; NaN without weight."""
        of_slot = self.weigh(weight)
        total = sum_by(self.item, of_slot, self.n_items)
        summed = sum_by(self.item, of_slot * points, self.n_items)
        return np.where(total > 0.0, summed / np.where(total > 0.0, total, 1.0), np.nan)


def places_of(ballots: Ballots, *, both_bad: BothBad = "tie") -> Places:
    """Read the places. On a ballot called all bad everything compared ties, or it is left out ("drop").

    Ballots of weight 0 and ballots that compare fewer than two slots are left out.
    """
    slots = ordered_slots(ballots, both_bad=both_bad)
    level = np.cumsum(slots.opens) - 1
    places = Places(
        n_items=len(ballots.items),
        ballot=slots.ballot,
        item=slots.item,
        ahead=slots.place[slots.opens][level],
        level=np.bincount(level)[level],
        size=slots.size,
    )
    return places if ballots.share is None else _graded(places, ballots.share[slots.ballot])


def _graded(places: Places, share: Floats) -> Places:
    return Places(
        n_items=places.n_items,
        ballot=np.tile(places.ballot, 2),
        item=np.tile(places.item, 2),
        ahead=np.concatenate([places.ahead, places.behind]),
        level=np.tile(places.level, 2),
        size=np.tile(places.size, 2),
        part=np.concatenate([share, 1.0 - share]),
    )


def plurality(places: Places, weight: Floats) -> Floats:
    """Share of ballots with the item in first place, in [0, 1]; t items tied there get 1/t each.

    Vote'n'Rank (arXiv:2210.05769) gives tied first places nothing.
    """
    return places.mean(np.where(places.ahead == 0, 1.0 / places.level, 0.0), weight)


def veto(places: Places, weight: Floats) -> Floats:
    """Share of ballots without the item in last place (anti-plurality), in [0, 1]; t items tied there take
    1/t of the last place each.
    """
    return places.mean(np.where(places.behind == 0, 1.0 - 1.0 / places.level, 1.0), weight)


def borda(places: Places, weight: Floats) -> Floats:
    """Mean share of the other items of a ballot that stand below, equals half, in [0, 1] (Borda 1781).

    (m - place) / (m - 1) with the mean place of ties, m the number the ballot compares: ballots count alike
    whatever their size. Vote'n'Rank gives ties the worst of their places.
    """
    return places.mean((places.behind + 0.5 * (places.level - 1)) / (places.size - 1), weight)


def dowdall(places: Places, weight: Floats) -> Floats:
    """Mean of 1 / place, in (0, 1] (Nauru since 1971; Fraenkel & Grofman 2014); ties get the mean of 1 /
    place over their places.

    The last place of two is worth 1/2, of four 1/4: compare items whose ballots are alike in size.
    Vote'n'Rank gives ties the best of their places.
    """
    largest = int(places.size.max(initial=0))
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, largest + 1))])
    summed = harmonic[places.ahead + places.level] - harmonic[places.ahead]
    return places.mean(summed / places.level, weight)


def threshold(places: Places, weight: Floats, groups: list[Ints]) -> Floats:
    """The fewest last places win; if equal, the fewest last but one; and so on (Aleskerov, Yakuba & Yuzbashev
    2007, Math. Soc. Sci. 53:106-110; the last candidates left in Vote'n'Rank).

    Score: share of the other items of the group that come out below, equals half, in [0, 1]: it tells the
    order and no more. Places are counted from the bottom of each ballot, as shares of the item's ballots.
    """
    deepest = int(places.size.max(initial=0))
    cells = deepest + 1
    whole = places.weigh(weight)
    of_slot = whole / places.level
    enters, leaves = places.item * cells + places.behind, places.item * cells + places.behind + places.level
    size = places.n_items * cells
    steps = (sum_by(enters, of_slot, size) - sum_by(leaves, of_slot, size)).reshape(places.n_items, cells)
    held = np.cumsum(steps, axis=1)[:, :deepest]
    total = sum_by(places.item, whole, places.n_items)
    held /= np.where(total > 0.0, total, 1.0)[:, None]
    score = np.full(places.n_items, np.nan)
    for group in groups:
        rated = group[total[group] > 0.0]
        score[rated] = share_below(-_lexicographic(held[rated]))
    return score


def share_below(value: Floats | Ints) -> Floats:
    """float64[n], share of the other values that are less, equals half; 1/2 for a single value."""
    if value.size < 2:
        return np.full(value.size, 0.5)
    order = np.sort(value)
    less = np.searchsorted(order, value, side="left")
    equal = np.searchsorted(order, value, side="right") - less
    return (less + 0.5 * (equal - 1)) / (value.size - 1)


def _lexicographic(rows: Floats) -> Ints:
    """int64[n], number of each row in lexicographic order, least first; equal rows share a number."""
    number = np.zeros(rows.shape[0], dtype=np.int64)
    for column in rows.T:
        order = np.lexsort((column, number))
        opens = np.ones(order.size, dtype=np.bool_)
        opens[1:] = (np.diff(number[order]) > 0) | (np.diff(column[order]) > TOLERANCE)
        number[order] = np.cumsum(opens) - 1
    return number
