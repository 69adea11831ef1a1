"""The fewest votes that would have to go to change a board. It claims no more than it has refitted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import combinations_with_replacement
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from scipy import sparse

from arena.ranking.arrays import Floats, Ints
from arena.ranking.ballots import Ballots
from arena.ranking.bradley_terry import BradleyTerry
from arena.ranking.counts import Cells, Tally, cluster_codes, compare, tally
from arena.ranking.errors import (
    IncompatibleTies,
    InvalidItem,
    InvalidSetting,
    NotComparable,
    NotConverged,
)
from arena.ranking.graph import components
from arena.ranking.island import Island, settle
from arena.ranking.result import SCALE
from arena.ranking.robustness.perturbation import without

Unit = Literal["ballot", "voter"]
"""What is removed whole: single ballots, or all ballots of a voter."""

_AHEAD = 1e-7  # natural-log units: less is rounding, and a tie is no overtaking
_PROMISING = 12  # pairs whose first-order number is worked out, the least gap per standard error first
_SEARCHED = 6  # of these, pairs that are searched
_ROUNDS = 20  # of linearising again at the set found


@dataclass(frozen=True, eq=False)
class Fragility:
    """A set of ballots without which another system stands above, found by search and verified by a refit.

    leader, challenger  the system that stood above and the one that overtakes it
    n_removed   ballots or voters removed: an upper bound of the fewest. None: no such set was found
    at_least    a lower bound: every set of fewer units was tried. 1 where none was; equal to `n_removed`
                where that is the fewest; above `n_units` where no set at all will do
    n_units     ballots or voters there are to remove
    ballots     int64[...], positions of all ballots removed. Of ballots that are alike any would do: these
                are the first
    gap_before, gap_after   score of the leader minus the challenger's with all ballots and without those
                removed, Elo points; `gap_after` is below 0
    first_order how many units the linear approximation at the full fit wants; None if it finds no way
    refits      exact refits made on the way
    on_phantoms the board without those ballots needs phantoms to exist: see `BradleyTerry`
    """

    leader: str
    challenger: str
    n_removed: int | None
    at_least: int
    n_units: int
    ballots: Ints
    gap_before: float
    gap_after: float | None
    first_order: int | None
    refits: int
    on_phantoms: bool
    settings: Mapping[str, Any]

    @property
    def share(self) -> float | None:
        """Units removed as a share of all."""
        return None if self.n_removed is None else self.n_removed / self.n_units

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        values = dict(vars(self))
        return values | {
            "ballots": self.ballots.tolist(),
            "share": self.share,
            "settings": dict(self.settings),
        }


def drop_k(
    ballots: Ballots,
    model: BradleyTerry | None = None,
    *,
    top_k: int = 1,
    pair: tuple[str, str] | None = None,
    unit: Unit = "ballot",
    tried: int = 500,
) -> Fragility:
    """Search the fewest ballots or voters whose removal changes a Bradley-Terry board of half ties.

    top_k       the set of the best k systems of the largest component is to change (1: the best system)
    pair        instead: the order of these two is to change
    unit        "voter": all ballots of a voter go together; ballots of unknown voters go one by one
    tried       refits spent at most on trying all sets of one unit, of two, and so on; ballots that are alike
                are tried once, so that small boards are settled exactly

    Without a unit of score s the gap between two systems falls, to first order, by u^T s with u = H^-1
    (e_leader - e_challenger) and H the information: one linear solve gives the effect of every unit (Huang,
    Shen, Wei & Broderick 2025, arXiv:2508.11847). Units go by the size of their effect until an exact refit
    has the challenger ahead. Then the effects are taken again at that refit, where they are the right ones
    for a set of that size, and a smaller set is tried, until none is found. A challenger that is merely
    level, or that shares no scale with the leader any more, has not overtaken it.

    Guaranteed: `model` fitted without the reported ballots puts the challenger above, and no set of fewer
    than `at_least` units changes what was asked for. Not guaranteed: that no set between the two does.

    Raises IncompatibleTies for a model of ties, InvalidSetting, InvalidItem for an unknown system,
    NotComparable, MissingClusters, NotConverged.
    """
    model = BradleyTerry() if model is None else model
    if model.ties not in ("half", "ignore"):
        raise IncompatibleTies(f"drop_k needs ties='half' or 'ignore', not {model.ties!r}")
    if model.flip_rate:
        raise InvalidSetting("drop_k needs flip_rate=0: corrected weights may be negative")
    if unit not in get_args(Unit):
        raise InvalidSetting(f"unit must be 'ballot' or 'voter', not {unit!r}")
    if top_k < 1:
        raise InvalidSetting(f"top_k must be at least 1, not {top_k}")
    if tried < 0:
        raise InvalidSetting(f"tried must not be negative, not {tried}")
    removals = _Removals.of(ballots, model, unit)
    best: _Found | None = None
    pairs = _pairs(ballots, removals, top_k, pair)
    candidates = removals.candidates(pairs)
    for candidate in candidates[:_SEARCHED]:
        limit = removals.n_units if best is None else best.n_removed - 1
        if limit < 1:
            break
        best = removals.search(candidate, limit) or best
    largest = removals.n_units if best is None else best.n_removed - 1
    exhausted = removals.exhaust(pairs, largest, tried)
    best = exhausted.found or best
    settings: dict[str, Any] = {"model": "bradley-terry", **asdict(model), "unit": unit, "tried": tried}
    settings |= {"top_k": None if pair else top_k, "pair": list(pair) if pair else None}
    of = candidates[0] if best is None else best.candidate
    leader, challenger = ballots.items[of.pair.leader], ballots.items[of.pair.challenger]
    removed = np.zeros(0, dtype=np.int64) if best is None else removals.ballots_of(best.taken)
    gap, on_phantoms = None, False
    if best is not None:
        gap, on_phantoms = _verified(ballots, model, removed, leader, challenger)
    return Fragility(
        leader=leader,
        challenger=challenger,
        n_removed=None if best is None else best.n_removed,
        at_least=exhausted.at_least,
        n_units=removals.n_units,
        ballots=removed,
        gap_before=SCALE * of.gap,
        gap_after=gap,
        first_order=of.first_order,
        refits=removals.refits,
        on_phantoms=on_phantoms,
        settings=settings,
    )


class _Pair(NamedTuple):
    """Positions on the board: a leader and the challenger that is to overtake it."""

    leader: int
    challenger: int


class _Candidate(NamedTuple):
    """A pair, its gap in natural-log units, and the first-order number of units."""

    pair: _Pair
    gap: float
    first_order: int | None


class _Found(NamedTuple):
    """int64[R] units taken of each kind so that the candidate's challenger is ahead."""

    candidate: _Candidate
    taken: Ints
    n_removed: int


