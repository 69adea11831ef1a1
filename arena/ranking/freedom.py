"""Degrees of freedom of a clustered interval, from how evenly clusters share the information, and the Student
quantile that they ask for. It reads no ballot and fits nothing.

A clustered variance is a mean over clusters: of few of them, or of one large and many small, it is itself so
unsure that the normal quantile is too narrow. Cluster g holds the share h_gk = d_gk / sum of d_k of what is
known of parameter k, d_gk the model's expected information in its comparisons. Its score of k is divided by
sqrt(1 - h_gk), which a leverage of that size takes off it, and the bounds of k take Student's t with

    nu_k = 1 / sum over g of h_gk^2 - 1

degrees of freedom: the effective number of clusters less 1. Of C clusters of one size it is C - 1, and the
variance then carries C / (C - 1).

The correction for leverage is Bell & McCaffrey's (2002, Survey Methodology 28:169-181), the degrees of
freedom follow Imbens & Kolesar (2016, REStat 98:701-712) and Pustejovsky & Tipton (2018, JBES 36:672-683).
Shares of one parameter's information in place of their matrices are ours: they cost one pass and cover as
well (`benchmarks/coverage`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, stdtr, stdtrit

from arena.ranking.arrays import Floats, Ints, sum_by

LEAST_ROOM = 1e-3
"""Least 1 - h: a cluster that alone met a system leaves nothing to divide by."""

_NORMAL = 1e9  # Student's t with so many degrees of freedom is the normal law


class Margin(NamedTuple):
    """Variance of one number, and its degrees of freedom."""

    variance: float
    freedom: float

    def width(self, quantile: float) -> float:
        """Half the interval as rare as the two-sided normal one with `quantile`."""
        return float(student(quantile, self.freedom)) * float(np.sqrt(max(self.variance, 0.0)))


def student(quantile: float, freedom: float | Floats) -> Floats:
    """float64 like `freedom`: the quantile of Student's t that is as rare as the normal `quantile`."""
    tail = np.maximum(ndtr(-quantile), 1e-300)  # below, the chance would round to 0 and lose its sign
    found: Floats = -stdtrit(np.minimum(freedom, _NORMAL), tail)
    return found


def student_chance(ratio: Floats, freedom: Floats) -> Floats:
    """float64 like both: the chance that Student's t is below `ratio`."""
    found: Floats = stdtr(np.minimum(freedom, _NORMAL), ratio)
    return found


def freedom_of(squares: Floats) -> Floats:
    """1 / sum of squared shares - 1, at least 1; inf where no cluster holds information, since nothing but
    the model then sets a bound.
    """
    with np.errstate(divide="ignore"):
        return np.maximum(1.0 / squares - 1.0, 1.0)


def least_freedom(of_items: list[Floats]) -> float | None:
    """The smallest finite one of a board, for its diagnostics; None if there is none."""
    found = np.concatenate([np.zeros(0), *of_items])
    found = found[np.isfinite(found)]
    return float(found.min()) if found.size else None


def squared_shares(weight: Floats) -> float:
    """Sum of the squared shares of clusters with these weights."""
    return float(weight @ weight / weight.sum() ** 2)


def by_comparisons(cluster: Ints, ends: tuple[Ints, Ints], weight: Floats, n: int) -> Floats:
    """float64[n], degrees of freedom of n items from the weights of their comparisons, for scores without a
    likelihood.

    cluster     int64[c], 0 or more, of each comparison
    ends        int64[c] each, its two items
    """
    place = np.tile(cluster, 2) * n + np.concatenate(ends)
    met, row = np.unique(place, return_inverse=True)
    held = sum_by(row, np.tile(weight, 2), met.size)
    total = sum_by(met % n, held, n)
    return freedom_of(sum_by(met % n, held**2, n) / np.where(total > 0, total**2, 1.0))


def raised(share: Floats) -> Floats:
    """1 / sqrt(1 - h), by which a cluster's score is multiplied."""
    return 1.0 / np.sqrt(np.maximum(1.0 - share, LEAST_ROOM))


def two_ways(variance: Floats, one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> Floats:
    """Satterthwaite's degrees of freedom of a sum: variance^2 / (V^2 / nu_V + P^2 / nu_P), at least 1.

    variance        the variance clustered two ways
    one, other      (variance, degrees of freedom) clustered each way
    """
    noise = one[0] ** 2 / one[1] + other[0] ** 2 / other[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = variance**2 / noise
    return np.maximum(np.where(noise > 0, found, np.inf), 1.0)
