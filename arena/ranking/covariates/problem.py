"""A Bradley-Terry likelihood with covariates of each comparison, its derivatives and its phantoms. It is
maximised elsewhere.

Strengths, coefficients and tie parameter belong to all components of a board together: they share the
coefficients and the tie parameter, nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from scipy import linalg

from arena.ranking.arrays import Bools, Floats, Ints, sum_by
from arena.ranking.counts import FIRST_WON, SECOND_WON, TIED
from arena.ranking.covariates.rows import Design, Rows, Votes
from arena.ranking.errors import CollinearCovariates, NotConverged
from arena.ranking.graph import strong_components
from arena.ranking.island import PHANTOM, Island
from arena.ranking.newton import laplacian
from arena.ranking.tie_fit import Factor, tie_is_finite
from arena.ranking.tie_models import TieModel, mean_squares

_COLLINEAR = 1e-8  # share of its variation that a covariate, or a mix of them, must have to itself


class Slopes(NamedTuple):
    """float64[k] each: derivatives of the weighted log-likelihood of k rows by eta and the tie parameter."""

    eta: Floats
    tie: Floats | None


class Bend(NamedTuple):
    """float64[k] each: entries of every row's negative Hessian in (eta, tie parameter)."""

    eta: Floats
    cross: Floats | None
    tie: Floats | None

    def where(self, kept: Bools) -> Bend:
        """The same with 0 on other rows than those kept."""
        cross = None if self.cross is None else np.where(kept, self.cross, 0.0)
        tie = None if self.tie is None else np.where(kept, self.tie, 0.0)
        return Bend(np.where(kept, self.eta, 0.0), cross, tie)


class Outcomes(Protocol):
    """Weighted outcomes of R rows.

    eta     float64[k], of the rows `part`: theta_left - theta_right + covariates . coefficients
    beta    the tie parameter, if there is one
    """

    @property
    def weight(self) -> Floats: ...
    def slopes(self, eta: Floats, beta: float, part: slice) -> Slopes: ...
    def bend(self, eta: Floats, beta: float, part: slice) -> Bend: ...
    def mean_squares(self, eta: Floats, beta: float) -> Slopes: ...
    def log_likelihood(self, eta: Floats, beta: float, rows: slice | Bools) -> float: ...


@dataclass(frozen=True, eq=False)
class HalfTies:
    """A tie is half a win to each side.

    lead        float64[R], half of what left won less half of what right won
    weight      float64[R], all that was won, lost and tied
    """

    lead: Floats
    weight: Floats

    def slopes(self, eta: Floats, beta: float, part: slice) -> Slopes:
        slope = np.tanh(0.5 * eta)
        slope *= -0.5
        slope *= self.weight[part]
        slope += self.lead[part]
        return Slopes(slope, None)

    def bend(self, eta: Floats, beta: float, part: slice) -> Bend:
        bend = np.tanh(0.5 * eta)
        bend *= bend
        np.subtract(1.0, bend, out=bend)
        bend *= 0.25
        bend *= self.weight[part]
        return Bend(bend, None, None)

    def mean_squares(self, eta: Floats, beta: float) -> Slopes:
        """Expected squares of the slopes of one unit of weight."""
        return Slopes(0.25 * (1.0 - np.tanh(0.5 * eta) ** 2), None)

    def log_likelihood(self, eta: Floats, beta: float, rows: slice | Bools) -> float:
        # log(2 cosh(eta / 2)), the mean of -log P over a win and a loss
        size = np.abs(eta)
        both = np.log1p(np.exp(-size))
        both += 0.5 * size
        return float(self.lead[rows] @ eta - self.weight[rows] @ both)


