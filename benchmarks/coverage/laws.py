"""The laws that votes are drawn from, written out from their papers. Nothing here calls `arena.ranking`, so
that a mistake there cannot hide here.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rng = np.random.Generator

PairLaw = Callable[[Floats, Floats], Floats]
"""Strengths of the left and of the right system, any one shape, to the chances float64[4, ...] that left
wins, right wins, they tie, both are bad.
"""


def davidson(nu: float) -> PairLaw:
    """Davidson (1970): pi_l : pi_r : nu sqrt(pi_l pi_r)."""

    def chances(left: Floats, right: Floats) -> Floats:
        half = (left - right) / 2
        parts = np.stack([np.exp(half), np.exp(-half), np.full_like(half, nu), np.zeros_like(half)])
        shares: Floats = parts / parts.sum(axis=0)
        return shares

    return chances


def rao_kupper(phi: float) -> PairLaw:
    """Rao & Kupper (1967): P(l beats r) = pi_l / (pi_l + phi pi_r)."""

    def chances(left: Floats, right: Floats) -> Floats:
        ratio = np.exp(right - left)
        won, lost = 1 / (1 + phi * ratio), 1 / (1 + phi / ratio)
        return np.stack([won, lost, 1 - won - lost, np.zeros_like(won)])

    return chances


def grounded(phi: float) -> PairLaw:
    """P2L's "bag" (Frick et al. 2025): P(l beats r) = pi_l / (pi_l + phi pi_r + 1), P(bad) = 1 / (1 + pi_l +
    pi_r), the rest is a tie.
    """

    def chances(left: Floats, right: Floats) -> Floats:
        a, b = np.exp(left), np.exp(right)
        won, lost, bad = a / (a + phi * b + 1), b / (b + phi * a + 1), 1 / (1 + a + b)
        return np.stack([won, lost, 1 - won - lost - bad, bad])

    return chances


def flipped(law: PairLaw, rate: float) -> PairLaw:
    """A decided vote is given the wrong way round with chance `rate`."""

    def chances(left: Floats, right: Floats) -> Floats:
        won, lost, tied, bad = law(left, right)
        return np.stack([(1 - rate) * won + rate * lost, (1 - rate) * lost + rate * won, tied, bad])

    return chances


def draw_outcomes(chances: Floats, rng: Rng) -> Ints:
    """int64[n] outcomes 0 to 3 from float64[4, n]."""
    drawn: Ints = (rng.random(chances.shape[1]) > np.cumsum(chances, axis=0)[:-1]).sum(axis=0)
    return drawn


def draw_ranks(strength: Floats, rng: Rng) -> Ints:
    """int64[n, K] ranks without ties, Plackett (1975): the order of strength plus Gumbel noise."""
    order = np.argsort(-(strength + rng.gumbel(size=strength.shape)), axis=1)
    ranks: Ints = np.argsort(order, axis=1) + 1
    return ranks


def draw_tied_ranks(strength: Floats, delta: dict[int, float], rng: Rng) -> Ints:
    """int64[n, K] ranks by Davidson-Luce (Turner et al. 2020): the best set S of those left is chosen with
    chance proportional to delta_|S| (prod of pi over S)^(1 / |S|), then the next out of the rest.
    """
    count, width = strength.shape
    sizes = [size for size in (1, *delta) if size <= width]
    sets = [members for size in sizes for members in combinations(range(width), size)]
    holds = np.array([[k in members for k in range(width)] for members in sets])
    constant = np.array([0.0 if len(members) == 1 else np.log(delta[len(members)]) for members in sets])
    value = strength @ (holds / holds.sum(axis=1, keepdims=True)).T + constant
    rank, left = np.zeros((count, width), dtype=np.int64), np.ones((count, width), dtype=np.bool_)
    while left.any():
        possible = (~left).astype(np.int64) @ holds.T.astype(np.int64) == 0
        noisy = np.where(possible, value + rng.gumbel(size=value.shape), -np.inf)
        chosen = holds[noisy.argmax(axis=1)] & left.any(axis=1, keepdims=True)
        # Competition ranks: one plus how many stand before.
        rank = np.where(chosen, 1 + width - left.sum(axis=1, keepdims=True), rank)
        left &= ~chosen
    return rank


def over_tastes(
    expect: Callable[[Floats, Floats], Floats], left: Floats, right: Floats, taste_sd: float, nodes: int = 48
) -> Floats:
    """Mean of `expect(left + t, right + u)`, float64[..., n], over independent normal tastes t and u
    (Gauss-Hermite quadrature in both).
    """
    if taste_sd == 0:
        return expect(left, right)
    root, weight = np.polynomial.hermite_e.hermegauss(nodes)
    share: Floats = weight / weight.sum()
    total: Any = 0.0
    for node, part in zip(root, share, strict=True):
        found = expect(left + taste_sd * node, right + taste_sd * root[:, None])  # [..., nodes, n]
        total = total + part * np.tensordot(found, share, axes=([-2], [0]))
    mean: Floats = total
    return mean
