"""The two classic fixed-point solvers of Bradley-Terry, beside Newton's: they reach the same maximum, more
slowly, and are there to check it. They know pair counts and no ties.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from arena.ranking.arrays import Floats
from arena.ranking.errors import NotConverged
from arena.ranking.newton import TOLERANCE, PairProblem, Solution

MAX_SWEEPS = 100_000

Sweep = Callable[[Floats, Floats], Floats]
"""New strengths pi float64[n] from old ones; won float64[n, n] is what the row won against the column."""


def zermelo(problem: PairProblem, *, tolerance: float = TOLERANCE) -> Solution:
    """pi_i = W_i / sum_j n_ij / (pi_i + pi_j), all at once (Zermelo 1929; a minorise-maximise step, Hunter
    2004, Annals of Statistics 32:384-406): the likelihood never falls.

    Raises NotConverged as `arena.ranking.newton.newton` does, on the same gradient.
    """
    return _swept(problem, _zermelo, tolerance)


def newman(problem: PairProblem, *, tolerance: float = TOLERANCE) -> Solution:
    """pi_i = sum_j w_ij pi_j / (pi_i + pi_j) over sum_j w_ji / (pi_i + pi_j), one item after the other, ties
    as half a win each (Newman 2023, JMLR 24(238):1-25): the same maximum, often in a tenth of the sweeps.

    Raises NotConverged as `arena.ranking.newton.newton` does, on the same gradient.
    """
    return _swept(problem, _newman, tolerance)


def _zermelo(strength: Floats, won: Floats) -> Floats:
    updated: Floats = won.sum(axis=1) / ((won + won.T) / (strength[:, None] + strength)).sum(axis=1)
    return updated


def _newman(strength: Floats, won: Floats) -> Floats:
    updated = strength.copy()
    lost = won.T
    for i in range(updated.size):
        reach = 1.0 / (updated[i] + updated)
        updated[i] = (won[i] @ (updated * reach)) / (lost[i] @ reach)
    return updated


def _swept(problem: PairProblem, sweep: Sweep, tolerance: float) -> Solution:
    n = problem.n
    won = np.zeros((n, n))
    won[problem.first, problem.second] = problem.won
    won[problem.second, problem.first] = problem.total - problem.won
    strength, scale, norm = np.ones(n), problem.item_weight(), np.inf
    for sweeps in range(MAX_SWEEPS + 1):
        theta = np.log(strength)
        norm = float(np.max(np.abs(problem.gradient(problem.probability(theta))) / scale))
        if norm <= tolerance:
            return Solution(theta - theta.mean(), sweeps, norm)
        if not np.isfinite(norm):
            break
        strength = sweep(strength, won)
        strength /= np.exp(np.log(strength).mean())
    raise NotConverged(f"gradient per weight {norm:.3g} after {sweeps} sweeps, wanted {tolerance:.3g}")