class _Exhausted(NamedTuple):
    """The least size of a set that is not ruled out, and a set of that size if one was found."""

    at_least: int
    found: _Found | None


class _Stretch(NamedTuple):
    """How many units of an order let the challenger pass, and the fit without them; None and the last fit
    tried (None if the two then shared no scale) if none did.
    """

    size: int | None
    fitted: Island | None


@dataclass(eq=False)
class _Removals:
    """Units to remove, those that are alike counted as one kind, and the fits without some of them.

    rows        sparse float64[R, O P], the weight that one unit of a kind puts into each cell of the tally
    count       int64[R], units of each kind
    kind        int64[U], kind of each unit; U = n_units
    unit_of     int64[n_ballots], unit of each ballot; -1 for an unusable one
    """

    total: Tally
    prior: float
    rows: sparse.csr_array
    count: Ints
    kind: Ints
    unit_of: Ints
    refits: int = 0

    @classmethod
    def of(cls, ballots: Ballots, model: BradleyTerry, unit: Unit) -> _Removals:
        comparisons = compare(ballots, both_bad=model.both_bad, ignore_ties=model.ties == "ignore")
        total = tally(comparisons)
        cells = Cells.of(comparisons, total)
        code = cluster_codes(ballots, unit)
        code = np.arange(len(ballots)) if code is None else code
        units, entry = np.unique(code[cells.ballot], return_inverse=True)
        used = np.zeros(len(ballots), dtype=np.bool_)
        used[cells.ballot] = True
        unit_of = np.where(used, np.searchsorted(units, code), -1)
        weight = ballots.weight[cells.ballot] * (1.0 if cells.part is None else cells.part)
        width = cells.shape[0] * cells.shape[1]
        if units.size == entry.size:
            # One cell a unit, as with plain pairs: units with the same cell and weight are alike.
            values, level = np.unique(weight, return_inverse=True)
            kinds, kind_of_entry = np.unique(cells.cell * values.size + level, return_inverse=True)
            kind = np.empty(units.size, dtype=np.int64)
            kind[entry] = kind_of_entry
            cell, level = np.divmod(kinds, max(values.size, 1))
            rows = sparse.coo_array((values[level], (np.arange(kinds.size), cell)), shape=(kinds.size, width))
            count = np.bincount(kind, minlength=kinds.size)
        else:
            rows = sparse.coo_array((weight, (entry, cells.cell)), shape=(units.size, width))
            kind, count = np.arange(units.size), np.ones(units.size, dtype=np.int64)
        return cls(total, model.prior, sparse.csr_array(rows), count, kind, unit_of)

    @property
    def n_units(self) -> int:
        return self.kind.size

    @cached_property
    def groups(self) -> list[Ints]:
        return components(self.total.n_items, self.total.first, self.total.second)

    @cached_property
    def islands(self) -> list[Island]:
        """The components with all ballots."""
        return [settle(self.total, group, prior=self.prior) for group in self.groups]

    def candidates(self, pairs: Sequence[_Pair]) -> list[_Candidate]:
        """The pairs that look easiest, the easiest first."""
        island = _holding(self.islands, pairs[0])
        assert island is not None  # noqa: S101 - the pairs come from one island
        at = {item: k for k, item in enumerate(island.items.tolist())}
        n, theta = island.n, island.solution.theta
        inverse = island.factor().solve(np.eye(n) - 1.0 / n)
        ease = []
        for leader, challenger in pairs:
            i, j = at[leader], at[challenger]
            variance = inverse[i, i] + inverse[j, j] - 2.0 * inverse[i, j]
            ease.append((theta[i] - theta[j]) / np.sqrt(max(variance, 1e-300)))
        found = []
        for k in np.argsort(ease, kind="stable")[:_PROMISING].tolist():
            leader, challenger = pairs[k]
            gap = float(theta[at[leader]] - theta[at[challenger]])
            falls = self._falls(island, pairs[k])
            found.append(_Candidate(pairs[k], gap, self._first_order(falls, gap)))
        return sorted(found, key=lambda c: self.n_units + 1 if c.first_order is None else c.first_order)

    def search(self, candidate: _Candidate, limit: int) -> _Found | None:
        """The smallest set found, of at most `limit` units."""
        pair = candidate.pair
        start = _holding(self.islands, pair)
        assert start is not None  # noqa: S101 - the pair comes from an island
        order = np.argsort(-self._falls(start, pair), kind="stable")
        wanted = min(candidate.first_order or 1, limit)
        best: _Found | None = None
        for _ in range(_ROUNDS):
            stretch = self._smallest(pair, order, wanted, limit)
            if stretch.size is not None:
                best = _Found(candidate, self._first(order, stretch.size), stretch.size)
                limit = wanted = stretch.size - 1
            if stretch.fitted is None or limit < 1 or (stretch.size is None and best is not None):
                break
            again = np.argsort(-self._falls(stretch.fitted, pair), kind="stable")
            if (again == order).all():
                break
            order = again
        return best

    def ballots_of(self, taken: Ints) -> Ints:
        """Positions of the ballots of the taken units, the first of each kind."""
        by_kind = np.argsort(self.kind, kind="stable")
        place = np.arange(by_kind.size) - np.repeat(np.cumsum(self.count) - self.count, self.count)
        gone = np.zeros(self.n_units + 1, dtype=np.bool_)  # the last one stands for -1, no unit
        gone[by_kind] = place < taken[self.kind[by_kind]]
        return np.flatnonzero(gone[self.unit_of])

    def exhaust(self, pairs: Sequence[_Pair], largest: int, tried: int) -> _Exhausted:
        """Try all sets of 1, 2 … up to `largest` units, as far as `tried` refits go."""
        for size in range(1, largest + 1):
            tried -= math.comb(self.count.size + size - 1, size)
            if tried < 0:
                return _Exhausted(size, None)
            for kinds in combinations_with_replacement(range(self.count.size), size):
                taken = np.bincount(kinds, minlength=self.count.size)
                if (taken > self.count).any():
                    continue
                islands = self._without(taken)
                for pair in pairs:
                    island = _holding(islands, pair)
                    if island is not None and _gap(island, pair) < -_AHEAD:
                        return _Exhausted(size, _Found(self._candidate(pair), taken, size))
        return _Exhausted(largest + 1, None)

    def _candidate(self, pair: _Pair) -> _Candidate:
        island = _holding(self.islands, pair)
        assert island is not None  # noqa: S101 - the pair comes from an island
        gap = _gap(island, pair)
        return _Candidate(pair, gap, self._first_order(self._falls(island, pair), gap))

    def _smallest(self, pair: _Pair, order: Ints, wanted: int, limit: int) -> _Stretch:
        """The shortest stretch of at most `limit` units that lets the challenger pass."""
        below, above, size = 0, None, max(wanted, 1)
        last: Island | None = None
        passed: Island | None = None
        while above is None or above - below > 1:
            fitted = _holding(self._without(self._first(order, size)), pair)
            last = fitted or last
            if fitted is not None and _gap(fitted, pair) < -_AHEAD:
                above, passed = size, fitted
            else:
                below = size
            if above is not None:
                size = (below + above) // 2
            elif below >= limit:
                return _Stretch(None, last)
            else:
                size = min(max(below + 1, below * 5 // 4), limit)
        return _Stretch(above, passed)

    def _first(self, order: Ints, size: int) -> Ints:
        """int64[R], the first `size` units when kinds are taken in this order."""
        before = np.cumsum(self.count[order]) - self.count[order]
        taken = np.zeros(self.count.size, dtype=np.int64)
        taken[order] = np.clip(size - before, 0, self.count[order])
        return taken

    def _without(self, taken: Ints) -> list[Island]:
        """The components fitted without some units."""
        self.refits += 1
        total = self.total
        gone = (self.rows.T @ taken.astype(np.float64)).reshape(total.weight.shape)
        weight = total.weight - gone
        weight[weight <= 1e-9 * total.weight] = 0.0  # what is left of fractions that do not add up exactly
        kept = weight.sum(axis=0) > 0.0
        rest = replace(
            total,
            first=total.first[kept],
            second=total.second[kept],
            weight=weight[:, kept],
            events=total.events[:, kept],
        )
        groups = components(rest.n_items, rest.first, rest.second)
        return [settle(rest, group, prior=self.prior) for group in groups]

    def _falls(self, island: Island, pair: _Pair) -> Floats:
        """float64[R], by how much the gap falls to first order without one unit of each kind."""
        i, j = np.searchsorted(island.items, pair)
        ends = np.zeros(island.n)
        ends[i], ends[j] = 1.0, -1.0
        pull = np.full(self.total.n_items, np.nan)
        pull[island.items] = island.factor().solve(ends)
        theta = np.full(self.total.n_items, np.nan)
        theta[island.items] = island.solution.theta
        first, second = self.total.first, self.total.second
        with np.errstate(invalid="ignore"):
            chance = 0.5 + 0.5 * np.tanh(0.5 * (theta[first] - theta[second]))
            fall = np.stack([1.0 - chance, -chance, 0.5 - chance]) * (pull[first] - pull[second])
        falls: Floats = self.rows @ np.nan_to_num(fall).reshape(-1)
        return falls

    def _first_order(self, falls: Floats, gap: float) -> int | None:
        """How many units, the largest falls first, add up to more than the gap."""
        order = np.argsort(-falls, kind="stable")
        order = order[falls[order] > 0.0]
        reached = np.cumsum(falls[order] * self.count[order])
        last = int(np.searchsorted(reached, gap, side="right"))
        if last == order.size:
            return None
        before = int(self.count[order[:last]].sum())
        missing = gap - (reached[last - 1] if last else 0.0)
        return before + int(missing / falls[order[last]]) + 1


def _holding(islands: Sequence[Island], pair: _Pair) -> Island | None:
    """The component with both of a pair."""
    for island in islands:
        if np.isin(pair, island.items).all():
            return island
    return None


def _gap(island: Island, pair: _Pair) -> float:
    i, j = np.searchsorted(island.items, pair)
    return float(island.solution.theta[i] - island.solution.theta[j])


def _pairs(ballots: Ballots, removals: _Removals, top_k: int, pair: tuple[str, str] | None) -> list[_Pair]:
    """The pairs of which one must change places for the board to change in the wanted way."""
    if pair is not None:
        position = {item: k for k, item in enumerate(ballots.items)}
        for item in pair:
            if item not in position:
                raise InvalidItem(f"no item is named {item!r}")
        asked = _Pair(position[pair[0]], position[pair[1]])
        island = _holding(removals.islands, asked) if pair[0] != pair[1] else None
        if island is not None:
            return [asked if _gap(island, asked) >= 0.0 else _Pair(asked.challenger, asked.leader)]
        raise NotComparable(f"{pair[0]} and {pair[1]} share no scale")
    if not removals.islands or removals.islands[0].n <= top_k:
        raise NotComparable(f"the best {top_k} cannot change: no other item is compared with them")
    island = removals.islands[0]
    order = island.items[np.lexsort((island.items, -island.solution.theta))].tolist()
    return [_Pair(leader, challenger) for leader in order[:top_k] for challenger in order[top_k:]]


def _verified(
    ballots: Ballots, model: BradleyTerry, removed: Ints, leader: str, challenger: str
) -> tuple[float, bool]:
    """Gap without the removed ballots, from a fit of its own, and whether that fit rests on phantoms."""
    ranking = model.fit(without(ballots, removed))
    above, below = ranking[leader], ranking[challenger]
    if above.score is None or below.score is None or above.component != below.component:
        raise NotConverged("the refit without the removed ballots lost the pair")
    gap = above.score - below.score
    if gap >= 0:
        raise NotConverged(f"the refit without the removed ballots keeps a gap of {gap:.3g} Elo points")
    return gap, bool(ranking.diagnostics["phantom_pairs"])
