"""One shell for models that score systems without a likelihood: rows, components, bootstrap bounds. It knows
no formula; the model hands in a function from weights of ballots to scores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from arena.ranking.arrays import Floats, Ints
from arena.ranking.ballots import Ballots
from arena.ranking.board import Estimate, plain_diagnostics, plain_ratings
from arena.ranking.bradley_terry import described
from arena.ranking.counts import (
    FIRST_WON,
    OUTCOMES,
    SECOND_WON,
    TIED,
    BothBad,
    Cells,
    Comparisons,
    Tally,
    cluster_codes,
    compare,
    tally,
)
from arena.ranking.errors import InvalidSetting, MissingRandomness, TooFewClusters
from arena.ranking.freedom import by_comparisons, least_freedom, student
from arena.ranking.graph import components
from arena.ranking.intervals import Bootstrap, Interval, normal_quantile, small_sample
from arena.ranking.result import Covariance, Ranking


class Table(NamedTuple):
    """The outcomes among n items that hang together.

    items       int64[n], positions on the board, ascending
    won         float64[n, n], weight of the comparisons that the row won against the column, ties half each
    total       float64[n, n], symmetric, weight of all comparisons of the two; 0 where they never met
    """

    items: Ints
    won: Floats
    total: Floats


@dataclass(frozen=True)
class Shown:
    """What a model says of itself on its board.

    settings    JSON values, "model" among them
    unit        what a score is, in the reader's words ("Elo points", "share of compared pairs won" …)
    least_is_best   the best system has the least score
    bounds      bounds are cut to these, the range of possible scores
    diagnostics     further JSON values
    """

    settings: Mapping[str, Any]
    unit: str
    provisional_below: int = 50
    least_is_best: bool = False
    bounds: tuple[float, float] = (-np.inf, np.inf)
    diagnostics: Mapping[str, Any] = field(default_factory=dict)


ByTable = Callable[[Table], Floats]
"""float64[n] scores of a table's items. A resample's table may hold items that met nobody and may fall apart:
the function must bear it; scores of items that met nobody are not read.
"""

ByWeight = Callable[[Floats], Floats]
"""float64[n_items] scores from float64[n_ballots] weights (each the ballot's own times how often a resample
drew it); NaN for items that no ballot with a weight compares.
"""


def rank_by_tables(
    ballots: Ballots,
    score: ByTable,
    shown: Shown,
    *,
    both_bad: BothBad = "tie",
    interval: Interval | None = None,
    rng: np.random.Generator | None = None,
) -> Ranking:
    """A board from the table of outcomes of each component; see `rank_by_weights`."""
    comparisons = compare(ballots, both_bad=both_bad)
    total = tally(comparisons)
    groups = components(total.n_items, total.first, total.second)
    cells = Cells.of(comparisons, total)

    def by_weight(weight: Floats) -> Floats:
        scores = np.full(total.n_items, np.nan)
        for table in tables_of(total, cells.weigh(weight), groups):
            scores[table.items] = np.where(table.total.any(axis=1), score(table), np.nan)
        return scores

    return _ranked(ballots, comparisons, total, groups, by_weight, shown, interval, rng)


def rank_by_weights(
    ballots: Ballots,
    score: ByWeight,
    shown: Shown,
    *,
    both_bad: BothBad = "tie",
    interval: Interval | None = None,
    rng: np.random.Generator | None = None,
) -> Ranking:
    """A board from a function of the ballots' weights.

    The interval is a `Bootstrap` or None: the estimate plus and minus a Student quantile times the standard
    deviation over resamples of clusters, whose square carries C / (C - 1) for C clusters. The degrees of
    freedom of a system are those of the clusters' shares of its comparisons (`arena.ranking.freedom`); the
    diagnostics give the least (`freedom`).

    Raises InvalidSetting for a Sandwich, MissingRandomness, TooFewClusters, MissingClusters.
    """
    comparisons = compare(ballots, both_bad=both_bad)
    total = tally(comparisons)
    groups = components(total.n_items, total.first, total.second)
    return _ranked(ballots, comparisons, total, groups, score, shown, interval, rng)


def tables_of(total: Tally, cells: Floats, groups: list[Ints]) -> list[Table]:
    """One table for each component; `cells` float64[O, P] are the tally's weights or a resample's."""
    n = total.n_items
    won = np.zeros((n, n))
    even = 0.5 * cells[TIED:].sum(axis=0)
    won[total.first, total.second] = cells[FIRST_WON] + even
    won[total.second, total.first] = cells[SECOND_WON] + even
    met = won + won.T
    return [Table(group, won[np.ix_(group, group)], met[np.ix_(group, group)]) for group in groups]


def _ranked(
    ballots: Ballots,
    comparisons: Comparisons,
    total: Tally,
    groups: list[Ints],
    score: ByWeight,
    shown: Shown,
    interval: Interval | None,
    rng: np.random.Generator | None,
) -> Ranking:
    if interval is not None and not isinstance(interval, Bootstrap):
        name = shown.settings.get("model")
        raise InvalidSetting(f"{name} has no likelihood for a sandwich: ask for a bootstrap or no interval")
    if interval is not None and rng is None:
        raise MissingRandomness("a bootstrap needs rng=numpy.random.default_rng(seed)")
    middle = score(np.asarray(ballots.weight))
    estimate, clusters, covariance = Estimate(middle, None, None), None, None
    if interval is not None and rng is not None:
        drawn, clusters, freedom = _resampled(ballots, comparisons, score, interval, rng)
        spread = _spread(drawn) * small_sample(clusters)
        width = student(normal_quantile(interval.level), freedom) * np.sqrt(np.diag(spread))
        low, high = np.clip(middle - width, *shown.bounds), np.clip(middle + width, *shown.bounds)
        estimate = Estimate(middle, low, high)
        covariance = _covariance(ballots.items, spread, freedom, groups, interval)
    rows = plain_ratings(
        ballots.items,
        total,
        groups,
        estimate,
        provisional_below=shown.provisional_below,
        least_is_best=shown.least_is_best,
    )
    facts = plain_diagnostics(ballots.items, comparisons, total, groups)
    facts["clusters"] = clusters
    if covariance is not None:
        facts["freedom"] = least_freedom([covariance.freedom[group] for group in groups])
    return Ranking(
        ratings=rows,
        diagnostics={**facts, **shown.diagnostics},
        settings={
            **shown.settings,
            "unit": shown.unit,
            "least_is_best": shown.least_is_best,
            "interval": described(interval),
        },
        covariance=covariance,
    )


class _Resampled(NamedTuple):
    """float64[replicates, n_items] scores, how many clusters were drawn from, and float64[n_items]."""

    drawn: Floats
    clusters: int
    freedom: Floats


def _resampled(
    ballots: Ballots,
    comparisons: Comparisons,
    score: ByWeight,
    interval: Bootstrap,
    rng: np.random.Generator,
) -> _Resampled:
    code = cluster_codes(ballots, interval.cluster)
    code = np.arange(len(ballots)) if code is None else code
    used = np.unique(comparisons.ballot) if comparisons.ballot is not None else np.arange(len(ballots))
    names, row = np.unique(code[used], return_inverse=True)
    if names.size < 2:
        raise TooFewClusters(f"{names.size} cluster(s) of {interval.cluster}; an interval needs at least 2")
    drawn = np.empty((interval.replicates, len(ballots.items)))
    for replicate in range(interval.replicates):
        times = np.bincount(rng.integers(names.size, size=names.size), minlength=names.size)
        weight = np.zeros(len(ballots))
        weight[used] = times[row] * ballots.weight[used]
        drawn[replicate] = score(weight)
    owner = np.arange(comparisons.key.size) if comparisons.ballot is None else comparisons.ballot
    number = np.zeros(len(ballots), dtype=np.int64)
    number[used] = row
    ends = np.divmod(comparisons.key.astype(np.int64, copy=False) // OUTCOMES, len(ballots.items))
    freedom = by_comparisons(number[owner], ends, ballots.weight[owner], len(ballots.items))
    return _Resampled(drawn, names.size, freedom)


def _spread(drawn: Floats) -> Floats:
    """float64[n, n] covariance over resamples; an item that fewer than two resamples scored has an infinite
    variance.
    """
    known = np.isfinite(drawn)
    count = known.sum(axis=0)
    mean = np.where(known, drawn, 0.0).sum(axis=0) / np.maximum(count, 1)
    centred = np.where(known, drawn - mean, 0.0)
    together = known.T.astype(np.float64) @ known
    spread: Floats = centred.T @ centred / np.maximum(together - 1.0, 1.0)
    lone = count < 2
    spread[lone, lone] = np.inf
    return spread


def _covariance(
    items: tuple[str, ...], spread: Floats, freedom: Floats, groups: list[Ints], interval: Bootstrap
) -> Covariance:
    label = np.full(len(items), -1, dtype=np.int64)
    for component, group in enumerate(groups):
        label[group] = component
    apart = label[:, None] != label[None, :]
    matrix = np.where(apart, 0.0, spread)
    return Covariance(items, matrix, freedom, label, normal_quantile(interval.level))
