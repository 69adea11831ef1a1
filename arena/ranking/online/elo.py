"""Elo ratings over the votes in order, or averaged over random orders. It reads no dates."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from arena.ranking.arrays import Floats, Ints
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
    tally,
)
from arena.ranking.errors import InvalidSetting, MissingRandomness, TooFewClusters
from arena.ranking.freedom import by_comparisons, least_freedom, student
from arena.ranking.graph import components
from arena.ranking.intervals import Bootstrap, Interval, normal_quantile, small_sample
from arena.ranking.result import SCALE, Ranking
from arena.ranking.settings import check_shared

_NATURAL = 1.0 / SCALE
"""Natural-log units per Elo point."""


LARGEST_STEP = 800.0
"""Elo points that one comparison may move at most: twice the scale, above which an update overshoots."""


@dataclass(frozen=True)
class Elo:
    """After each comparison the first system's rating grows by K w (y - 1 / (1 + 10^((r_second - r_first) /
    400))), the second's falls by as much; y = 1, 1/2, 0 for win, tie, loss, between them for graded ballots
    (Elo 1978, The Rating of Chessplayers).

    k_factor        K, Elo points; the larger, the more the last votes count
    permutations    0: the votes in the order given; otherwise the mean over as many random orders, since one
                    order's ratings are noise (Boubdir et al. 2023, arXiv:2311.17295: at least 100)
    anchor_mean     rating that every system starts with; the mean stays there
    both_bad        "tie": all compared pairs of a ballot called all bad tie; "drop": it is left out
    provisional_below   systems with fewer usable ballots are marked provisional

    Ratings are no estimate of fixed strengths: prefer a likelihood model for a public board. A K-wise ballot
    is read as its compared pairs, one after the other.
    """

    k_factor: float = 4.0
    permutations: int = 100
    anchor_mean: float = 1000.0
    both_bad: BothBad = "tie"
    provisional_below: int = 50

    def __post_init__(self) -> None:
        if not (math.isfinite(self.k_factor) and self.k_factor > 0):
            raise InvalidSetting(f"k_factor must be finite and above 0, not {self.k_factor}")
        if not isinstance(self.permutations, int) or self.permutations < 0:
            raise InvalidSetting(f"permutations must be an integer of 0 or more, not {self.permutations}")
        check_shared(self)

    def fit(
        self, ballots: Ballots, interval: Interval | None = None, rng: np.random.Generator | None = None
    ) -> Ranking:
        """Rate every item. `rng` draws orders and resamples; a single pass without an interval needs none.

        The interval is a `Bootstrap` or None: each replicate draws clusters with replacement and one order of
        their votes, so its bounds hold the noise of one order, too, and are on the wide side. Its quantile is
        Student's, with the degrees of freedom of the clusters' shares of a system's comparisons.

        Diagnostics: `order_sd`, the largest standard deviation of a system's rating over the orders;
        `freedom`, the least degrees of freedom, if there is an interval.
        Raises InvalidSetting for a Sandwich, MissingRandomness, TooFewClusters, MissingClusters.
        """
        if interval is not None and not isinstance(interval, Bootstrap):
            raise InvalidSetting("Elo has no likelihood for a sandwich: ask for a bootstrap or no interval")
        if rng is None and (self.permutations or interval is not None):
            raise MissingRandomness("random orders need rng=numpy.random.default_rng(seed)")
        comparisons = compare(ballots, both_bad=self.both_bad)
        total = tally(comparisons)
        groups = components(total.n_items, total.first, total.second)
        game = Game.of(comparisons, len(ballots), self.k_factor)
        if max(game.step, default=0.0) > LARGEST_STEP:
            raise InvalidSetting(
                f"k_factor times a weight is {max(game.step):g}; ratings run off above {LARGEST_STEP:g}"
            )
        every = np.arange(len(ballots))
        if rng is None or not self.permutations:
            orders = game.play(every)[None]
        else:
            orders = np.stack([game.play(rng.permutation(every)) for _ in range(self.permutations)])
        mean = orders.mean(axis=0) + self.anchor_mean
        diagnostics = plain_diagnostics(ballots.items, comparisons, total, groups)
        estimate, diagnostics["clusters"] = Estimate(mean, None, None), None
        if interval is not None and rng is not None:
            estimate, diagnostics["clusters"], freedom = _bounded(mean, game, ballots, interval, rng)
            diagnostics["freedom"] = least_freedom([freedom[group] for group in groups])
        sd = float(orders.std(axis=0, ddof=1).max()) if orders.shape[0] > 1 and orders.size else None
        return Ranking(
            ratings=plain_ratings(
                ballots.items, total, groups, estimate, provisional_below=self.provisional_below
            ),
            diagnostics={**diagnostics, "order_sd": sd},
            settings={"model": "elo", **asdict(self), "scale": 400.0, "interval": described(interval)},
        )


class Forecast(NamedTuple):
    """How well ratings foretold the ballots that then moved them.

    gain        float64[n], as `Game.play` gives it
    log_loss    mean of -y ln p - (1 - y) ln(1 - p) by weight over comparisons; None without one. ln 2 for p
                = 1/2, and never less than that on ties
    """

    gain: Floats
    log_loss: float | None


@dataclass(frozen=True, eq=False)
class Game:
    """Comparisons sorted by ballot, as plain lists: a loop over them beats numpy, one vote at a time.

    first, second   items of each comparison
    result      y of each comparison
    step        K times the weight
    start       int64[n_ballots + 1], position of each ballot's first comparison, and the end
    """

    n: int
    first: list[int]
    second: list[int]
    result: list[float]
    step: list[float]
    start: Ints

    @classmethod
    def of(cls, comparisons: Comparisons, n_ballots: int, k_factor: float) -> Game:
        owner = np.arange(comparisons.key.size) if comparisons.ballot is None else comparisons.ballot
        order = np.argsort(owner, kind="stable")
        pair, outcome = np.divmod(comparisons.key[order], OUTCOMES)
        left, right = np.divmod(pair, max(comparisons.n_items, 1))
        share = np.ones(order.size) if comparisons.share is None else comparisons.share[order]
        result = np.where(outcome == FIRST_WON, share, np.where(outcome == SECOND_WON, 1.0 - share, 0.5))
        weight = np.ones(order.size) if comparisons.weight is None else comparisons.weight[order]
        size = np.bincount(owner, minlength=n_ballots)
        start = np.concatenate([[0], np.cumsum(size)])
        step = k_factor * weight
        return cls(comparisons.n_items, left.tolist(), right.tolist(), result.tolist(), step.tolist(), start)

    def play(self, ballots: Ints) -> Floats:
        """float64[n], gains after the comparisons of `ballots` in that order; a ballot may come twice."""
        rating = [0.0] * self.n
        first, second, result, step = self.first, self.second, self.result, self.step
        size = self.start[ballots + 1] - self.start[ballots]
        ends = np.cumsum(size)
        position = np.arange(int(ends[-1]) if ends.size else 0) + np.repeat(
            self.start[ballots] - (ends - size), size
        )
        for v in position.tolist():
            i, j = first[v], second[v]
            gain = step[v] * (result[v] - 1.0 / (1.0 + 10.0 ** ((rating[j] - rating[i]) / 400.0)))
            rating[i] += gain
            rating[j] -= gain
        return np.array(rating)

    def forecast(self, ballots: Ints) -> Forecast:
        """Play like `play`, and judge every ballot by the ratings before it, so that none of its pairs is
        foretold with the help of another.
        """
        rating = [0.0] * self.n
        first, second, result, step = self.first, self.second, self.result, self.step
        start, loss, weight = self.start.tolist(), 0.0, 0.0
        for ballot in ballots.tolist():
            own = range(start[ballot], start[ballot + 1])
            for v in own:
                gap = (rating[first[v]] - rating[second[v]]) * _NATURAL
                # -y ln p - (1 - y) ln(1 - p), without overflow.
                loss += step[v] * (max(-gap, 0.0) + math.log1p(math.exp(-abs(gap))) + (1.0 - result[v]) * gap)
                weight += step[v]
            for v in own:
                i, j = first[v], second[v]
                gain = step[v] * (result[v] - 1.0 / (1.0 + 10.0 ** ((rating[j] - rating[i]) / 400.0)))
                rating[i] += gain
                rating[j] -= gain
        return Forecast(np.array(rating), loss / weight if weight else None)


class _Bounded(NamedTuple):
    """Ratings with their bounds, how many clusters were drawn from, and float64[n] degrees of freedom."""

    estimate: Estimate
    clusters: int
    freedom: Floats


def _bounded(
    mean: Floats, game: Game, ballots: Ballots, interval: Bootstrap, rng: np.random.Generator
) -> _Bounded:
    code = cluster_codes(ballots, interval.cluster)
    code = np.arange(len(ballots)) if code is None else code
    used = np.flatnonzero(np.diff(game.start))
    names, row = np.unique(code[used], return_inverse=True)
    if names.size < 2:
        raise TooFewClusters(f"{names.size} cluster(s) of {interval.cluster}; an interval needs at least 2")
    draws = np.empty((interval.replicates, mean.size))
    for replicate in range(interval.replicates):
        times = np.bincount(rng.integers(names.size, size=names.size), minlength=names.size)
        draws[replicate] = game.play(rng.permutation(np.repeat(used, times[row])))
    sizes = np.diff(game.start)
    cluster = np.repeat(row, sizes[used])
    freedom = by_comparisons(
        cluster, (np.array(game.first), np.array(game.second)), np.array(game.step), mean.size
    )
    error = draws.std(axis=0, ddof=1) * math.sqrt(small_sample(names.size))
    width = student(normal_quantile(interval.level), freedom) * error
    return _Bounded(Estimate(mean, mean - width, mean + width), names.size, freedom)
