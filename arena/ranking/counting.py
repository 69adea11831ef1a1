"""Win rates and average ranks: what was counted, with no model of who met whom."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy import sparse

from arena.ranking.arrays import Floats, Ints, sum_by
from arena.ranking.ballots import Ballots
from arena.ranking.board import Estimate, plain_diagnostics, plain_ratings
from arena.ranking.bradley_terry import described
from arena.ranking.counts import (
    FIRST_WON,
    OUTCOMES,
    SECOND_WON,
    BothBad,
    Comparisons,
    cluster_codes,
    compare,
    ordered_slots,
    tally,
)
from arena.ranking.errors import InvalidSetting, TooFewClusters
from arena.ranking.freedom import freedom_of, least_freedom, student
from arena.ranking.graph import components
from arena.ranking.intervals import Interval, Sandwich, normal_quantile
from arena.ranking.result import Ranking
from arena.ranking.scores import raised_rows
from arena.ranking.settings import check_shared


@dataclass(frozen=True)
class Counting:
    """What share of its compared pairs a system won, ties as half, or at which place it stood on average.

    score       "win_rate": sum of weight * (won + tied / 2) / sum of weight, between 0 and 1, best is high
                "average_rank": weighted mean of a system's place among the compared answers of a ballot, ties
                sharing the mean of their places; 1 is best
    both_bad    "tie": all compared answers of a ballot called all bad tie; "drop": it is left out
    provisional_below   systems with fewer usable ballots are marked provisional

    Bounds of a win rate p are Wilson's (1927, JASA 22:209-212), (p + z^2/2m -+ z sqrt(p (1 - p) / m +
    z^2/4m^2)) / (1 + z^2/m), with m = p (1 - p) / v, v the variance of p over clusters. Without ties, weights
    and larger clusters m is the number of comparisons; ties, which say more than a coin's toss, make it
    larger. Where clusters hold several comparisons of the system, v and z are those of few and uneven
    clusters (`arena.ranking.freedom`, shares of the weight for shares of information). Where v is 0 m is the
    effective number of clusters. Bounds of an average rank are its mean and a Student quantile times the
    standard deviation over clusters, alike. The diagnostics give the least degrees of freedom (`freedom`).

    A system that met weak rivals only looks strong here: use a model for a public board.
    """

    score: Literal["win_rate", "average_rank"] = "win_rate"
    both_bad: BothBad = "tie"
    provisional_below: int = 50

    def __post_init__(self) -> None:
        if self.score not in ("win_rate", "average_rank"):
            raise InvalidSetting(f"score must be 'win_rate' or 'average_rank', not {self.score!r}")
        check_shared(self)

    def fit(
        self, ballots: Ballots, interval: Interval | None = None, rng: np.random.Generator | None = None
    ) -> Ranking:
        """Count. The interval is a `Sandwich` (its level and its clusters) or None; `rng` is never used.

        Raises InvalidSetting for a Bootstrap, TooFewClusters, MissingClusters.
        """
        if interval is not None and not isinstance(interval, Sandwich):
            raise InvalidSetting("counting has intervals over clusters only: ask for a sandwich or none")
        comparisons = compare(ballots, both_bad=self.both_bad)
        total = tally(comparisons)
        groups = components(total.n_items, total.first, total.second)
        cluster = None if interval is None else cluster_codes(ballots, interval.cluster)
        points = (
            _pair_points(comparisons)
            if self.score == "win_rate"
            else _rank_points(ballots, both_bad=self.both_bad)
        )
        estimate, clusters, freedom = _summed(points, total.n_items, cluster, interval, self.score)
        diagnostics = plain_diagnostics(ballots.items, comparisons, total, groups)
        diagnostics["clusters"] = clusters
        if freedom is not None:
            diagnostics["freedom"] = least_freedom([freedom[group] for group in groups])
        settings: dict[str, Any] = {"model": "counting", **asdict(self), "interval": described(interval)}
        settings["unit"] = "share of compared pairs won" if self.score == "win_rate" else "place on a ballot"
        settings["least_is_best"] = self.score == "average_rank"
        return Ranking(
            ratings=plain_ratings(
                ballots.items,
                total,
                groups,
                estimate,
                provisional_below=self.provisional_below,
                least_is_best=self.score == "average_rank",
            ),
            diagnostics=diagnostics,
            settings=settings,
        )


@dataclass(frozen=True, eq=False)
class _Points:
    """One value per item and comparison or ballot: float64 value and weight, and the ballot it comes from."""

    item: Ints
    value: Floats
    weight: Floats
    ballot: Ints


def _pair_points(comparisons: Comparisons) -> _Points:
    pair, outcome = np.divmod(comparisons.key, OUTCOMES)
    left, right = np.divmod(pair, max(comparisons.n_items, 1))
    part = 1.0 if comparisons.share is None else comparisons.share
    share = np.where(outcome == FIRST_WON, part, np.where(outcome == SECOND_WON, 1.0 - part, 0.5))
    ballot = np.arange(outcome.size) if comparisons.ballot is None else comparisons.ballot
    weight = np.ones(outcome.size) if comparisons.weight is None else comparisons.weight
    return _Points(
        np.concatenate([left, right]),
        np.concatenate([share, 1.0 - share]),
        np.tile(weight, 2),
        np.tile(ballot, 2),
    )


def _rank_points(ballots: Ballots, *, both_bad: BothBad) -> _Points:
    """A slot's place = 1 + the better + half of the other equal compared slots of its ballot."""
    slots = ordered_slots(ballots, both_bad=both_bad)
    level = np.cumsum(slots.opens) - 1
    levels = int(slots.opens.sum())
    mean = sum_by(level, slots.place, levels) / np.maximum(np.bincount(level), 1)
    return _Points(slots.item, 1.0 + mean[level], ballots.weight[slots.ballot], slots.ballot)


