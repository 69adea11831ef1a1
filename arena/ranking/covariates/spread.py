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
from arena.ranking.freedom import Margin, freedom_of, raised
from arena.ranking.intervals import Spread, centred, small_sample
from arena.ranking.island import Island
from arena.ranking.scores import Squares, raised_rows
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
    """H^-1 G H^-1 of all parameters together, as `arena.ranking.intervals.Sandwich` defines G."""
    squares = _squares(fit, clusters)
    return _spreads(fit, clusters, _between(fit, squares.scores + _crossing(fit)), squares.shares, 0)


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
    return _spreads(fit, clusters, covariance, _squares(fit, clusters).shares, separated)


class _Scores(NamedTuple):
    """Every comparison's derivatives of the log-likelihood by its eta and by the tie parameter, and their
    expected squares; 0 on pairs across strong components, where all outcomes are alike.

    pair                    int64[c], position in `Rows.left`
    value                   float64[F, c], covariates
    eta, information        float64[c]
    tie, tie_information    float64[c], or None without a tie parameter
    """

    pair: Ints
    value: Floats
    eta: Floats
    information: Floats
    tie: Floats | None
    tie_information: Floats | None


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
    known = fit.problem.outcomes.mean_squares(eta_of_rows, point.beta)
    weight = None if votes.weight is None else votes.by_comparison(votes.weight)
    row_of = slice(None) if fit.design.row_of is None else fit.design.row_of

    def of_comparisons(by_row: Floats) -> Floats:
        each: Floats = np.where(across, 0.0, by_row)[row_of]
        return each if weight is None else weight * each

    return _Scores(
        rows.pair[row_of],
        rows.value[:, row_of],
        votes.by_comparison(eta),
        of_comparisons(known.eta),
        None if tie is None else votes.by_comparison(tie),
        None if known.tie is None else of_comparisons(known.tie),
    )


def _squares(fit: CovariateFit, clusters: Clusters) -> Squares:
    """Squared scores of strengths, coefficients and tie parameter, and the clusters' shares of each."""
    scores = _scores(fit)
    if clusters.code is None:
        return _single_squares(fit, scores)
    rows, n, code, count = fit.design.rows, fit.design.rows.n, clusters.code, clusters.n
    # The imaginary part is the information; at the right end the score alone changes its sign.
    each = scores.eta + 1j * scores.information
    by_pair = sparse.csr_array(sparse.coo_array((each, (code, scores.pair)), shape=(count, rows.left.size)))
    strengths = by_pair @ _ends(rows.left, n) - by_pair.conj() @ _ends(rows.right, n)
    own, shares = raised_rows(strengths)
    others = np.zeros((count, fit.problem.size - n))
    known = np.zeros_like(others)
    for column, value in enumerate(scores.value):
        others[:, column] = sum_by(code, scores.eta * value, count)
        known[:, column] = sum_by(code, scores.information * value**2, count)
    if scores.tie is not None and scores.tie_information is not None:
        others[:, -1] = sum_by(code, scores.tie, count)
        known[:, -1] = sum_by(code, scores.tie_information, count)
    total = known.sum(axis=0)
    known /= np.where(total > 0, total, 1.0)
    others *= raised(known)
    meat = np.empty((fit.problem.size,) * 2)
    meat[:n, :n] = (own.T @ own).toarray()
    meat[:n, n:] = own.T @ others
    meat[n:, :n] = meat[:n, n:].T
    meat[n:, n:] = others.T @ others
    return Squares(meat, np.append(shares, (known**2).sum(axis=0)))