@dataclass(frozen=True, eq=False)
class TiesApart:
    """A tie is an outcome of its own, under a model of ties that reads strengths by their difference alone.

    won     float64[3, R], weight won by left, won by right, tied
    """

    model: TieModel
    won: Floats

    @cached_property
    def weight(self) -> Floats:
        total: Floats = self.won.sum(axis=0)
        return total

    def slopes(self, eta: Floats, beta: float, part: slice) -> Slopes:
        found, won = self.model.slopes(eta, np.zeros_like(eta), beta), self.won[:, part]
        return Slopes((won * found.a).sum(axis=0), (won * found.t).sum(axis=0))

    def bend(self, eta: Floats, beta: float, part: slice) -> Bend:
        found = self.model.information(eta, np.zeros_like(eta), beta, self.won[:, part])
        return Bend(found.aa, found.at, found.tt)

    def mean_squares(self, eta: Floats, beta: float) -> Slopes:
        """Expected squares of the slopes of one unit of weight."""
        found = mean_squares(self.model, eta, np.zeros_like(eta), beta)
        return Slopes(found.a, found.t)

    def log_likelihood(self, eta: Floats, beta: float, rows: slice | Bools) -> float:
        return self.model.log_likelihood(eta, np.zeros_like(eta), beta, self.won[:, rows])


class Phantoms(NamedTuple):
    """Drawn battles with all covariates at 0: half a win to each side.

    first, second   int64[K], positions in `Rows.items`; each pair at most once
    outcomes        of the K pairs
    """

    first: Ints
    second: Ints
    outcomes: Outcomes


LEAD = np.zeros(3)
"""Half a win less half a loss, by outcome."""
LEAD[FIRST_WON], LEAD[SECOND_WON] = 0.5, -0.5


class Point(NamedTuple):
    """theta float64[n], gamma float64[F], and the tie parameter (NaN where the likelihood has none)."""

    theta: Floats
    gamma: Floats
    beta: float


