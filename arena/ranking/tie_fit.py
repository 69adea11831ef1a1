"""Maximise a likelihood with a tie parameter on pair weights, to a small gradient or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import linalg, sparse
from scipy.sparse import csgraph
from scipy.special import expit, log_expit

from arena.ranking.arrays import Floats, Ints, sum_by
from arena.ranking.counts import BAD, FIRST_WON, SECOND_WON, TIED
from arena.ranking.errors import NotConverged
from arena.ranking.newton import TOLERANCE, Solution
from arena.ranking.tie_models import Curvature, TieModel

_MAX_ITERATIONS = 200
_LAST_STEP = 0.01  # natural-log units, as in the solver without ties
_MAX_HALVINGS = 40
_CHORD_ROUNDS = 12
_START_GROUND = 1.0  # strengths start above the ground; any finite place would do


class TieSolution(NamedTuple):
    """theta float64[n] (mean 0 unless the model is grounded), beta, steps, largest gradient per weight."""

    theta: Floats
    beta: float
    iterations: int
    gradient_norm: float

    @property
    def centred(self) -> Solution:
        return Solution(self.theta - self.theta.mean(), self.iterations, self.gradient_norm)


class Factor(NamedTuple):
    """Cholesky factor of the information in (theta, beta if it is free), the constant shift filled in."""

    factor: tuple[Floats, bool]

    def solve(self, right: Floats) -> Floats:
        answer: Floats = linalg.cho_solve(self.factor, right, check_finite=False)
        return answer


@dataclass(frozen=True, eq=False)
class TieProblem:
    """Weights of outcomes per pair, phantoms kept apart.

    first, second   int64[P], items 0…n-1 of one connected graph
    weight          float64[O, P]; O = 3 outcomes, and the fourth "both bad" if the model is grounded
    phantom         float64[P], weight of half a win each way
    ground_phantom  float64[n], the same of an item against the ground (grounded models only)
    fixed           the tie parameter, if it is not to be estimated
    """

    model: TieModel
    n: int
    first: Ints
    second: Ints
    weight: Floats
    phantom: Floats
    ground_phantom: Floats
    fixed: float | None = None

    @property
    def is_free(self) -> bool:
        return self.fixed is None

    @property
    def is_shift_free(self) -> bool:
        """True if adding a constant to all strengths changes nothing."""
        if not self.model.is_grounded:
            return True
        return not (self.weight[BAD].any() or self.ground_phantom.any())

    @property
    def padded(self) -> Floats:
        """float64[O, P], the weights with a half of each phantom as a win to each side."""
        whole = self.weight.copy()
        whole[FIRST_WON] += 0.5 * self.phantom
        whole[SECOND_WON] += 0.5 * self.phantom
        return whole

    def gradient(self, theta: Floats, beta: float) -> Floats:
        """float64[n (+ 1)], derivative of the log-likelihood with phantoms."""
        slopes = self.model.slopes(theta[self.first], theta[self.second], beta)
        whole = self.padded
        by_item = sum_by(self.first, (whole * slopes.a).sum(axis=0), self.n)
        by_item += sum_by(self.second, (whole * slopes.b).sum(axis=0), self.n)
        by_item += 0.5 * self.ground_phantom * (1.0 - 2.0 * expit(theta))
        return np.append(by_item, (whole * slopes.t).sum()) if self.is_free else by_item

    def information(self, theta: Floats, beta: float) -> Floats:
        """float64[n (+ 1), n (+ 1)], the negative Hessian with phantoms; the shift is not filled in."""
        bend = self.model.information(theta[self.first], theta[self.second], beta, self.padded)
        matrix = assemble(self.n, self.first, self.second, bend, with_tie=self.is_free)
        share = expit(theta)
        matrix[np.arange(self.n), np.arange(self.n)] += self.ground_phantom * share * (1.0 - share)
        return matrix

    def factor(self, theta: Floats, beta: float) -> Factor:
        """Raises NotConverged if the information is not positive beyond the constant shift."""
        return self._factored(self.information(theta, beta))

    def _factored(self, matrix: Floats) -> Factor:
        if self.is_shift_free:
            matrix[: self.n, : self.n] += np.trace(matrix[: self.n, : self.n]) / self.n**2
        try:
            return Factor(linalg.cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False))
        except linalg.LinAlgError as problem:
            raise NotConverged(f"the information matrix is singular: {problem}") from problem

    def climbing_factor(self, theta: Floats, beta: float) -> Factor:
        """Like `factor`, with as much added to the diagonal as a grounded likelihood, not concave far from
        its maximum, may need for a step uphill.
        """
        matrix = self.information(theta, beta)
        extra = 0.0
        largest = float(np.diag(matrix).max())
        for _ in range(30):
            try:
                return self._factored(matrix + extra * np.eye(matrix.shape[0]))
            except NotConverged:
                extra = max(10.0 * extra, 1e-6 * largest)
        raise NotConverged("no direction uphill was found")

    def log_likelihood(self, theta: Floats, beta: float) -> float:
        """Natural logarithm, without phantoms."""
        return self.model.log_likelihood(theta[self.first], theta[self.second], beta, self.weight)

    def objective(self, theta: Floats, beta: float) -> float:
        """The log-likelihood with phantoms."""
        value = self.model.log_likelihood(theta[self.first], theta[self.second], beta, self.padded)
        return value + float(0.5 * self.ground_phantom @ (log_expit(theta) + log_expit(-theta)))

    def scale(self) -> Floats:
        """float64[n (+ 1)], the weight that each gradient is judged against."""
        total = self.weight.sum(axis=0) + self.phantom
        items = sum_by(self.first, total, self.n) + sum_by(self.second, total, self.n)
        return np.append(items, total.sum()) if self.is_free else items


def assemble(n: int, first: Ints, second: Ints, bend: Curvature, *, with_tie: bool) -> Floats:
    """float64[n (+ 1), n (+ 1)] from the entries of the pairs, each pair at most once."""
    size = n + int(with_tie)
    matrix = np.zeros((size, size))
    matrix[first, second] = bend.ab
    matrix[second, first] = bend.ab
    matrix[np.arange(n), np.arange(n)] = sum_by(first, bend.aa, n) + sum_by(second, bend.bb, n)
    if with_tie:
        matrix[:n, n] = matrix[n, :n] = sum_by(first, bend.at, n) + sum_by(second, bend.bt, n)
        matrix[n, n] = bend.tt.sum()
    return matrix


def climb(
    problem: TieProblem, start: TieSolution | None = None, *, tolerance: float = TOLERANCE
) -> TieSolution:
    """Damped Newton. Davidson and Rao-Kupper are concave in (theta, beta), so their answer is the only one.

    A step is halved while the objective falls, or while the slope along it says that its maximum was
    overshot by more than half. Raises NotConverged as the solver without ties does.
    """
    theta, beta = _start(problem) if start is None else (start.theta, start.beta)
    scale = problem.scale()
    gradient = problem.gradient(theta, beta)
    value = problem.objective(theta, beta)
    norm, moved = float(np.max(np.abs(gradient) / scale)), 0.0
    for iteration in range(_MAX_ITERATIONS + 1):
        if norm <= tolerance and moved <= _LAST_STEP:
            return _finish(problem, theta, beta, iteration, norm)
        step = problem.climbing_factor(theta, beta).solve(gradient)
        slope = float(gradient @ step)
        for _ in range(_MAX_HALVINGS):
            there = theta + step[: problem.n], beta + float(step[problem.n]) if problem.is_free else beta
            gradient = problem.gradient(*there)
            reached = problem.objective(*there)
            if reached >= value - 1e-9 * abs(value) and float(gradient @ step) >= -0.5 * slope:
                break
            step, slope = 0.5 * step, 0.5 * slope
        (theta, beta), value = there, reached
        moved = float(np.max(np.abs(step)))
        norm = float(np.max(np.abs(gradient) / scale))
        if not np.isfinite(norm):
            break
    raise NotConverged(
        f"gradient per weight {norm:.3g} after {iteration} Newton steps, wanted {tolerance:.3g}"
    )


def near(problem: TieProblem, start: TieSolution, factor: Factor, *, tolerance: float) -> TieSolution:
    """Newton with the factor of a nearby problem, as a resample is; full Newton if that contracts slowly."""
    theta, beta, scale = start.theta, start.beta, problem.scale()
    for rounds in range(_CHORD_ROUNDS):
        gradient = problem.gradient(theta, beta)
        norm = float(np.max(np.abs(gradient) / scale))
        if norm <= tolerance:
            return _finish(problem, theta, beta, rounds, norm)
        step = factor.solve(gradient)
        theta, beta = theta + step[: problem.n], beta + float(step[problem.n]) if problem.is_free else beta
        if not np.isfinite(theta).all() or float(np.abs(step).max()) > 5.0:
            break
    return climb(problem, tolerance=tolerance)


def tie_is_finite(n: int, first: Ints, second: Ints, weight: Floats) -> bool:
    """True if the tie parameter has a finite estimate on a graph that hangs together by wins and ties.

    Let the tie parameter run off and the gaps between systems with it: every outcome seen stays likely only
    if each winner is at least one unit ahead of the loser and tied systems are at most one unit apart. Such
    strengths exist unless some closed chain passes more wins, winner to loser, than ties.
    """
    won, lost, tied = weight[FIRST_WON] > 0, weight[SECOND_WON] > 0, weight[TIED] > 0
    if (won & lost).any():
        return True
    winner = np.concatenate([first[won], second[lost]])
    loser = np.concatenate([second[won], first[lost]])
    wins = sparse.coo_array((np.ones(winner.size), (winner, loser)), shape=(n, n))
    if csgraph.connected_components(wins, connection="strong")[0] < n:
        return True
    tie = tied & ~won & ~lost
    both = np.concatenate([tied[won], tied[lost]])  # won and tied: the tie leads back only
    head = np.concatenate([winner, first[tie], second[tie], loser[both]])
    tail = np.concatenate([loser, second[tie], first[tie], winner[both]])
    cost = np.concatenate([-np.ones(winner.size), np.ones(head.size - winner.size)])
    graph = sparse.csr_array(sparse.coo_array((cost, (head, tail)), shape=(n, n)))
    try:
        csgraph.bellman_ford(graph, indices=0)
    except csgraph.NegativeCycleError:
        return True
    return False


def _start(problem: TieProblem) -> tuple[Floats, float]:
    theta = np.full(problem.n, _START_GROUND if problem.model.is_grounded else 0.0)
    if problem.fixed is not None:
        return theta, problem.fixed
    tied = float(problem.weight[TIED].sum())
    decided = float(problem.weight[[FIRST_WON, SECOND_WON]].sum() + problem.phantom.sum())
    return theta, float(np.log(tied / decided))


def _finish(problem: TieProblem, theta: Floats, beta: float, steps: int, norm: float) -> TieSolution:
    return TieSolution(theta - theta.mean() if problem.is_shift_free else theta, beta, steps, norm)
