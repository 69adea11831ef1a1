"""How sure a fit with covariates is: clustered sandwich and clustered bootstrap of strengths and coefficients
together. It never fits the board itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse

from arena.ranking.arrays import Bools, Floats, Ints, sum_by
from arena.ranking.ballots import Ballots
from arena.ranking.counts import Comparisons, Tally, cell_of, cluster_codes
from arena.ranking.covariates.fit import CovariateSolution, climb
from arena.ranking.covariates.problem import CovariateProblem, entry_outcomes, pose
from arena.ranking.covariates.rows import CHUNK, Design, numbered
from arena.ranking.errors import SeparatedCovariates
from arena.ranking.intervals import Spread, small_sample
from arena.ranking.island import Island
from arena.ranking.tie_models import TieModel

_REPLICATE_TOLERANCE = 1e-7


@dataclass(frozen=True, eq=False)
class CovariateFit:
    """A fit with all that an interval reads."""

    comparisons: Comparisons
    total: Tally
    design: Design
    islands: Sequence[Island]
    problem: CovariateProblem
    solution: CovariateSolution
    model: TieModel | None
    prior: float

    @property
    def strong(self) -> Ints:
        """int64[n], strong component of each of the design's items, unique over the board."""
        labels, seen = [np.zeros(0, dtype=np.int64)], 0
        for island in self.islands:
            labels.append(island.separation.strong + seen)
            seen += int(island.separation.strong.max()) + 1
        return np.concatenate(labels)


class Clusters(NamedTuple):
    """What was drawn independently.

    n       number of clusters
    code    int64[c], cluster of each comparison; None if each comparison is a cluster
    """

    n: int
    code: Ints | None


class Spreads(NamedTuple):
    """Of every component, and of the coefficients (whose `covariance` float64[F, F] is theirs, natural-log
    units per standard deviation).
    """

    components: list[Spread]
    coefficients: Spread


def clusters_of_comparisons(ballots: Ballots, comparisons: Comparisons, cluster: str) -> Clusters:
    """Raises MissingClusters, InvalidSetting."""
    code, owner = cluster_codes(ballots, cluster), comparisons.ballot
    if code is None and (owner is None or owner.size == comparisons.n_ballots):
        return Clusters(comparisons.key.size, None)
    number = np.arange(comparisons.key.size) if owner is None else owner
    each = number if code is None else code[number]
    found, own = numbered(each, int(each.max(initial=-1)) + 1)
    return Clusters(int(found.size), own)


def covariate_sandwich(fit: CovariateFit, clusters: Clusters) -> Spreads:
    """H^-1 G H^-1 of all parameters together, as `arena.ranking.intervals.sandwich` defines G."""
    rows, row_of, n = fit.design.rows, fit.design.row_of, fit.design.rows.n
    scores, code, count = _scores(fit), clusters.code, clusters.n
    if code is None:
        square, cross, tie = scores.eta**2, None, 0.0
        if scores.tie is not None:
            cross, tie = scores.eta * scores.tie, float(scores.tie @ scores.tie)
        if row_of is not None:
            square = sum_by(row_of, square, rows.pair.size)
            cross = None if cross is None else sum_by(row_of, cross, rows.pair.size)
        meat = rows.moments(square, cross, tie)
    else:
        pair = rows.pair if row_of is None else rows.pair[row_of]
        by_pair = sparse.coo_array((scores.eta, (code, pair)), shape=(count, rows.left.size))
        strengths = sparse.csr_array(by_pair) @ _incidence(rows.left, rows.right, n)
        others = np.zeros((count, fit.problem.size - n))
        for column, value in enumerate(rows.value):
            each = value if row_of is None else value[row_of]
            others[:, column] = sum_by(code, scores.eta * each, count)
        if scores.tie is not None:
            others[:, -1] = sum_by(code, scores.tie, count)
        meat = np.empty((fit.problem.size,) * 2)
        meat[:n, :n] = (strengths.T @ strengths).toarray()
        meat[:n, n:] = strengths.T @ others
        meat[n:, :n] = meat[:n, n:].T
        meat[n:, n:] = others.T @ others
    meat *= small_sample(clusters.n)
    meat += _crossing(fit)
    return _spreads(fit, clusters, _between(fit, meat), 0)


def covariate_bootstrap(
    fit: CovariateFit, clusters: Clusters, *, replicates: int, rng: np.random.Generator
) -> Spreads:
    """Covariance of refits on clusters drawn with replacement, as many as there are.

    The covariates keep the scale of the whole data. Raises SeparatedCovariates if a resample has no finite
    coefficients, NotConverged.
    """
    votes, count, code = fit.design.votes, clusters.n, clusters.code
    entries = fit.comparisons.entries()
    cell = cell_of(fit.comparisons, fit.total, entries.key)
    shape = fit.total.weight.shape
    factor = fit.problem.factor(fit.solution.point)
    draws, separated = np.full((replicates, fit.problem.size), np.nan), 0
    for replicate in range(replicates):
        times = np.bincount(rng.integers(count, size=count), minlength=count).astype(np.float64)
        weight = votes.weights(times if code is None else times[code])
        cells = sum_by(cell, weight, shape[0] * shape[1]).reshape(shape)
        posed = pose(
            fit.design,
            fit.islands,
            weight,
            cells,
            model=fit.model,
            prior=fit.prior,
            names=fit.problem.names,
        )
        separated += posed.is_separated_anew
        is_alike = posed.problem.is_tie_free == fit.problem.is_tie_free
        try:
            found = climb(
                posed.problem,
                fit.solution.point,
                factor=factor if is_alike else None,
                tolerance=_REPLICATE_TOLERANCE,
            ).point
        except SeparatedCovariates as problem:
            raise SeparatedCovariates(f"in a resample: {problem}; a sandwich needs no resamples") from problem
        parts = [found.theta, found.gamma]
        if posed.problem.is_tie_free:
            parts.append(np.array([found.beta]))
        flat = np.concatenate(parts)
        draws[replicate, : flat.size] = flat
    # A resample without a tie has its tie parameter at the bound: it tells nothing of that one.
    whole = ~np.isnan(draws).any(axis=1)
    covariance = np.cov(draws[:, : fit.problem.size - int(fit.problem.is_tie_free)], rowvar=False)
    if fit.problem.is_tie_free:
        strengths, covariance = covariance, np.zeros((fit.problem.size,) * 2)
        covariance[:-1, :-1] = strengths
        covariance[-1, -1] = draws[whole, -1].var(ddof=1) if whole.sum() > 1 else 0.0
    covariance = np.atleast_2d(covariance) * small_sample(count) + _between(fit, _crossing(fit))
    return _spreads(fit, clusters, covariance, separated)


