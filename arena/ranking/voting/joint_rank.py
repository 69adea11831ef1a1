"""Aggregations of the pairs that K-wise blocks imply: win rate, PageRank, Rank Centrality, eigenvector. It
plans no blocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from arena.ranking.arrays import Floats
from arena.ranking.ballots import Ballots
from arena.ranking.counts import BothBad
from arena.ranking.errors import InvalidSetting, NotConverged
from arena.ranking.intervals import Interval
from arena.ranking.result import SCALE, Ranking
from arena.ranking.scored import Shown, Table, rank_by_tables
from arena.ranking.settings import check_shared

Method = Literal["win-rate", "pagerank", "rank-centrality", "eigenvector"]
UNITS: dict[Method, str] = {
    "win-rate": "mean share won against each rival met",
    "pagerank": "share of a random walk's time",
    "rank-centrality": "Elo points",
    "eigenvector": "share of the dominant eigenvector",
}
_TOLERANCE = 1e-13
_MOST_STEPS = 100_000


def win_rates(table: Table) -> Floats:
    """float64[n], mean over the rivals met of the share won against each, ties half, in [0, 1].

    Every rival counts alike, however often met ("average win rate" of JointRank, arXiv:2506.22262, and of
    evalica); `Counting` weighs by votes. An item that met nobody gets 1/2.
    """
    met = table.total > 0.0
    share = np.where(met, table.won, 0.0) / np.where(met, table.total, 1.0)
    rivals = met.sum(axis=1)
    return np.where(rivals > 0, share.sum(axis=1) / np.maximum(rivals, 1), 0.5)


def pagerank(table: Table, *, damping: float = 0.85) -> Floats:
    """float64[n], summing to 1: time that a walker spends at each item who, with chance `damping`, goes on to
    one that beat the present one, in proportion to the weight of those wins, and else to any item (Brin &
    Page 1998).

    Ties are half a win each way. From an item that never lost the walk goes on anywhere, and it finds every
    item, so that the answer is unique on any table; an item that never won shares the least score.
    """
    n = table.won.shape[0]
    lost = table.won.sum(axis=0)
    moves = np.where(lost[:, None] > 0.0, table.won.T / np.where(lost > 0.0, lost, 1.0)[:, None], 1.0 / n)
    return stationary(damping * moves + (1.0 - damping) / n)


def rank_centrality(table: Table, *, prior: float = 1.0) -> Floats:
    """float64[n], log-strengths with mean 0 (Negahban, Oh & Shah 2017, Oper. Res. 65:266-287).

    The walk goes from i to j at a rate of (weight j won against i + prior) / (weight they met + 2 prior) if
    they met; under Bradley-Terry its stationary distribution is the strengths. `prior` above 0, a Beta(prior,
    prior) on every pair that met, joins all items that hang together by meeting: without it an item that
    never lost would swallow the walk. Parts that never met each other, as a resample's may, are each centred
    on 0.
    """
    scores = np.zeros(table.won.shape[0])
    for part in _parts(table):
        met = table.total[np.ix_(part, part)] > 0.0
        won = table.won[np.ix_(part, part)]
        rates = np.where(met, (won.T + prior) / (won + won.T + 2.0 * prior), 0.0)
        log = np.log(stationary(rates))
        scores[part] = log - log.mean()
    return scores


def eigenvector(table: Table, *, prior: float = 1.0) -> Floats:
    """float64[n], summing to 1: x with x_i proportional to sum_j (weight i won against j + prior) x_j, so
    that a win counts what the beaten one is worth (Landau 1895; Kendall 1955).

    Wins are counted, not their shares: items that battled more score more, so that the design should show
    all alike. `prior` above 0 on every pair that met makes x unique and positive (Perron & Frobenius). Parts
    that never met each other share the total by their numbers of items.

    Raises NotConverged after 100,000 steps of the power iteration.
    """
    n = table.won.shape[0]
    scores = np.empty(n)
    for part in _parts(table):
        at = np.ix_(part, part)
        wins = np.where(table.total[at] > 0.0, table.won[at] + prior, 0.0)
        scores[part] = _dominant(wins) * part.size / n
    return scores


def stationary(rates: Floats) -> Floats:
    """float64[n], stationary distribution of an irreducible walk from float64[n, n] `rates` of going from row
    to column; the diagonal is not read, and rows may have any sum.

    States are taken out one by one and put back (Grassmann, Taksar & Heyman 1985, Oper. Res. 33:1107-1116):
    no subtraction, so that small shares keep their digits, and nothing to converge.
    """
    walk = np.array(rates, dtype=np.float64)
    n = walk.shape[0]
    for last in range(n - 1, 0, -1):
        walk[:last, last] /= walk[last, :last].sum()
        walk[:last, :last] += np.outer(walk[:last, last], walk[last, :last])
    share = np.ones(n)
    for state in range(1, n):
        share[state] = share[:state] @ walk[:state, state]
    result: Floats = share / share.sum()
    return result


@dataclass(frozen=True)
class PairAggregation:
    """A board from the table of pairs that ballots imply, aggregated as in JointRank (arXiv:2506.22262).

    method      "win-rate", "pagerank", "rank-centrality" or "eigenvector": see the functions of like names
    damping     of "pagerank", in [0, 1)
    prior       of "rank-centrality" and "eigenvector", wins each way on every pair that met, above 0; 1 as in
                JointRank's Rank Centrality, which gives it to pairs that never met, too
    anchor_mean of "rank-centrality", mean score of a component in Elo points
    both_bad    "tie": all compared pairs of a ballot called all bad tie; "drop": it is left out
    provisional_below   systems with fewer usable ballots are marked provisional

    All pairs of a ballot count as if they were independent votes; the bootstrap draws whole ballots.
    """

    method: Method = "rank-centrality"
    damping: float = 0.85
    prior: float = 1.0
    anchor_mean: float = 1000.0
    both_bad: BothBad = "tie"
    provisional_below: int = 50

    def __post_init__(self) -> None:
        if self.method not in UNITS:
            raise InvalidSetting(f"method must be one of {', '.join(UNITS)}, not {self.method!r}")
        if not 0.0 <= self.damping < 1.0:
            raise InvalidSetting(f"damping must be 0 or more and below 1, not {self.damping}")
        if not (math.isfinite(self.prior) and self.prior > 0.0):
            raise InvalidSetting(f"prior must be finite and above 0, not {self.prior}")
        check_shared(self)

    def fit(
        self, ballots: Ballots, interval: Interval | None = None, rng: np.random.Generator | None = None
    ) -> Ranking:
        """Aggregate. The interval is a `Bootstrap` or None; `rng` draws its resamples.

        Raises InvalidSetting for a Sandwich, MissingRandomness, TooFewClusters, MissingClusters,
        NotConverged.
        """
        is_elo = self.method == "rank-centrality"
        return rank_by_tables(
            ballots,
            self._score(),
            Shown(
                settings={"model": "pair-aggregation", **asdict(self)},
                unit=UNITS[self.method],
                provisional_below=self.provisional_below,
                bounds=(-np.inf, np.inf) if is_elo else (0.0, 1.0),
            ),
            both_bad=self.both_bad,
            interval=interval,
            rng=rng,
        )

    def _score(self) -> Callable[[Table], Floats]:
        if self.method == "win-rate":
            return win_rates
        if self.method == "pagerank":
            return partial(pagerank, damping=self.damping)
        if self.method == "eigenvector":
            return partial(eigenvector, prior=self.prior)
        return lambda table: self.anchor_mean + SCALE * rank_centrality(table, prior=self.prior)


def _parts(table: Table) -> list[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    count, label = csgraph.connected_components(sparse.csr_array(table.total > 0.0), directed=False)
    return [np.flatnonzero(label == part) for part in range(count)]


def _dominant(wins: Floats) -> Floats:
    """The positive eigenvector of an irreducible matrix, summing to 1."""
    n = wins.shape[0]
    if n == 1:
        return np.ones(1)
    # The shift keeps the iteration from swinging between two halves of a bipartite schedule.
    shifted = wins / wins.sum(axis=1).max() + 0.5 * np.eye(n)
    vector = np.full(n, 1.0 / n)
    for _ in range(_MOST_STEPS):
        step: Floats = shifted @ vector
        step /= step.sum()
        if np.abs(step - vector).max() <= _TOLERANCE:
            return step
        vector = step
    raise NotConverged(f"the power iteration has not settled after {_MOST_STEPS} steps")
