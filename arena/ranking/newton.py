"""Maximise a Bradley-Terry likelihood given by pair counts, to a small gradient or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import linalg

from arena.ranking.arrays import Floats, Ints, Runs, sum_by
from arena.ranking.errors import NotConverged

TOLERANCE = 1e-10
"""Largest gradient allowed, as a share of the item's total weight."""

MAX_ITERATIONS = 100
_LAST_STEP = 0.01  # natural-log units; where no maximum exists the gradient fades, but steps stay near 1
_MAX_HALVINGS = 40
_REUSED = 0.05  # a factor is kept while a step shrinks the gradient to this share or less
_CHORD_ROUNDS = 12


@dataclass(frozen=True, eq=False)
class PairProblem:
    """`first` scored `won` out of `total` weight against `second`; ties count half, phantoms are included.

    first, second   int64[P], items 0…n-1 of one connected graph
    won, total      float64[P], 0 < won < total on enough pairs that the graph of wins is strongly connected
    """

    n: int
    first: Ints
    second: Ints
    won: Floats
    total: Floats

    def probability(self, theta: Floats) -> Floats:
        """float64[P], P(first beats second) = 1 / (1 + exp(-(theta_first - theta_second)))."""
        share: Floats = 0.5 + 0.5 * np.tanh(0.5 * (theta[self.first] - theta[self.second]))
        return share

    def gradient(self, probability: Floats) -> Floats:
        """float64[n], derivative of the log-likelihood by theta."""
        return self.to_items(self.won - self.total * probability)

    def information(self, probability: Floats) -> Floats:
        """float64[P], each pair's weight in the negative Hessian."""
        weight: Floats = self.total * probability * (1.0 - probability)
        return weight

    def to_items(self, value: Floats) -> Floats:
        """float64[n], sum over pairs of `value` times (e_first - e_second)."""
        return self._by_first(value) - sum_by(self.second, value, self.n)

    def item_weight(self) -> Floats:
        """float64[n], total weight of each item's comparisons."""
        return self._by_first(self.total) + sum_by(self.second, self.total, self.n)

    @cached_property
    def _runs(self) -> Runs | None:
        return Runs.of(self.first)

    def _by_first(self, value: Floats) -> Floats:
        return sum_by(self.first, value, self.n) if self._runs is None else self._runs.sum(value, self.n)

    def log_likelihood(self, theta: Floats) -> float:
        """Sum over pairs of won * log P(first) + (total - won) * log P(second), natural logarithm."""
        gap = theta[self.first] - theta[self.second]
        softplus = np.maximum(gap, 0.0) + np.log1p(np.exp(-np.abs(gap)))  # six times as fast as logaddexp
        return float(self.won @ gap - self.total @ softplus)


class Solution(NamedTuple):
    """theta float64[n] with mean 0 (natural-log strengths), steps taken, and the largest gradient per item
    weight.
    """

    theta: Floats
    iterations: int
    gradient_norm: float


class Grounded(NamedTuple):
    """Cholesky factor of H + (trace(H) / n) * 11^T / n; H itself is singular along the constant shift."""

    factor: tuple[Floats, bool]

    def solve(self, right: Floats) -> Floats:
        """Solve against float64[n] or float64[n, k] columns that sum to 0; the answers sum to 0."""
        answer: Floats = linalg.cho_solve(self.factor, right, check_finite=False)
        return answer


def laplacian(n: int, first: Ints, second: Ints, weight: Floats) -> Floats:
    """float64[n, n], sum over pairs of weight * (e_first - e_second)(e_first - e_second)^T."""
    matrix = np.zeros((n, n))
    flat = matrix.reshape(-1)
    flat[first * n + second] = -weight
    flat[second * n + first] = -weight
    flat[:: n + 1] = sum_by(first, weight, n) + sum_by(second, weight, n)
    return matrix


def ground(hessian: Floats) -> Grounded:
    """Factorise a Laplacian of a connected graph; `hessian` is overwritten.

    Raises NotConverged if it is numerically singular beyond the constant shift.
    """
    n = hessian.shape[0]
    hessian += np.trace(hessian) / n**2
    try:
        return Grounded(linalg.cho_factor(hessian, lower=True, overwrite_a=True, check_finite=False))
    except linalg.LinAlgError as problem:
        raise NotConverged(f"the information matrix is singular: {problem}") from problem


def newton(problem: PairProblem, start: Floats | None = None, *, tolerance: float = TOLERANCE) -> Solution:
    """Damped Newton on the counts. The likelihood is strictly concave up to a shift, so the answer is the
    only one.

    A factor serves again as long as its steps shrink the gradient fast. A step is halved while it overshoots
    the maximum along its line by more than half the first slope.

    Raises NotConverged if in the end the gradient of some item is above `tolerance` times its weight, or if
    the scores still move while the gradient fades, as they do where no maximum exists.
    """
    scale = problem.item_weight()
    theta = _first_guess(problem, scale) if start is None else start
    probability = problem.probability(theta)
    gradient = problem.gradient(probability)
    norm = float(np.max(np.abs(gradient) / scale))
    moved, before = 0.0, 0.0
    factor: Grounded | None = None
    for iteration in range(MAX_ITERATIONS + 1):
        if norm <= tolerance and moved <= _LAST_STEP:
            return Solution(theta - theta.mean(), iteration, norm)
        if factor is None or not 0.0 < norm <= _REUSED * before:
            information = problem.information(probability)
            factor = ground(laplacian(problem.n, problem.first, problem.second, information))
        step = factor.solve(gradient)
        slope = float(gradient @ step)
        for _ in range(_MAX_HALVINGS):
            trial = theta + step
            probability = problem.probability(trial)
            gradient = problem.gradient(probability)
            if float(gradient @ step) >= -0.5 * slope:
                break
            step, slope = 0.5 * step, 0.5 * slope
        theta, moved = trial, float(np.max(np.abs(step)))
        before = norm
        norm = float(np.max(np.abs(gradient) / scale))
        if not np.isfinite(norm):
            break
    raise NotConverged(
        f"gradient per weight {norm:.3g} after {MAX_ITERATIONS} Newton steps, wanted {tolerance:.3g}"
    )


def _first_guess(problem: PairProblem, scale: Floats) -> Floats:
    """Log-odds of each item's share of wins: right if all had met an average rival."""
    won = sum_by(problem.first, problem.won, problem.n)
    won += sum_by(problem.second, problem.total - problem.won, problem.n)
    won = np.clip(won, 0.0, scale)  # where flips are corrected for, a share may lie outside
    guess: Floats = np.log((won + 0.5) / (scale - won + 0.5))
    return guess


def chord(problem: PairProblem, start: Floats, factor: Grounded, *, tolerance: float) -> Solution:
    """Newton with a factor from a nearby problem, as a resample is; full Newton if that does not contract
    fast.

    Raises NotConverged like `newton`.
    """
    theta, scale = start, problem.item_weight()
    for rounds in range(_CHORD_ROUNDS):
        gradient = problem.gradient(problem.probability(theta))
        norm = float(np.max(np.abs(gradient) / scale))
        if norm <= tolerance:
            return Solution(theta - theta.mean(), rounds, norm)
        theta = theta + factor.solve(gradient)
        if not np.isfinite(theta).all():
            theta = start
            break
    if float(np.ptp(theta)) > 2.0 * float(np.ptp(start)) + 20.0:
        theta = start
    return newton(problem, theta, tolerance=tolerance)
