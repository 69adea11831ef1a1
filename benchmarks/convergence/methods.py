"""The rows of the experiment. Each is asked what to show, told the ballot and asked for its order."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from arena.ranking import Ballots, PlackettLuce, Sandwich
from arena.ranking.pairing import InformationSets, Plan, State
from arena.ranking.sequential import ActiveRanker

Order = NDArray[np.int64]


class Method(Protocol):
    """Systems are numbers 0…n-1 that say nothing about their quality."""

    order: Order

    def show(self, k: int) -> list[int]: ...

    def tell(self, ballot: list[int]) -> None: ...

    def add(self) -> None: ...


class Active:
    """`arena.ranking.sequential.ActiveRanker`, all settings as they come."""

    def __init__(self, n: int, rng: np.random.Generator) -> None:
        self.ranker = ActiveRanker([str(i) for i in range(n)], rng)
        self.order = self._order()

    def show(self, k: int) -> list[int]:
        return [int(name) for name in self.ranker.choose(k)]

    def tell(self, ballot: list[int]) -> None:
        self.ranker.tell([str(i) for i in ballot])
        self.order = self._order()

    def add(self) -> None:
        self.ranker.add(str(len(self.ranker.items)))
        self.order = self._order()

    def _order(self) -> Order:
        return np.array([int(name) for name in self.ranker.order])


class KSort:
    """K-Sort Arena's Bayesian update (arXiv:2408.14468, equations 9-10) and matchmaking with the minus sign.

    adjacent_only   each system learns from its neighbours in the ballot alone (a TrueSkill chain), not from
                    all others
    mu 25, sigma 25 / 3, beta 25 / 6, eta 3, alpha 1; the order is by mu - 3 sigma. A variance that the
    printed equation makes negative is counted and set to 1e-4 of its old value.
    """

    MU, SIGMA, BETA, ETA, ALPHA, FLOOR = 25.0, 25.0 / 3, 25.0 / 6, 3.0, 1.0, 1e-4

    def __init__(self, n: int, rng: np.random.Generator, *, adjacent_only: bool) -> None:
        self.rng, self.adjacent_only = rng, adjacent_only
        self.mu, self.var = np.full(n, self.MU), np.full(n, self.SIGMA**2)
        self.met = np.zeros((n, n))
        self.ballots = self.negative_variances = 0
        self.order = rng.permutation(n)

    def show(self, k: int) -> list[int]:
        pivot = _first_least(self.met.sum(axis=1), self.rng)
        score = self.mu - self.ETA * np.sqrt(self.var)
        times = self.met[pivot]
        bonus = np.sqrt(np.log(max(self.ballots, 1)) / np.maximum(times, 1.0))
        value = -np.abs(score - score[pivot]) + self.ALPHA * bonus
        value[times == 0] += 1e9
        value[pivot] = -np.inf
        value += self.rng.random(value.size) * 1e-9
        return [pivot, *np.argsort(-value)[: k - 1].tolist()]

    def tell(self, ballot: list[int]) -> None:
        self.ballots += 1
        self.met[np.ix_(ballot, ballot)] += 1.0
        self.met[ballot, ballot] = 0.0
        k, mu, var = len(ballot), self.mu[ballot], self.var[ballot]
        ahead, behind = np.triu_indices(k, 1)
        if self.adjacent_only:
            ahead, behind = np.arange(k - 1), np.arange(1, k)
        c2 = 2 * self.BETA**2 + var[ahead] + var[behind]
        c = np.sqrt(c2)
        x = (mu[ahead] - mu[behind]) / c
        v = np.exp(-0.5 * x * x - 0.5 * np.log(2 * np.pi) - log_ndtr(x))
        w = v * (v + x)
        push, shrink = np.zeros(k), np.zeros(k)
        np.add.at(push, ahead, v / c)
        np.add.at(push, behind, -v / c)
        np.add.at(shrink, ahead, w / c2)
        np.add.at(shrink, behind, w / c2)
        left = 1.0 - var * shrink
        self.negative_variances += int((left <= 0).sum())
        self.mu[ballot] = mu + var * push
        self.var[ballot] = var * np.where(left > 0, left, self.FLOOR)
        self.order = np.argsort(-(self.mu - self.ETA * np.sqrt(self.var)), kind="stable")

    def add(self) -> None:
        self.mu, self.var = np.append(self.mu, self.MU), np.append(self.var, self.SIGMA**2)
        self.met = np.pad(self.met, ((0, 1), (0, 1)))
        self.order = np.argsort(-(self.mu - self.ETA * np.sqrt(self.var)), kind="stable")


class Luce:
    """`arena.ranking.PlackettLuce` on all ballots so far, refitted every `refit` ballots.

    informed    sets by `arena.ranking.pairing.InformationSets` after the first n ballots, else at random
    prior       the model's phantom weight on every observed pair
    """

    def __init__(
        self, n: int, rng: np.random.Generator, *, informed: bool, refit: int = 10, prior: float = 0.0
    ) -> None:
        self.n, self.rng, self.informed, self.refit = n, rng, informed, refit
        self.model = PlackettLuce(prior=prior)
        self.names = tuple(f"{i:03d}" for i in range(n))
        self.ballots: list[list[int]] = []
        self.plan: Plan | None = None
        self.order = rng.permutation(n)

    def show(self, k: int) -> list[int]:
        if self.plan is None:
            return [int(i) for i in self.rng.choice(self.n, k, replace=False)]
        return [int(name) for name in self.plan.draw(self.rng, k=k).items]

    def tell(self, ballot: list[int]) -> None:
        self.ballots.append(ballot)
        if len(self.ballots) % self.refit == 0:
            self.fit()

    def fit(self) -> None:
        wants_plan = self.informed and len(self.ballots) >= self.n
        votes = full_rankings(self.names, self.ballots)
        board = self.model.fit(votes, Sandwich() if wants_plan else None)
        self.order = np.array([int(rating.item) for rating in board.ratings])
        if wants_plan:
            state = State.from_ranking(self.names, board, np.zeros((self.n, self.n)), prior_sd=3.0)
            self.plan = InformationSets().plan(state, len(self.ballots[0]))

    def add(self) -> None:
        raise NotImplementedError("no newcomer row for this method")


def full_rankings(names: tuple[str, ...], ballots: list[list[int]]) -> Ballots:
    """Ballots without ties, all of one size, each best first."""
    k = len(ballots[0])
    return Ballots(
        items=names,
        offsets=np.arange(0, k * len(ballots) + 1, k),
        slot_item=np.array(ballots, dtype=np.int32).ravel(),
        slot_rank=np.tile(np.arange(1, k + 1, dtype=np.int16), len(ballots)),
        all_bad=np.zeros(len(ballots), dtype=np.bool_),
        weight=np.ones(len(ballots)),
    )


def _first_least(values: NDArray[np.float64], rng: np.random.Generator) -> int:
    return int(rng.choice(np.flatnonzero(values == values.min())))
