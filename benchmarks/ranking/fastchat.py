"""FastChat's way to a Bradley-Terry board, written anew from its published description; not its code.

Names are numbered (pandas.factorize), rows of (a, b, outcome) are made unique (numpy.unique over rows), and
the summed log-loss of base 10 is minimised by L-BFGS from 0: at most 100 steps, gradient tolerance 1e-6.
A bootstrap replicate redraws the counts of the unique rows (multinomial) and divides them by their sum.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit, log_expit

ELO = 400.0
_BASE = np.log(10.0)
_OPTIONS = {"maxiter": 100, "gtol": 1e-6}
_SHARE = {"model_a": 2, "tie": 1, "model_b": 0}


class Rows(NamedTuple):
    """Unique rows: systems, share of a win for the first (0, 1/2, 1), and how often."""

    names: Any
    first: np.ndarray
    second: np.ndarray
    share: np.ndarray
    times: np.ndarray


def unique_rows(frame: pd.DataFrame) -> Rows:
    """From a frame of strings: model_a, model_b, winner."""
    n = len(frame)
    code, names = pd.factorize(pd.concat([frame["model_a"], frame["model_b"]]), sort=True)
    halves = frame["winner"].map(_SHARE).to_numpy()
    table = np.column_stack([code[:n], code[n:], halves]).astype(np.int32)
    rows, times = np.unique(table, axis=0, return_counts=True)
    return Rows(names, rows[:, 0], rows[:, 1], 0.5 * rows[:, 2], times.astype(np.float64))


def solve(rows: Rows, weight: np.ndarray) -> np.ndarray:
    """float64[n] in units of 400 Elo points."""
    n = len(rows.names)

    def loss(rating: np.ndarray) -> tuple[float, np.ndarray]:
        gap = _BASE * (rating[rows.first] - rating[rows.second])
        value = -(weight * (rows.share * log_expit(gap) + (1 - rows.share) * log_expit(-gap))).sum()
        slope = -_BASE * weight * (rows.share - expit(gap))
        return value, np.bincount(rows.first, slope, n) - np.bincount(rows.second, slope, n)

    found: np.ndarray = minimize(loss, np.zeros(n), jac=True, method="L-BFGS-B", options=_OPTIONS).x
    return found


def fit(frame: pd.DataFrame) -> np.ndarray:
    rows = unique_rows(frame)
    return solve(rows, rows.times)


def bootstrap(frame: pd.DataFrame, replicates: int, rng: np.random.Generator) -> np.ndarray:
    """float64[replicates, n]; one process, one replicate after the other."""
    rows = unique_rows(frame)
    total = int(rows.times.sum())
    drawn = rng.multinomial(total, rows.times / total, size=replicates) / total
    return np.stack([solve(rows, weight) for weight in drawn])