@dataclass(frozen=True, eq=False)
class CovariateProblem:
    """A log-likelihood in theta float64[n], gamma float64[F] and, if `is_tie_free`, beta.

    names   of the covariates, for the errors
    """

    rows: Rows
    outcomes: Outcomes
    phantoms: Phantoms
    is_tie_free: bool
    names: tuple[str, ...]

    @property
    def size(self) -> int:
        return self.rows.n + self.rows.n_covariates + int(self.is_tie_free)

    def gradient(self, point: Point) -> Floats:
        """float64[size], derivative of the log-likelihood with phantoms."""
        rows, n, end = self.rows, self.rows.n, self.rows.n + self.rows.n_covariates
        slope, found = np.empty(rows.pair.size), np.zeros(self.size)
        for part, eta in rows.parts(point.theta, point.gamma):
            slopes = self.outcomes.slopes(eta, point.beta, part)
            slope[part] = slopes.eta
            if self.is_tie_free and slopes.tie is not None:
                found[end] += slopes.tie.sum()
        found[:n] = rows.to_items(slope)
        found[n:end] = rows.value @ slope
        first, second, outcomes = self.phantoms
        if first.size:
            slopes = outcomes.slopes(point.theta[first] - point.theta[second], point.beta, slice(None))
            found[:n] += sum_by(first, slopes.eta, n) - sum_by(second, slopes.eta, n)
            if self.is_tie_free and slopes.tie is not None:
                found[end] += slopes.tie.sum()
        return found

    def information(self, point: Point, *, strong: Ints | None = None) -> Floats:
        """float64[size, size], the negative Hessian with phantoms; with `strong` int64[n], labels of items,
        that of the pairs across labels alone.
        """
        return self.with_phantoms(self.row_information(point, strong=strong), point, strong=strong)

    def with_phantoms(self, matrix: Floats, point: Point, *, strong: Ints | None = None) -> Floats:
        """Add the phantoms' part to a `row_information`."""
        first, second, outcomes = self.phantoms
        if first.size:
            n = self.rows.n
            bend = outcomes.bend(point.theta[first] - point.theta[second], point.beta, slice(None))
            if strong is not None:
                bend = bend.where(strong[first] != strong[second])
            matrix[:n, :n] += laplacian(n, first, second, bend.eta)
            if self.is_tie_free and bend.cross is not None and bend.tie is not None:
                matrix[:n, -1] += sum_by(first, bend.cross, n) - sum_by(second, bend.cross, n)
                matrix[-1, :n] = matrix[:n, -1]
                matrix[-1, -1] += bend.tie.sum()
        return matrix

    def row_information(self, point: Point, *, strong: Ints | None = None) -> Floats:
        """Like `information`, without phantoms."""
        rows = self.rows
        value, tie = np.empty(rows.pair.size), 0.0
        cross = np.empty(rows.pair.size) if self.is_tie_free else None
        across = None if strong is None else strong[rows.left] != strong[rows.right]
        for part, eta in rows.parts(point.theta, point.gamma):
            bend = self.outcomes.bend(eta, point.beta, part)
            if across is not None:
                bend = bend.where(across[rows.pair[part]])
            value[part] = bend.eta
            if cross is not None and bend.cross is not None and bend.tie is not None:
                cross[part] = bend.cross
                tie += float(bend.tie.sum())
        return rows.moments(value, cross, tie)

    def factor(self, point: Point) -> Factor:
        """Raises NotConverged if the information is not positive beyond the shift of each component."""
        return self.factor_of(self.information(point))

    def factor_of(self, information: Floats) -> Factor:
        """Like `factor`; the matrix is overwritten."""
        _fill_shifts(information, self.rows.blocks)
        return factored(information)

    def scale(self) -> Floats:
        """float64[size], the weight that each gradient is judged against."""
        rows, weight = self.rows, self.outcomes.weight
        by_pair = sum_by(rows.pair, weight, rows.left.size)
        first, second, outcomes = self.phantoms
        items = sum_by(rows.left, by_pair, rows.n) + sum_by(rows.right, by_pair, rows.n)
        items += sum_by(first, outcomes.weight, rows.n) + sum_by(second, outcomes.weight, rows.n)
        covariates = [float(np.abs(value) @ weight) for value in rows.value]
        total = [float(weight.sum() + outcomes.weight.sum())] if self.is_tie_free else []
        return np.concatenate([items, covariates, total])

    @cached_property
    def reach(self) -> Floats:
        """float64[F], the largest size of each covariate."""
        return np.array([max(float(row.max()), -float(row.min())) for row in self.rows.value])

    def log_likelihood(self, point: Point) -> Floats:
        """float64[components], natural logarithm, without phantoms."""
        rows, parts = self.rows, self.rows.parts(point.theta, point.gamma)
        if len(rows.blocks) == 1:
            return np.array([sum(self.outcomes.log_likelihood(eta, point.beta, at) for at, eta in parts)])
        eta = np.concatenate([part.eta for part in parts])
        starts = np.array([block.start for block in rows.blocks])
        component = (np.searchsorted(starts, rows.left, side="right") - 1)[rows.pair]
        within = [component == k for k in range(len(rows.blocks))]
        return np.array([self.outcomes.log_likelihood(eta[own], point.beta, own) for own in within])

    def moved(self, step: Floats) -> float:
        """The most a step can move the eta of any comparison, by a strength or a covariate."""
        n, end = self.rows.n, self.rows.n + self.rows.n_covariates
        parts = (np.abs(step[:n]), np.abs(step[n:end]) * self.reach, np.abs(step[end:]))
        return float(max(part.max(initial=0.0) for part in parts))

    def after(self, point: Point, step: Floats) -> Point:
        n, end = self.rows.n, self.rows.n + self.rows.n_covariates
        beta = point.beta + float(step[end]) if self.is_tie_free else point.beta
        return Point(point.theta + step[:n], point.gamma + step[n:end], beta)

    def variance_inflation(self, row_information: Floats) -> Floats:
        """float64[F], by how much each coefficient's variance exceeds what it would be were the strengths and
        the other coefficients known (tie parameter held), where the information without phantoms was taken.

        Raises CollinearCovariates if some mix of covariates says nothing that they do not say.
        """
        n, end = self.rows.n, self.rows.n + self.rows.n_covariates
        matrix = row_information.copy()
        _fill_shifts(matrix, self.rows.blocks)
        strengths = factored(matrix[:n, :n].copy())
        alone = np.diag(matrix)[n:end]
        own = matrix[n:end, n:end] - matrix[n:end, :n] @ strengths.solve(matrix[:n, n:end])
        own /= np.sqrt(np.outer(alone, alone))
        share, mix = np.linalg.eigh(0.5 * (own + own.T))
        if share[0] <= _COLLINEAR:
            guilty = np.abs(mix[:, 0]) > 0.1 * np.abs(mix[:, 0]).max()
            named = " and ".join(name for name, is_in in zip(self.names, guilty, strict=True) if is_in)
            raise CollinearCovariates(
                f"{named}: on these comparisons a linear combination of the systems"
                + (" and of each other" if guilty.sum() > 1 else "")
            )
        inflation: Floats = np.diag((mix / share) @ mix.T)
        return inflation


