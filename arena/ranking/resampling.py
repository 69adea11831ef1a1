"""The clustered bootstrap: draws tables of outcomes and refits every component on each. It never reads a
ballot.

Refits share the factor of the fit's information matrix, since a resample's curvature differs little: each
round of a refit is then a matrix product for a batch of resamples at once.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from scipy import sparse

from arena.ranking.arrays import Bools, Floats, Ints, sum_by
from arena.ranking.counts import FIRST_WON, SECOND_WON, TIED, ClusterSums, SingleSums
from arena.ranking.freedom import Margin, freedom_of
from arena.ranking.graph import strong_components
from arena.ranking.intervals import (
    Spread,
    centred,
    clusters_of,
    crossing_information,
    ground_freedom,
    small_sample,
    squares_of,
    tied_crossing,
    tied_squares_of,
)
from arena.ranking.island import Island, replicate_problem, replicate_tie_problem
from arena.ranking.newton import Grounded, chord
from arena.ranking.poisson import PoissonCells
from arena.ranking.tie_fit import Factor, TieSolution, climb, near

TOLERANCE = 1e-7
"""Largest gradient of a refit, as a share of the item's weight."""

_BATCH = 8  # resamples refitted together: their tables stay in the second-level cache
_ROUNDS = 12


class Refits(Protocol):
    """Estimates of one island over resamples."""

    def add(self, cells: Floats) -> None:
        """float64[B, O, P] weights of the island's cells in B resamples."""

    def spread(self, sums: ClusterSums | SingleSums) -> Spread: ...


def bootstrap(
    islands: list[Island], sums: ClusterSums | SingleSums, *, replicates: int, rng: np.random.Generator
) -> list[Spread]:
    """Clustered bootstrap covariance of each island; all islands share the draws.

    Raises NotConverged if a resample cannot be fitted.
    """
    refits: list[Refits] = [
        HalfTieRefits(island) if island.tied is None else TiedRefits(island) for island in islands
    ]
    resampler = Resampler(sums, sum(island.pairs.size for island in islands))
    for start in range(0, replicates, _BATCH):
        count = min(_BATCH, replicates - start)
        cells = np.stack([resampler.draw(rng) for _ in range(count)])
        for island, refit in zip(islands, refits, strict=True):
            alone = island.pairs.size == cells.shape[2]
            refit.add(cells if alone else cells[:, :, island.pairs])
    return [refit.spread(sums) for refit in refits]