def _single_squares(fit: CovariateFit, scores: _Scores) -> Squares:
    """The same where each comparison is a cluster: no table of them is made."""
    n, size, found = fit.design.rows.n, fit.problem.size, _Singles.of(fit, scores)
    left, right = fit.design.rows.left[found.pair], fit.design.rows.right[found.pair]

    def known_of(information: Floats, total: Floats | float) -> _Known:
        share = information / np.where(np.asarray(total) > 0, total, 1.0)
        return _Known(raised(share), found.times * share**2)

    known = found.times * found.information
    total = sum_by(left, known, n) + sum_by(right, known, n)
    at_left, at_right = (known_of(found.information, total[end]) for end in (left, right))
    shares = np.zeros(size)
    shares[:n] = sum_by(left, at_left.square, n) + sum_by(right, at_right.square, n)
    meat = np.zeros((size, size))
    apart = sum_by(left * n + right, found.square * at_left.raised * at_right.raised, n * n).reshape(n, n)
    own = sum_by(left, found.square * at_left.raised**2, n)
    own += sum_by(right, found.square * at_right.raised**2, n)
    meat[:n, :n] = np.diag(own) - apart - apart.T
    columns = []
    for column, value in enumerate(found.value, start=n):
        information = found.information * value**2
        of_value = known_of(information, float(found.times @ information))
        shares[column] = of_value.square.sum()
        columns.append(value * of_value.raised)
    products = [found.square] * len(columns)  # of the column's own score with that of eta
    if found.tie_information is not None and found.cross is not None:
        of_tie = known_of(found.tie_information, float(found.times @ found.tie_information))
        shares[-1] = of_tie.square.sum()
        columns.append(of_tie.raised)
        products.append(found.cross)
    for j, (one, product) in enumerate(zip(columns, products, strict=True), start=n):
        across = sum_by(left, product * one * at_left.raised, n)
        across -= sum_by(right, product * one * at_right.raised, n)
        meat[:n, j] = meat[j, :n] = across
        for k, other in enumerate(columns[: j - n], start=n):
            meat[j, k] = meat[k, j] = product @ (one * other)
        both = product if found.tie is None or j < size - 1 else found.tie
        meat[j, j] = both @ one**2
    return Squares(meat, shares)


class _Known(NamedTuple):
    """float64[c] each: what a comparison's score is multiplied by, and its squared share (of all merged)."""

    raised: Floats
    square: Floats


class _Singles(NamedTuple):
    """Single comparisons, those of one row merged if all weigh 1: they know the same.

    times                   float64[c], how many there are
    square, cross, tie      float64[c], sums of eta eta, eta tie, tie tie
    """

    pair: Ints
    value: Floats
    times: Floats
    information: Floats
    tie_information: Floats | None
    square: Floats
    cross: Floats | None
    tie: Floats | None

    @classmethod
    def of(cls, fit: CovariateFit, scores: _Scores) -> _Singles:
        rows, row_of, votes = fit.design.rows, fit.design.row_of, fit.design.votes
        square = scores.eta**2
        cross = None if scores.tie is None else scores.eta * scores.tie
        tie = None if scores.tie is None else scores.tie**2
        if row_of is None or votes.weight is not None:
            return cls(
                scores.pair,
                scores.value,
                np.ones(square.size),
                scores.information,
                scores.tie_information,
                square,
                cross,
                tie,
            )
        size = rows.pair.size
        one_of = np.zeros(size, dtype=np.int64)
        one_of[row_of] = np.arange(row_of.size)
        return cls(
            rows.pair,
            rows.value,
            np.bincount(row_of, minlength=size).astype(np.float64),
            scores.information[one_of],
            None if scores.tie_information is None else scores.tie_information[one_of],
            sum_by(row_of, square, size),
            None if cross is None else sum_by(row_of, cross, size),
            None if tie is None else sum_by(row_of, tie, size),
        )


def _ends(end: Ints, n: int) -> sparse.csr_array:
    """Sparse float64[Q, n], rows e_end."""
    entries = (np.ones(end.size), (np.arange(end.size), end))
    return sparse.csr_array(sparse.coo_array(entries, shape=(end.size, n)))


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


def _spreads(
    fit: CovariateFit, clusters: Clusters, covariance: Floats, shares: Floats, separated: int
) -> Spreads:
    rows, n = fit.design.rows, fit.design.rows.n
    end, freedom = n + rows.n_covariates, freedom_of(shares)
    tie = Margin(float(covariance[-1, -1]), float(freedom[-1])) if fit.problem.is_tie_free else None
    row_of = fit.design.row_of
    pair = rows.pair if row_of is None else rows.pair[row_of]
    known = _met_by_two(rows.left, rows.right, n, pair, clusters.code)
    components = []
    for block in rows.blocks:
        met = len(rows.blocks) == 1
        count = clusters.n if met else _count_within(rows.left, block, pair, clusters.code)
        own = centred(covariance[block, block])
        components.append(Spread(own, freedom[block], known[block], count, separated, tie=tie))
    whole = np.ones(rows.n_covariates, dtype=np.bool_)
    return Spreads(components, Spread(covariance[n:end, n:end], freedom[n:end], whole, clusters.n, separated))


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
