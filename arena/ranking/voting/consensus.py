"""One order that speaks for many ballots, how firmly it holds and what it would take to overturn it. It
scores nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from arena.ranking.arrays import Floats, Ints, sum_by
from arena.ranking.ballots import Ballots
from arena.ranking.counts import BothBad, compare, tally
from arena.ranking.errors import InvalidItem, InvalidSetting, NotComparable
from arena.ranking.graph import components
from arena.ranking.settings import check_shared
from arena.ranking.voting.kemeny import EXACT_UP_TO, MOST_EXACT, cost_of, kemeny, preference
from arena.ranking.voting.majority import Duels, copeland
from arena.ranking.voting.places import TOLERANCE, Places, borda, places_of

Method = Literal["kemeny", "copeland", "borda", "median"]
METHODS: tuple[Method, ...] = ("kemeny", "copeland", "borda", "median")
BY_MAJORITY: tuple[Method, ...] = ("kemeny", "copeland")


class Cut(NamedTuple):
    """One place between two neighbours of a consensus order: the k items above it against all below.

    top             k
    margin          least share of a duel, less 1/2, that an item above won of one below; negative where the
                    order stands against a majority. Pairs that never met do not count
    weakest         the pair with that margin
    is_kept         the margin exceeds the threshold: the order is claimed here; else the two sides' nearest
                    buckets are merged
    to_merge        this share of all ballots, added by an attacker, is enough to undo some claim across the
                    cut, and less is not; under "borda" and "median" it is enough, and less may be, too. 0 if
                    a single ballot is (a pair across never met); None if not kept
    to_reverse_low  with no more than this share added, no claim across the cut turns into its opposite; 0 if
                    a pair across never met; None if not kept
    to_reverse_high more than this share, added, is enough to swap the two buckets at the cut (an attack is
                    known, see `Consensus`). Exact where it equals `to_reverse_low`. None if not kept, or if
                    the method may order against majorities
    """

    top: int
    margin: float
    weakest: tuple[str, str]
    is_kept: bool
    to_merge: float | None
    to_reverse_low: float | None
    to_reverse_high: float | None


@dataclass(frozen=True)
class IslandConsensus:
    """The consensus on items that hang together by duels.

    order       strict, best first
    buckets     the same order with neighbours merged wherever no cut is kept; ties inside go by `order`'s
                order and mean nothing
    cuts        one for each place between neighbours of `order`
    distance    of the buckets: mean of 0, 1/2 or 1 over all compared pairs of all ballots, by weight: 1 for a
                pair the ballot has the other way round, 1/2 if exactly one of both ties it (Kendall's tau
                with penalty 1/2: Fagin et al. 2006, SIAM J. Discrete Math. 20:628-648)
    order_distance  the same of the strict order
    order_bound     no strict order has a lesser one
    is_exact    `order` is proven to be at the least distance
    is_unique   no other strict order is as near; None where not known
    unmet_pairs pairs of these items that no ballot compares
    """

    order: tuple[str, ...]
    buckets: tuple[tuple[str, ...], ...]
    cuts: tuple[Cut, ...]
    distance: float
    order_distance: float
    order_bound: float
    is_exact: bool
    is_unique: bool | None
    unmet_pairs: int

    @property
    def breakdown(self) -> float | None:
        """The breakdown point: the least `to_merge`, at which some claim is lost; None if all items share one
        bucket, so that nothing is claimed.
        """
        return min((cut.to_merge for cut in self.cuts if cut.to_merge is not None), default=None)


@dataclass(frozen=True)
class ConsensusRanking:
    """islands     largest first; nothing is said about items of different islands
    unranked    items that no ballot compares, by name
    """

    islands: tuple[IslandConsensus, ...]
    unranked: tuple[str, ...]
    diagnostics: Mapping[str, Any]
    settings: Mapping[str, Any]

    @property
    def whole(self) -> IslandConsensus:
        """The only island. Raises NotComparable if there are none or several."""
        if len(self.islands) != 1:
            raise NotComparable(f"the ballots compare {len(self.islands)} sets of items apart, not one")
        return self.islands[0]


@dataclass(frozen=True)
class Consensus:
    """A consensus ranking of full, partial and tied ballots with its breakdown points, in the spirit of
    Goibert et al. 2023 (arXiv:2303.12878): merging items of weak support makes an order harder to overturn.

    method      "kemeny": the order nearest to the ballots (`arena.ranking.voting.kemeny`); "copeland",
                "borda": by those scores (`arena.ranking.voting.majority`, `arena.ranking.voting.places`);
                "median": by the weighted median of an item's places, (place - 1) / (m - 1) on a ballot that
                compares m, ties sharing the mean place. Equal items go by the share of their duels won, then
                by name
    threshold   least margin to be exceeded for an order between buckets, at least 0 and below 1/2
    both_bad    "tie": all compared answers of a ballot called all bad tie; "drop": it is left out
    exact_up_to items of one tier that "kemeny" solves exactly; beyond it may fall short, and says so

    Buckets: a cut between two neighbours is kept if and only if every pair across it that ever met has a
    margin above the threshold, the finest buckets with that property. If all pairs met and the order follows
    majorities they do not depend on which nearest order was found. The merging is our own: the published
    algorithm's steps are not reproduced here.

    Breakdown points are for Huber's (1964) contamination: an attacker adds a share e of the final weight, of
    ballots as he likes, comparing whom he likes. A pair that met with weight n, won with margin m, keeps a
    margin above t until n (m - t) / (1/2 + t) is added against it, and has one above t the other way beyond
    n (m + t) / (1/2 - t). The least of these over the pairs across a cut is `to_merge` and `to_reverse_low`.
    `to_reverse_high` is the greatest of the latter between the two buckets at the cut: as many ballots that
    repeat the consensus with just these buckets swapped weaken no other claim. For two items the bounds meet.
    Shares are of the weight of the island's ballots and the added ones, which may have any weight.
    """

    method: Method = "kemeny"
    threshold: float = 0.0
    both_bad: BothBad = "tie"
    exact_up_to: int = EXACT_UP_TO

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InvalidSetting(f"method must be one of {', '.join(METHODS)}, not {self.method!r}")
        if not 0.0 <= self.threshold < 0.5:
            raise InvalidSetting(f"threshold must be 0 or more and below 1/2, not {self.threshold}")
        check_shared(self)
        if not 0 <= self.exact_up_to <= MOST_EXACT:
            raise InvalidSetting(f"exact_up_to must lie between 0 and {MOST_EXACT}, not {self.exact_up_to}")

    def fit(self, ballots: Ballots) -> ConsensusRanking:
        """Find the consensus of each island of ballots. Nothing random."""
        comparisons = compare(ballots, both_bad=self.both_bad)
        total = tally(comparisons)
        every = Duels.from_cells(ballots.items, total, total.weight)
        groups = components(total.n_items, total.first, total.second)
        places = places_of(ballots, both_bad=self.both_bad)
        weight = _weight_of(places, np.asarray(ballots.weight), groups)
        score = self._score(places, np.asarray(ballots.weight))
        ranked = {item for group in groups for item in group.tolist()}
        return ConsensusRanking(
            islands=tuple(
                self._island(every.among(group), None if score is None else score[group], heavy)
                for group, heavy in zip(groups, weight, strict=True)
            ),
            unranked=tuple(sorted(name for i, name in enumerate(ballots.items) if i not in ranked)),
            diagnostics={"n_ballots": comparisons.n_ballots, "dropped": dict(comparisons.dropped)},
            settings={"model": "consensus", **asdict(self)},
        )

    def _score(self, places: Places, weight: Floats) -> Floats | None:
        if self.method == "borda":
            return borda(places, weight)
        return -_median_place(places, weight) if self.method == "median" else None

    def _island(self, duels: Duels, score: Floats | None, weight: float) -> IslandConsensus:
        # The bound comes from Kemeny's search whatever the method: it says how far another order falls short.
        best = kemeny(duels, exact_up_to=self.exact_up_to)
        order, is_unique = best.order, best.is_unique
        if self.method != "kemeny":
            values = copeland(duels) if score is None else score
            order, is_unique = np.lexsort((preference(duels), -values.round(12))), None
        cost = cost_of(duels.won, order)
        ordered = duels.among(order)
        cuts = _cuts(ordered, self.threshold, weight, by_majority=self.method in BY_MAJORITY)
        label = np.concatenate([[0], np.cumsum([cut.is_kept for cut in cuts])]).astype(np.int64)
        ties = 0.25 * float((ordered.met - ordered.won - ordered.won.T).sum())
        compared = 0.5 * float(ordered.met.sum())
        return IslandConsensus(
            order=ordered.items,
            buckets=tuple(
                tuple(name for name, bucket in zip(ordered.items, label.tolist(), strict=True) if bucket == k)
                for k in range(int(label[-1]) + 1)
            ),
            cuts=cuts,
            distance=_bucket_cost(ordered, label) / compared,
            order_distance=(cost + ties) / compared,
            order_bound=(best.bound + ties) / compared,
            is_exact=cost <= best.bound * (1.0 + 1e-12),
            is_unique=is_unique,
            unmet_pairs=int((ordered.met == 0.0).sum() - len(ordered.items)) // 2,
        )


def kendall_distance(
    left: Sequence[Sequence[str]], right: Sequence[Sequence[str]], *, penalty: float = 0.5
) -> float:
    """Kendall's distance between two bucket orders of the same items, in pairs: 1 for a pair the other way
    round, `penalty` for a pair tied in exactly one of both (K^(p) of Fagin et al. 2006; a metric for
    `penalty` from 1/2 to 1).

    Raises InvalidItem if the items differ or one stands twice; InvalidSetting for a penalty outside 0…1.
    """
    if not 0.0 <= penalty <= 1.0:
        raise InvalidSetting(f"penalty must lie between 0 and 1, not {penalty}")
    a, b = _places_in(left), _places_in(right)
    if a.keys() != b.keys():
        raise InvalidItem("the two orders rank different items")
    x, y = np.array([a[name] for name in a]), np.array([b[name] for name in a])
    first, second = np.triu_indices(x.size, 1)
    one, other = np.sign(x[first] - x[second]), np.sign(y[first] - y[second])
    return float(np.count_nonzero(one * other < 0) + penalty * np.count_nonzero((one == 0) != (other == 0)))


def _places_in(order: Sequence[Sequence[str]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for place, bucket in enumerate(order):
        for name in bucket:
            if name in found:
                raise InvalidItem(f"{name} stands twice in one order")
            found[name] = place
    return found


def _cuts(ordered: Duels, threshold: float, weight: float, *, by_majority: bool) -> tuple[Cut, ...]:
    n, share, met = len(ordered.items), ordered.share, ordered.met
    lead = share - 0.5
    against = met * np.maximum(lead - threshold, 0.0) / (0.5 + threshold)
    turned = met * (lead + threshold) / (0.5 - threshold)
    margins = np.where(met > 0.0, lead, np.inf)
    weakest = [_least(margins, top) for top in range(1, n)]
    kept = [margins[pair] > threshold + TOLERANCE for pair in weakest]
    edges = [0, *(top for top, is_kept in enumerate(kept, start=1) if is_kept), n]
    cuts = []
    for top, pair, is_kept in zip(range(1, n), weakest, kept, strict=True):
        merge = low = high = None
        if is_kept:
            number = edges.index(top)
            above, below = slice(edges[number - 1], top), slice(top, edges[number + 1])
            merge = _as_share(float(against[:top, top:].min()), weight)
            low = _as_share(float(turned[:top, top:].min()), weight)
            high = _as_share(float(turned[above, below].max()), weight) if by_majority else None
        names = (ordered.items[pair[0]], ordered.items[pair[1]])
        cuts.append(Cut(top, float(margins[pair]), names, bool(is_kept), merge, low, high))
    return tuple(cuts)


def _least(margins: Floats, top: int) -> tuple[int, int]:
    across = margins[:top, top:]
    row, column = np.unravel_index(int(across.argmin()), across.shape)
    return int(row), top + int(column)


def _as_share(added: float, weight: float) -> float:
    return added / (weight + added)


def _bucket_cost(ordered: Duels, label: Ints) -> float:
    """Weighted Kendall distance with penalty 1/2 of the buckets from all ballots, in pairs."""
    apart = label[:, None] < label[None, :]
    ties = ordered.met - ordered.won - ordered.won.T
    crossed = float((ordered.won.T + 0.5 * ties)[apart].sum())
    same = label[:, None] == label[None, :]
    return crossed + 0.5 * float(ordered.won[same].sum())


def _weight_of(places: Places, weight: Floats, groups: list[Ints]) -> list[float]:
    """Weight of the ballots of each island; a ballot lies in one island whole."""
    island = np.full(places.n_items, -1, dtype=np.int64)
    for number, group in enumerate(groups):
        island[group] = number
    ballot, first = np.unique(places.ballot, return_index=True)
    return [float(w) for w in sum_by(island[places.item[first]], weight[ballot], len(groups))]


def _median_place(places: Places, weight: Floats) -> Floats:
    """float64[n], weighted median of the relative mean place; between two values their mean; NaN without."""
    place = (places.ahead + 0.5 * (places.level - 1)) / (places.size - 1)
    heavy = places.weigh(weight)
    found = np.full(places.n_items, np.nan)
    order = np.lexsort((place, places.item))
    order = order[heavy[order] > 0.0]
    item = places.item[order]
    starts = np.flatnonzero(np.diff(item, prepend=-1))
    for slots in np.split(order, starts[1:]) if order.size else ():
        reached = np.cumsum(heavy[slots])
        half = 0.5 * reached[-1]
        low = slots[np.searchsorted(reached, half * (1.0 - TOLERANCE))]
        high = slots[np.searchsorted(reached, half * (1.0 + TOLERANCE), side="right")]
        found[places.item[slots[0]]] = 0.5 * (place[low] + place[high])
    return found
