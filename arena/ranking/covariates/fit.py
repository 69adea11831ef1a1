"""Maximise a likelihood with covariates, to a small gradient or not at all."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from arena.ranking.covariates.problem import CovariateProblem, Point
from arena.ranking.covariates.rows import Rows
from arena.ranking.errors import NotConverged, SeparatedCovariates
from arena.ranking.newton import MAX_ITERATIONS, TOLERANCE
from arena.ranking.tie_fit import Factor

_LAST_STEP = 0.01  # natural-log units of a comparison, as in the solver without covariates
_RUNAWAY_STEP = 0.5  # where no maximum exists the gradient fades while every step stays near 1
_RUNAWAY = 15.0  # natural-log units by which one covariate moves some comparison: odds of 3 million to 1
_MAX_HALVINGS = 40
_REUSED = 0.05  # keep a factor while a step shrinks the gradient to this share or less


class CovariateSolution(NamedTuple):
    """`point` with theta centred in each component, steps taken, largest gradient per weight."""

    point: Point
    iterations: int
    gradient_norm: float


def climb(
    problem: CovariateProblem,
    start: Point,
    *,
    factor: Factor | None = None,
    tolerance: float = TOLERANCE,
) -> CovariateSolution:
    """Damped Newton from `start`; a factor, of a nearby problem to begin with, is kept while it serves.

    The log-likelihood is concave in all parameters. A step is halved while it overshoots the maximum along
    its line by more than half the first slope. Raises SeparatedCovariates if a coefficient runs off,
    NotConverged otherwise, as the solver without covariates does.
    """
    point, scale = start, problem.scale()
    gradient = problem.gradient(point)
    norm, moved = float(np.max(np.abs(gradient) / scale)), 0.0
    for iteration in range(MAX_ITERATIONS + 1):
        if norm <= tolerance and moved > _RUNAWAY_STEP:
            break
        if norm <= tolerance and moved <= _LAST_STEP:
            return _centred(problem.rows, point, iteration, norm)
        try:
            factor = problem.factor(point) if factor is None else factor
        except NotConverged:
            break
        step = factor.solve(gradient)
        slope, halvings = float(gradient @ step), 0
        while True:
            trial = problem.after(point, step)
            gradient = problem.gradient(trial)
            if float(gradient @ step) >= -0.5 * slope or halvings == _MAX_HALVINGS:
                break
            step, slope, halvings = 0.5 * step, 0.5 * slope, halvings + 1
        point, moved, before = trial, problem.moved(step), norm
        norm = float(np.max(np.abs(gradient) / scale))
        if not np.isfinite(norm):
            break
        if halvings or norm > _REUSED * before:
            factor = None
    _raise_for(problem, point, norm, tolerance)
    raise AssertionError("unreachable")  # pragma: no cover


def _raise_for(problem: CovariateProblem, point: Point, norm: float, tolerance: float) -> None:
    drift = np.abs(point.gamma) * problem.reach
    running = [name for name, far in zip(problem.names, drift, strict=True) if not far <= _RUNAWAY]
    if running:
        raise SeparatedCovariates(
            f"{' and '.join(running)}: the votes follow it without exception where it decides, so its"
            " coefficient has no finite estimate; leave it out or gather votes against it"
        )
    raise NotConverged(f"gradient per weight {norm:.3g}, wanted {tolerance:.3g}")


def _centred(rows: Rows, point: Point, iterations: int, norm: float) -> CovariateSolution:
    theta = point.theta.copy()
    for block in rows.blocks:
        theta[block] -= theta[block].mean()
    return CovariateSolution(point._replace(theta=theta), iterations, norm)