class _Counted(NamedTuple):
    """Scores with their bounds, the number of clusters, and float64[n] degrees of freedom of the bounds."""

    estimate: Estimate
    clusters: int | None
    freedom: Floats | None


def _summed(points: _Points, n: int, cluster: Ints | None, interval: Sandwich | None, score: str) -> _Counted:
    weight = sum_by(points.item, points.weight, n)
    with np.errstate(invalid="ignore"):
        mean = sum_by(points.item, points.weight * points.value, n) / weight
    if interval is None:
        return _Counted(Estimate(mean, None, None), None, None)
    code = points.ballot if cluster is None else cluster[points.ballot]
    names, row = np.unique(code, return_inverse=True)
    if names.size < 2:
        raise TooFewClusters(f"{names.size} cluster(s) of {interval.cluster}; an interval needs at least 2")
    residual = points.weight * (points.value - mean[points.item]) + 1j * points.weight
    table = sparse.csr_array(sparse.coo_array((residual, (row, points.item)), shape=(names.size, n)))
    raised, shares = raised_rows(table)
    clusters = np.bincount(table.indices, minlength=n)
    freedom, z = freedom_of(shares), normal_quantile(interval.level)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = sum_by(raised.indices, raised.data**2, n) / weight**2
        if score == "average_rank":
            width = student(z, freedom) * np.sqrt(variance)
            width[clusters < 2] = math.inf
            return _Counted(Estimate(mean, mean - width, mean + width), names.size, freedom)
        # A share's own variance follows from the share: single comparisons need no small-sample correction.
        alone = clusters == np.bincount(points.item, minlength=n)
        plain = sum_by(table.indices, table.data.real**2, n) / weight**2
        variance, freedom = np.where(alone, plain, variance), np.where(alone, math.inf, freedom)
        spread, z_of = mean * (1.0 - mean), student(z, freedom)
        size = np.where(variance > 1e-15, spread / variance, 1.0 / shares)
        middle = mean + z_of**2 / (2 * size)
        width = z_of * np.sqrt(spread / size + z_of**2 / (4 * size**2))
        scale = 1.0 + z_of**2 / size
        low, high = (middle - width) / scale, (middle + width) / scale
    return _Counted(Estimate(mean, np.clip(low, 0.0, mean), np.clip(high, mean, 1.0)), names.size, freedom)
