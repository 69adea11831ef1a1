"""Puts the estimates of a board's components together into rows, bounds and diagnostics; it fits nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from arena.ranking.arrays import Bools, Floats, Ints, Runs, sum_by
from arena.ranking.counts import FIRST_WON, SECOND_WON, TIED, Tally
from arena.ranking.freedom import least_freedom, student
from arena.ranking.graph import Separation
from arena.ranking.intervals import (
    Bootstrap,
    Interval,
    RankInterval,
    Spread,
    normal_quantile,
    rank_interval,
)
from arena.ranking.newton import Solution
from arena.ranking.result import SCALE, Covariance, Rating


class Setting(Protocol):
    """What a board needs to know of a model."""

    @property
    def prior(self) -> float: ...
    @property
    def anchor_mean(self) -> float: ...
    @property
    def provisional_below(self) -> int: ...


class Counted(Protocol):
    """How many ballots and comparisons there were, and what was left out for which reason."""

    @property
    def n_ballots(self) -> int: ...
    @property
    def n_comparisons(self) -> int: ...
    @property
    def n_all_bad(self) -> int: ...
    @property
    def kwise_as_pairs(self) -> int: ...
    @property
    def dropped(self) -> dict[str, int]: ...


class Fitted(Protocol):
    """One connected component with its estimate."""

    @property
    def items(self) -> Ints: ...
    @property
    def separation(self) -> Separation: ...
    @property
    def solution(self) -> Solution: ...
    @property
    def is_strongly_connected(self) -> bool: ...
    @property
    def phantom_pairs(self) -> int: ...
    @property
    def log_likelihood(self) -> float: ...


@dataclass(frozen=True, eq=False)
class Board:
    """Puts the islands' estimates together into rows."""

    items: tuple[str, ...]
    model: Setting
    counted: Counted
    total: Tally
    islands: Sequence[Fitted]
    spreads: list[Spread] | None
    interval: Interval | None

    def ratings(self) -> tuple[Rating, ...]:
        # Plain lists: 200 rows of numpy scalars cost as much as the solver.
        records = np.vstack([self.total.ballots_of, records_of(self.total)]).T.tolist()
        rows: list[Rating] = []
        for component in range(len(self.islands)):
            rows += sorted(self._component(component, records), key=lambda r: (-(r.score or 0.0), r.item))
        rated = {row.item for row in rows}
        unrated = [i for i, item in enumerate(self.items) if item not in rated]
        rows += [self._row(i, records, None) for i in sorted(unrated, key=lambda i: self.items[i])]
        return tuple(rows)

    def _component(self, component: int, records: list[list[int]]) -> list[Rating]:
        island = self.islands[component]
        score = SCALE * island.solution.theta + self.model.anchor_mean
        bounds = self._bounds(component, score)
        nothing = [None] * island.items.size
        low, high, rank_low, rank_high = nothing, nothing, nothing, nothing
        if bounds is not None:
            ranks = rank_interval(*bounds)
            low, high = bounds[0].tolist(), bounds[1].tolist()
            rank_low, rank_high = ranks.low.tolist(), ranks.high.tolist()
        scores, separated = score.tolist(), island.separation.is_separated.tolist()
        return [
            self._row(
                item,
                records,
                component,
                score=scores[k],
                low=low[k],
                high=high[k],
                rank_low=rank_low[k],
                rank_high=rank_high[k],
                separated=separated[k],
            )
            for k, item in enumerate(island.items.tolist())
        ]

    def _row(
        self,
        item: int,
        records: list[list[int]],
        component: int | None,
        *,
        score: float | None = None,
        low: float | None = None,
        high: float | None = None,
        rank_low: int | None = None,
        rank_high: int | None = None,
        separated: bool = False,
    ) -> Rating:
        n, wins, ties, losses = records[item]
        return Rating(
            item=self.items[item],
            score=score,
            low=low,
            high=high,
            rank_low=rank_low,
            rank_high=rank_high,
            n=n,
            wins=wins,
            ties=ties,
            losses=losses,
            component=component,
            separated=separated,
            provisional=n < self.model.provisional_below,
        )

    def _bounds(self, component: int, score: Floats) -> tuple[Floats, Floats] | None:
        if self.spreads is None or self.interval is None:
            return None
        spread, state = self.spreads[component], self.islands[component].separation
        quantile = student(normal_quantile(self.interval.level), spread.freedom)
        width = quantile * SCALE * np.sqrt(np.maximum(np.diag(spread.covariance), 0.0))
        has_prior = self.model.prior > 0.0
        open_below: Bools = ~spread.is_known | (state.no_floor & (not has_prior))
        open_above: Bools = ~spread.is_known | (state.no_ceiling & (not has_prior))
        return np.where(open_below, -np.inf, score - width), np.where(open_above, np.inf, score + width)

    def covariance(self) -> Covariance | None:
        if self.spreads is None or self.interval is None:
            return None
        n = len(self.items)
        matrix, strong, seen = np.zeros((n, n)), np.full(n, -1, dtype=np.int64), 0
        freedom = np.full(n, np.inf)
        for island, spread in zip(self.islands, self.spreads, strict=True):
            matrix[np.ix_(island.items, island.items)] = SCALE**2 * spread.covariance
            freedom[island.items] = spread.freedom
            strong[island.items] = seen + island.separation.strong
            seen += int(island.separation.strong.max()) + 1
        return Covariance(self.items, matrix, freedom, strong, normal_quantile(self.interval.level))

    def diagnostics(self, n_clusters: int | None) -> dict[str, Any]:
        islands, counted, spreads = self.islands, self.counted, self.spreads
        values: dict[str, Any] = {
            "converged": True,
            "iterations": max((island.solution.iterations for island in islands), default=0),
            "gradient_norm": max((island.solution.gradient_norm for island in islands), default=0.0),
            "log_likelihood": sum(island.log_likelihood for island in islands),
            "n_ballots": counted.n_ballots,
            "n_comparisons": counted.n_comparisons,
            "n_pairs": int(self.total.first.size),
            "n_all_bad": counted.n_all_bad,
            "kwise_as_pairs": counted.kwise_as_pairs,
            "dropped": dict(counted.dropped),
            "components": [self._component_facts(component) for component in range(len(islands))],
            "strongly_connected": all(island.is_strongly_connected for island in islands),
            "phantom_pairs": sum(island.phantom_pairs for island in islands),
            "clusters": n_clusters,
        }
        if spreads is not None:
            values["unbounded"] = sorted(
                self.items[item]
                for island, spread in zip(islands, spreads, strict=True)
                for item in island.items[~spread.is_known].tolist()
            )
            values["freedom"] = least_freedom([spread.freedom[spread.is_known] for spread in spreads])
        if spreads is not None and isinstance(self.interval, Bootstrap):
            values["separated_replicates"] = max(
                (spread.separated_replicates for spread in spreads), default=0
            )
        return values

    def _component_facts(self, component: int) -> dict[str, Any]:
        island = self.islands[component]
        return {
            "items": [self.items[item] for item in island.items.tolist()],
            "strongly_connected": island.is_strongly_connected,
            "phantom_pairs": island.phantom_pairs,
            "clusters": None if self.spreads is None else self.spreads[component].n_clusters,
        }


