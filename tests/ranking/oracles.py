"""The documented clustered covariance, cluster by cluster with dense matrices; it shares no code with the
library.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import t


class Clustered(NamedTuple):
    covariance: np.ndarray
    freedom: np.ndarray

    def width(self, level=0.95):
        """Half the interval of each parameter."""
        return t.ppf(0.5 + level / 2, self.freedom) * np.sqrt(np.diag(self.covariance))


def clustered(inverse, scores, information, code):
    """`scores` and `information` [votes, p] are each vote's own, `inverse` [p, p] that of all information."""
    total = information.sum(axis=0)
    meat, shares = np.zeros_like(inverse), []
    for cluster in np.unique(code):
        own = code == cluster
        share = information[own].sum(axis=0) / total
        score = scores[own].sum(axis=0) / np.sqrt(1 - share)
        meat += np.outer(score, score)
        shares.append(share)
    return Clustered(inverse @ meat @ inverse, 1 / np.square(shares).sum(axis=0) - 1)


def classical(inverse, scores, code):
    """The textbook's: every cluster alike, C / (C - 1), and the normal quantile."""
    summed = np.stack([scores[code == cluster].sum(axis=0) for cluster in np.unique(code)])
    count = len(summed)
    covariance = count / (count - 1) * inverse @ summed.T @ summed @ inverse
    return Clustered(covariance, np.full(inverse.shape[0], 1e9))


class Votes(NamedTuple):
    """Inverse information, and each vote's score and information."""

    inverse: np.ndarray
    scores: np.ndarray
    information: np.ndarray


def bradley_terry(ballots, weight):
    """The fit of a dense design matrix, one row a vote, ties half."""
    n, votes = len(ballots.items), len(ballots)
    design = np.zeros((votes, n))
    design[np.arange(votes), ballots.slot_item[0::2]] = 1.0
    design[np.arange(votes), ballots.slot_item[1::2]] = -1.0
    y = 0.5 + 0.5 * np.sign(ballots.slot_rank[1::2] - ballots.slot_rank[0::2])
    theta = np.zeros(n)
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ theta))
        hessian = design.T @ (design * (weight * p * (1 - p))[:, None])
        theta += np.linalg.solve(hessian + 1.0 / n, design.T @ (weight * (y - p)))
    inverse = np.linalg.pinv(hessian, rcond=1e-10)
    return Votes(inverse, design * (weight * (y - p))[:, None], design**2 * (weight * p * (1 - p))[:, None])


def both_ways(voter, prompt, both):
    """Covariances add and subtract; degrees of freedom by Satterthwaite's sum."""
    covariance = voter.covariance + prompt.covariance - both.covariance
    parts = [np.diag(way.covariance) ** 2 / way.freedom for way in (voter, prompt)]
    return Clustered(covariance, np.diag(covariance) ** 2 / sum(parts))