class _Scores(NamedTuple):
    """float64[c] each: every comparison's derivative of the log-likelihood by its eta and by the tie
    parameter; 0 on pairs across strong components, where all outcomes are alike.
    """

    eta: Floats
    tie: Floats | None


def _scores(fit: CovariateFit) -> _Scores:
    rows, votes, point = fit.design.rows, fit.design.votes, fit.solution.point
    model = fit.model if fit.problem.is_tie_free else None
    outcomes, strong = entry_outcomes(votes, model), fit.strong
    eta_of_rows = np.concatenate([part.eta for part in rows.parts(point.theta, point.gamma)])
    across = (strong[rows.left] != strong[rows.right])[rows.pair]
    has_across = bool(across.any())
    size = votes.outcome.size
    eta, tie = np.empty(size), np.empty(size) if fit.problem.is_tie_free else None
    for start in range(0, size, CHUNK):
        part = slice(start, start + CHUNK)
        row = part if votes.row is None else votes.row[part]
        found = outcomes.slopes(eta_of_rows[row], point.beta, part)
        eta[part] = np.where(across[row], 0.0, found.eta) if has_across else found.eta
        if tie is not None and found.tie is not None:
            tie[part] = np.where(across[row], 0.0, found.tie)
    return _Scores(votes.by_comparison(eta), None if tie is None else votes.by_comparison(tie))


def _crossing(fit: CovariateFit) -> Floats:
    """The model's own information on pairs across strong components, phantoms included."""
    strong = fit.strong
    if all(island.is_strongly_connected for island in fit.islands):
        return np.zeros((fit.problem.size,) * 2)
    return fit.problem.information(fit.solution.point, strong=strong)


def _between(fit: CovariateFit, meat: Floats) -> Floats:
    """H^-1 meat H^-1."""
    factor = fit.problem.factor(fit.solution.point)
    covariance = factor.solve(factor.solve(meat).T)
    return 0.5 * (covariance + covariance.T)


def _spreads(fit: CovariateFit, clusters: Clusters, covariance: Floats, separated: int) -> Spreads:
    rows, n = fit.design.rows, fit.design.rows.n
    end = n + rows.n_covariates
    tie_variance = float(covariance[-1, -1]) if fit.problem.is_tie_free else None
    row_of = fit.design.row_of
    pair = rows.pair if row_of is None else rows.pair[row_of]
    known = _met_by_two(rows.left, rows.right, n, pair, clusters.code)
    components = []
    for block in rows.blocks:
        met = len(rows.blocks) == 1
        count = clusters.n if met else _count_within(rows.left, block, pair, clusters.code)
        components.append(
            Spread(covariance[block, block], known[block], count, separated, tie_variance=tie_variance)
        )
    whole = np.ones(rows.n_covariates, dtype=np.bool_)
    return Spreads(components, Spread(covariance[n:end, n:end], whole, clusters.n, separated))


def _met_by_two(left: Ints, right: Ints, n: int, pair: Ints, code: Ints | None) -> Bools:
    """bool[n], items that two or more clusters met."""
    if code is None:
        met = np.bincount(pair, minlength=left.size)
        twice: Bools = sum_by(left, met, n) + sum_by(right, met, n) > 1.5
        return twice
    # Some cluster of each ordered pair, then of each item; whoever meets another one was met by two.
    of_pair = np.zeros(left.size, dtype=np.int64)
    of_pair[pair] = code
    of_item, differs = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.bool_)
    for end in (left, right):
        of_item[end] = of_pair
    for end in (left, right):
        differs[end[of_item[end] != of_pair]] = True
    mixed = np.zeros(left.size, dtype=np.bool_)
    mixed[pair[of_pair[pair] != code]] = True
    differs[left[mixed]] = True
    differs[right[mixed]] = True
    return differs


def _count_within(left: Ints, block: slice, pair: Ints, code: Ints | None) -> int:
    within = ((left >= block.start) & (left < block.stop))[pair]
    return int(within.sum()) if code is None else np.unique(code[within]).size


def _incidence(left: Ints, right: Ints, n: int) -> sparse.csr_array:
    """Sparse float64[Q, n], rows e_left - e_right."""
    row = np.tile(np.arange(left.size), 2)
    value = np.repeat([1.0, -1.0], left.size)
    entries = (value, (row, np.concatenate([left, right])))
    return sparse.csr_array(sparse.coo_array(entries, shape=(left.size, n)))