def records_of(total: Tally) -> Ints:
    """int64[3, n]: wins, even outcomes and losses of every item, in compared pairs."""
    second, events, n = total.second, total.events, total.n_items
    runs = Runs.of(total.first)  # a tally's pairs are in order

    def per_item(at_first: Ints, at_second: Ints) -> Floats:
        by_first = np.zeros(n) if runs is None else runs.sum(at_first, n)
        return by_first + sum_by(second, at_second, n)

    won, lost, even = events[FIRST_WON], events[SECOND_WON], events[TIED:].sum(axis=0)
    rows = [per_item(won, lost), per_item(even, even), per_item(lost, won)]
    return np.rint(np.stack(rows)).astype(np.int64)


class Estimate(NamedTuple):
    """float64[n] each, for every item of the board; NaN where there is none. Bounds may be absent."""

    score: Floats
    low: Floats | None
    high: Floats | None


def plain_ratings(
    items: tuple[str, ...],
    total: Tally,
    groups: Sequence[Ints],
    estimate: Estimate,
    *,
    provisional_below: int,
    least_is_best: bool = False,
) -> tuple[Rating, ...]:
    """Rows of a model without a likelihood: the largest component first, best first, unrated systems last."""
    records, sign = records_of(total), -1.0 if least_is_best else 1.0
    rows: list[Rating] = []
    component_of = np.full(len(items), -1)
    for component, group in enumerate(groups):
        component_of[group] = component
    ranks = [_ranks(estimate, group, sign) for group in groups]

    def row(item: int, place: int) -> Rating:
        component = int(component_of[item])
        rated = component >= 0
        bounded = rated and estimate.low is not None and estimate.high is not None
        rank = ranks[component] if bounded else None
        n, record = int(total.ballots_of[item]), records[:, item]
        return Rating(
            item=items[item],
            score=float(estimate.score[item]) if rated else None,
            low=float(estimate.low[item]) if bounded and estimate.low is not None else None,
            high=float(estimate.high[item]) if bounded and estimate.high is not None else None,
            rank_low=None if rank is None else int(rank.low[place]),
            rank_high=None if rank is None else int(rank.high[place]),
            n=n,
            wins=int(record[0]),
            ties=int(record[1]),
            losses=int(record[2]),
            component=component if rated else None,
            separated=False,
            provisional=n < provisional_below,
        )

    for group in groups:
        found = [row(item, place) for place, item in enumerate(group.tolist())]
        rows += sorted(found, key=lambda r: (-sign * (r.score or 0.0), r.item))
    unrated = np.flatnonzero(component_of < 0).tolist()
    return (*rows, *(row(item, 0) for item in sorted(unrated, key=lambda i: items[i])))


def plain_diagnostics(
    items: tuple[str, ...], counted: Counted, total: Tally, groups: Sequence[Ints]
) -> dict[str, Any]:
    """What every model reports, for one that needs no solver."""
    return {
        "converged": True,
        "iterations": 0,
        "gradient_norm": 0.0,
        "n_ballots": counted.n_ballots,
        "n_comparisons": counted.n_comparisons,
        "n_pairs": int(total.first.size),
        "n_all_bad": counted.n_all_bad,
        "kwise_as_pairs": counted.kwise_as_pairs,
        "dropped": dict(counted.dropped),
        "components": [{"items": [items[item] for item in group.tolist()]} for group in groups],
        "phantom_pairs": 0,
    }


def _ranks(estimate: Estimate, group: Ints, sign: float) -> RankInterval | None:
    if estimate.low is None or estimate.high is None:
        return None
    low, high = estimate.low[group], estimate.high[group]
    return rank_interval(low, high) if sign > 0 else rank_interval(-high, -low)