class Posed(NamedTuple):
    """A problem, and whether it has phantoms on pairs where the fit of all votes has none."""

    problem: CovariateProblem
    is_separated_anew: bool


def pose(
    design: Design,
    islands: Sequence[Island],
    weight: Floats,
    cells: Floats,
    *,
    model: TieModel | None,
    prior: float,
    names: tuple[str, ...],
) -> Posed:
    """State the problem with its phantoms.

    weight      float64[e], of the votes' entries
    cells       float64[3, P], the same in the board's tally
    model       of ties; None where a tie is half a win to each side

    Without a prior, half a drawn battle with all covariates at 0 joins every observed pair between two strong
    components, as without covariates; if only the tie parameter would run off, every observed pair. A tie
    parameter without a tie in the votes is at its bound, where a tie is impossible.
    """
    crossing, own = [], [cells[:, island.pairs] for island in islands]
    for island, found in zip(islands, own, strict=True):
        strong = island.separation.strong
        if ((found > 0) != (island.weight > 0)).any():
            strong = strong_components(island.n, island.first, island.second, found)
        crossing.append(strong[island.first] != strong[island.second])
    phantom = [np.full(c.size, prior) if prior > 0 else np.where(c, PHANTOM, 0.0) for c in crossing]
    is_tie_free = model is not None and bool(cells[TIED].any())
    if is_tie_free and not any(
        tie_is_finite(i.n, i.first, i.second, w + p * np.array([[1.0], [1.0], [0.0]]))
        for i, w, p in zip(islands, own, phantom, strict=True)
    ):
        phantom = [np.full(c.size, PHANTOM) for c in crossing]
    tied_model = model if is_tie_free else None
    problem = CovariateProblem(
        rows=design.rows,
        outcomes=_row_outcomes(design.votes, weight, tied_model),
        phantoms=_phantoms(design.rows, islands, np.concatenate([np.zeros(0), *phantom]), tied_model),
        is_tie_free=is_tie_free,
        names=names,
    )
    anew = any(bool((c & ~i.crossing).any()) for c, i in zip(crossing, islands, strict=True))
    return Posed(problem, anew)


def _row_outcomes(votes: Votes, weight: Floats, model: TieModel | None) -> Outcomes:
    if model is None:
        return HalfTies(votes.by_row(LEAD.take(votes.outcome) * weight), votes.by_row(weight))
    return TiesApart(model, votes.by_outcome(weight))


def entry_outcomes(votes: Votes, model: TieModel | None) -> Outcomes:
    """The outcome of every single entry, with the votes' own weights."""
    weight = votes.weights()
    if model is None:
        return HalfTies(LEAD.take(votes.outcome) * weight, weight)
    won = np.zeros((3, weight.size))
    won[votes.outcome, np.arange(weight.size)] = weight
    return TiesApart(model, won)


def _phantoms(rows: Rows, islands: Sequence[Island], weight: Floats, model: TieModel | None) -> Phantoms:
    starts = [block.start for block in rows.blocks]
    nobody = np.zeros(0, dtype=np.int64)
    first = np.concatenate([nobody, *(i.first + s for i, s in zip(islands, starts, strict=True))])
    second = np.concatenate([nobody, *(i.second + s for i, s in zip(islands, starts, strict=True))])
    kept = weight > 0
    first, second, weight = first[kept], second[kept], weight[kept]
    if model is None:
        return Phantoms(first, second, HalfTies(np.zeros(weight.size), weight))
    won = np.zeros((3, weight.size))
    won[FIRST_WON] = won[SECOND_WON] = 0.5 * weight
    return Phantoms(first, second, TiesApart(model, won))


def _fill_shifts(matrix: Floats, blocks: tuple[slice, ...]) -> None:
    """Add to each component's constant shift, along which the information is 0, what makes it regular; scores
    that sum to 0 in each component have answers that do.
    """
    for block in blocks:
        own = matrix[block, block]
        own += np.trace(own) / own.shape[0] ** 2


def factored(matrix: Floats) -> Factor:
    try:
        return Factor(linalg.cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False))
    except linalg.LinAlgError as problem:
        raise NotConverged(f"the information matrix is singular: {problem}") from problem
