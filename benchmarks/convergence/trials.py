"""One trial of each experiment: a seed in, numbers out. Nothing is written here."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.convergence.methods import Active, KSort, Luce, Method
from benchmarks.convergence.voters import LabelVoter, LuceVoter

SYSTEMS = 50
STAY = 600
LIMIT = 10_000
ELO_LIMIT = 100_000
ELO_K = 4.0
BUDGETS = (25, 50, 100, 200, 400, 800)
PRIOR = 0.1
"""Phantom weight of the Plackett-Luce fits under true noise."""


def method_named(name: str, n: int, rng: np.random.Generator, prior: float = 0.0) -> Method:
    """A fresh method of that row."""
    if name == "active":
        return Active(n, rng)
    if name in ("ksort", "ksort-adjacent"):
        return KSort(n, rng, adjacent_only=name == "ksort-adjacent")
    return Luce(n, rng, informed={"luce-random": False, "luce-information": True}[name], prior=prior)


def until_exact(name: str, k: int, noise: float, seed: int) -> dict[str, Any]:
    """Ballots after which the order was exact and stayed exact for STAY more; None where LIMIT came first."""
    rng = np.random.default_rng([seed, 7])
    truth = rng.permutation(SYSTEMS)
    if name == "elo":
        return {"ballots": _elo_until_exact(truth, noise, rng)}
    method = method_named(name, SYSTEMS, np.random.default_rng([seed, 8]))
    ballots = _settle(method, truth, k, noise, rng, STAY)
    extra = {"negative_variances": method.negative_variances} if isinstance(method, KSort) else {}
    return {"ballots": ballots, **extra}


def newcomer(name: str, k: int, noise: float, seed: int) -> dict[str, Any]:
    """Ballots until a 51st system, added to a settled order of 50, stands right and all stays exact."""
    rng = np.random.default_rng([seed, 9])
    truth = rng.permutation(SYSTEMS)
    method = method_named(name, SYSTEMS, np.random.default_rng([seed, 10]))
    if _settle(method, truth, k, noise, rng, STAY // 4) is None:
        return {"ballots": None, "settled": False}
    method.add()
    grown = np.insert(truth, int(rng.integers(SYSTEMS + 1)), SYSTEMS)
    return {"ballots": _settle(method, grown, k, noise, rng, STAY), "settled": True}


def kendall(name: str, k: int, spread: str, seed: int) -> dict[str, Any]:
    """Share of the pairs that stand the wrong way round after each of BUDGETS ballots of a Luce voter.

    spread      "even": neighbours are 60 : 40; "normal": standard deviation 1, i.e. 174 Elo points
    "active" also gives the Plackett-Luce fit on the ballots that it asked for.
    """
    rng = np.random.default_rng([seed, 11])
    even = np.log(1.5) * np.arange(SYSTEMS)
    theta = rng.permutation(even) if spread == "even" else rng.normal(size=SYSTEMS)
    voter, method = LuceVoter(theta), method_named(name, SYSTEMS, np.random.default_rng([seed, 12]), PRIOR)
    ballots: list[list[int]] = []
    own: list[float] = []
    fitted: list[float] = []
    for count in range(1, max(BUDGETS) + 1):
        ballots.append(voter.vote(method.show(k), rng))
        method.tell(ballots[-1])
        if count in BUDGETS:
            if isinstance(method, Luce):
                method.fit()
            own.append(wrong_pairs(method.order, theta))
            if name == "active":
                fit = Luce(SYSTEMS, rng, informed=False, prior=PRIOR)
                fit.ballots = ballots
                fit.fit()
                fitted.append(wrong_pairs(fit.order, theta))
    return {"wrong": own, "wrong_fitted": fitted} if name == "active" else {"wrong": own}


def wrong_pairs(order: NDArray[np.int64], theta: NDArray[np.float64]) -> float:
    """Kendall distance of an order from the true one, as a share of all pairs."""
    value = theta[order]
    n = value.size
    return float(np.triu(value[:, None] < value[None, :], 1).sum()) / (n * (n - 1) / 2)


def _settle(
    method: Method, truth: NDArray[np.int64], k: int, noise: float, rng: np.random.Generator, stay: int
) -> int | None:
    rank = np.empty(truth.size, dtype=np.int64)
    rank[truth] = np.arange(truth.size)
    voter, wrong = LabelVoter(rank, noise), 0
    for count in range(1, LIMIT + stay + 1):
        method.tell(voter.vote(method.show(k), rng))
        if not np.array_equal(method.order, truth):
            wrong = count
        if wrong >= LIMIT:
            return None
        if count - wrong >= stay + 1:
            return wrong + 1
    return None


def _elo_until_exact(truth: NDArray[np.int64], noise: float, rng: np.random.Generator) -> int | None:
    """Elo on random pairs. Systems are named by true rank here; the draw does not look at names."""
    n, wrong = truth.size, 0
    rating = [0.0] * n
    inverted = n - 1  # neighbours of the true order that stand level or the wrong way round

    def bad(upper: int) -> int:
        return int(0 <= upper < n - 1 and rating[upper] <= rating[upper + 1])

    size = ELO_LIMIT + STAY
    first = rng.integers(n, size=size).tolist()
    shift = rng.integers(1, n, size=size).tolist()
    upset = (rng.random(size) < noise / 2).tolist()  # half of the random ballots are right
    for count in range(1, size + 1):
        a, b = first[count - 1], (first[count - 1] + shift[count - 1]) % n
        if (a < b) == upset[count - 1]:
            a, b = b, a
        near = {a - 1, a, b - 1, b}
        before = sum(bad(i) for i in near)
        step = ELO_K / (1.0 + 10.0 ** ((rating[a] - rating[b]) / 400.0))
        rating[a] += step
        rating[b] -= step
        inverted += sum(bad(i) for i in near) - before
        if inverted:
            wrong = count
        if wrong >= ELO_LIMIT:
            return None
        if count - wrong >= STAY + 1:
            return wrong + 1
    return None