class Resampler:
    """Draws the board's cells float64[O, P] with the clusters resampled.

    Single comparisons of weight 1 are drawn by Poisson counts of the cells, which is drawing as many with
    replacement but for the total; the estimate does not depend on that (Hanley & MacGibbon 2006). Larger
    clusters are drawn with replacement, as many as there are.
    """

    def __init__(self, sums: ClusterSums | SingleSums, n_pairs: int) -> None:
        self._sums = sums
        cells = sums.square.size if isinstance(sums, SingleSums) else sums.matrix.shape[1]
        self._shape = (cells // max(n_pairs, 1), n_pairs)
        self._counts: PoissonCells | None = None
        if isinstance(sums, SingleSums) and sums.cell is None:
            self._counts = PoissonCells.of(np.rint(sums.square.reshape(-1)).astype(np.int64))

    def draw(self, rng: np.random.Generator) -> Floats:
        if self._counts is not None:
            return self._counts.draw(rng).reshape(self._shape)
        sums = self._sums
        times = np.bincount(rng.integers(sums.n_clusters, size=sums.n_clusters), minlength=sums.n_clusters)
        if isinstance(sums, ClusterSums):
            cells: Floats = sums.matrix.T @ times.astype(np.float64)
            return cells.reshape(self._shape)
        assert sums.cell is not None  # noqa: S101 - the other case returned above
        weight = times if sums.weight is None else times * sums.weight
        return sum_by(sums.cell, weight, self._shape[0] * self._shape[1]).reshape(self._shape)


class HalfTieRefits:
    """Refits of one island, ties as half or left out."""

    def __init__(self, island: Island) -> None:
        self._island = island
        self._factor: Grounded = island.factor()
        self._chain = _chain(island)
        rows = np.tile(np.arange(island.pairs.size), 2)
        columns = np.concatenate([island.first, island.second])
        sign = np.repeat([1.0, -1.0], island.pairs.size)
        shape = (island.pairs.size, island.n)
        self._gaps = sparse.csr_array(sparse.coo_array((sign, (rows, columns)), shape=shape))
        self._sums = sparse.csr_array(self._gaps.T)
        self._draws: list[Floats] = []
        self._separated = 0

    def add(self, cells: Floats) -> None:
        safe = self._hang_together(cells)
        if safe.any():
            found, done = self._together(cells[safe])
            self._draws.append(found[done])
            safe[np.flatnonzero(safe)[~done]] = False
        for weight in cells[~safe]:
            problem, lone = replicate_problem(self._island, weight)
            self._separated += lone
            start = self._island.solution.theta
            self._draws.append(chord(problem, start, self._factor, tolerance=TOLERANCE).theta[None])

    def spread(self, sums: ClusterSums | SingleSums) -> Spread:
        island, factor = self._island, self._factor
        clusters, known = clusters_of(island, sums)
        freedom = freedom_of(squares_of(island, sums).shares)
        drawn = np.concatenate(self._draws)
        covariance = np.atleast_2d(np.cov(drawn, rowvar=False)) * small_sample(clusters)
        lone_meat = crossing_information(island, island.problem.probability(island.solution.theta))
        covariance += factor.solve(factor.solve(lone_meat).T)
        return Spread(covariance, freedom, known, clusters, self._separated)

    def _hang_together(self, cells: Floats) -> Bools:
        """Which resamples surely need the fit's own phantoms and no others."""
        if self._island.prior > 0:
            return np.ones(cells.shape[0], dtype=np.bool_)
        if self._chain is None:
            return np.zeros(cells.shape[0], dtype=np.bool_)
        pair, won = self._chain
        held: Bools = np.all(cells[:, won, pair] + cells[:, TIED, pair] > 0, axis=1)
        return held

    def _together(self, cells: Floats) -> tuple[Floats, Bools]:
        """float64[B, n] estimates, and which of them have a small gradient."""
        island = self._island
        tied = (cells[:, TIED] + island.phantom).T
        total = np.ascontiguousarray(cells[:, FIRST_WON].T + cells[:, SECOND_WON].T + tied)
        won = cells[:, FIRST_WON].T + 0.5 * tied
        scale = np.abs(self._sums) @ total
        theta = np.repeat(island.solution.theta[:, None], cells.shape[0], axis=1)
        for _ in range(_ROUNDS):
            # won - total / (1 + exp(-gap)), with one temporary for all pairs and resamples
            gap = self._gaps @ theta
            gap *= 0.5
            np.tanh(gap, out=gap)
            gap += 1.0
            gap *= total
            gap *= -0.5
            gap += won
            gradient = self._sums @ gap
            worst = np.abs(gradient / scale).max(axis=0)
            if (worst <= TOLERANCE).all() or not np.isfinite(worst).all():
                break
            theta += self._factor.solve(gradient)
        return (theta - theta.mean(axis=0)).T, worst <= TOLERANCE


class TiedRefits:
    """Refits of one island, with the tie parameter and the place of the ground."""

    def __init__(self, island: Island) -> None:
        assert island.tied is not None  # noqa: S101 - the caller chose this class for it
        self._island, self._tied = island, island.tied
        self._factor: Factor = self._tied.problem.factor(self._tied.solution.theta, self._tied.solution.beta)
        self._draws: list[TieSolution] = []
        self._separated = 0

    def add(self, cells: Floats) -> None:
        for weight in cells:
            self._add(weight)

    def _add(self, weight: Floats) -> None:
        problem, lone = replicate_tie_problem(self._island, weight)
        self._separated += lone
        of_fit = self._tied.problem
        alike = (problem.is_free, problem.model, problem.is_shift_free) == (
            of_fit.is_free,
            of_fit.model,
            of_fit.is_shift_free,
        )
        if alike:
            found = near(problem, self._tied.solution, self._factor, tolerance=TOLERANCE)
        else:
            found = climb(problem, tolerance=TOLERANCE)
        self._draws.append(found)

    def spread(self, sums: ClusterSums | SingleSums) -> Spread:
        clusters, known = clusters_of(self._island, sums)
        factor, problem = self._factor, self._tied.problem
        small = small_sample(clusters)
        theta = np.stack([draw.centred.theta for draw in self._draws])
        covariance = np.atleast_2d(np.cov(theta, rowvar=False)) * small
        lone = factor.solve(factor.solve(tied_crossing(self._island, self._tied)).T)
        covariance += centred(lone[: problem.n, : problem.n])
        beta = np.array([draw.beta for draw in self._draws])
        level = np.array([draw.theta.mean() for draw in self._draws])
        finite = beta[np.isfinite(beta)]
        freedom = freedom_of(tied_squares_of(self._island, self._tied, sums).shares)
        tie = ground = None
        if problem.is_free and finite.size > 1:
            tie = Margin(small * float(finite.var(ddof=1)), float(freedom[-1]))
        if not problem.is_shift_free:
            variance = small * float(level[level != 0.0].var(ddof=1))
            ground = Margin(variance, ground_freedom(self._island, sums))
        return Spread(covariance, freedom[: problem.n], known, clusters, self._separated, tie, ground)


class _Chain(NamedTuple):
    """Wins (pair int64[q], FIRST_WON or SECOND_WON int64[q]) that alone connect each item with each other."""

    pair: Ints
    won: Ints


def _chain(island: Island) -> _Chain | None:
    """A chain of wins or ties seen as often as possible; None if the island does not hang together by wins.

    A resample that still holds all of them has a finite estimate, so that its graph need not be searched.
    """
    if not island.is_strongly_connected:
        return None
    n, first, second, weight = island.n, island.first, island.second, island.weight
    seen = np.stack([weight[FIRST_WON], weight[SECOND_WON]]) + weight[TIED]
    least = 2.0 ** np.floor(np.log2(seen.max()))
    kept = seen
    while least > 0.0:
        kept = np.where(seen >= least, seen, 0.0)
        held = np.vstack([kept, np.zeros((1, kept.shape[1]))])
        if np.unique(strong_components(n, first, second, held)).size == 1:
            break
        least = least / 2.0 if least > seen[seen > 0].min() else 0.0
        kept = seen
    won, pair = np.nonzero(kept)
    tail = np.where(won == FIRST_WON, first[pair], second[pair])
    head = np.where(won == FIRST_WON, second[pair], first[pair])
    place = sparse.csr_array(sparse.coo_array((np.arange(1, pair.size + 1), (tail, head)), shape=(n, n)))
    used: list[Ints] = []
    for graph in (place, sparse.csr_array(place.T)):
        order, before = sparse.csgraph.breadth_first_order(graph, 0, directed=True)
        used.append(np.asarray(graph[before[order[1:]], order[1:]]).reshape(-1) - 1)
    edge = np.unique(np.concatenate(used))
    return _Chain(pair[edge], won[edge])
