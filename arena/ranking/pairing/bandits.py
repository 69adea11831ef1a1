"""Rules that weigh what is known against what might be: upper bounds and posterior draws."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from arena.ranking.arrays import Bools, Floats
from arena.ranking.errors import InvalidSetting, TooFewSystems
from arena.ranking.pairing.by_score import one_set
from arena.ranking.pairing.plan import PairPlan, SetPlan, check_share, weighted_pairs
from arena.ranking.pairing.state import State

KSORT_POINT = math.sqrt(2.0) * 25.0 / 6.0 / 1.702
"""K-Sort's points (beta = 25 / 6, normal noise) per natural-log unit: Phi(x) is nearly logistic(1.702 x)."""


@dataclass(frozen=True)
class KSortUcb:
    """K-Sort Arena's matchmaking (arXiv:2408.14468, equations 11-14) with the sign that works: the system
    with the fewest meetings meets the k - 1 with the largest U = -|S_i - S_q| + alpha sqrt(ln N / n_iq), with
    S = theta - eta standard deviations, N = ballots so far, n_iq = meetings; those never met come first, the
    nearest before the others. The paper prints a plus, with which the order never settles.

    alpha       weight of exploration, natural-log units; the default is the paper's 1 K-Sort point
    eta         standard deviations taken off each score
    explore     share of draws that take any set: without it the rule gives one set for sure and inverse
                probability weights are impossible
    """

    alpha: float = 1.0 / KSORT_POINT
    eta: float = 3.0
    explore: float = 0.1

    def __post_init__(self) -> None:
        if not (math.isfinite(self.alpha) and self.alpha >= 0):
            raise InvalidSetting(f"alpha must be finite and not negative, not {self.alpha}")
        if not (math.isfinite(self.eta) and self.eta >= 0):
            raise InvalidSetting(f"eta must be finite and not negative, not {self.eta}")
        check_share("explore", self.explore)

    def plan(self, state: State, k: int = 2) -> SetPlan:
        """Reads `met`, `theta`, `covariance`. Ties go to the earlier item. Raises IncompleteState,
        TooFewSystems.
        """
        usable = _usable(state, k)
        score = state.need_theta() - self.eta * np.sqrt(np.maximum(np.diag(state.need_covariance()), 0.0))
        met = state.met * np.outer(usable, usable)
        np.fill_diagonal(met, 0.0)
        pivot = int(np.where(usable, met.sum(axis=1), np.inf).argmin())
        ballots = max(float(met.sum()) / (k * (k - 1)), 1.0)
        near = -np.abs(score - score[pivot])
        times = met[pivot]
        value = near + self.alpha * np.sqrt(math.log(ballots) / np.maximum(times, 1.0))
        rank = np.lexsort((-np.where(times > 0, value, near), times > 0))
        rivals = [i for i in rank.tolist() if usable[i] and i != pivot]
        return one_set(state, [pivot, *rivals[: k - 1]], self.explore)


@dataclass(frozen=True)
class Thompson:
    """Double Thompson sampling: draw strengths from N(theta, covariance), take the best; draw again until
    another one is best. A dueling bandit for finding the best system, not for ordering the rest.

    draws       posterior draws from which a system's chance of being best is counted
    seed        of these draws; the plan is a function of the state and the settings
    explore     share of draws that goes by the pulls alone

    With b = chance of being best among the `draws`, P(i, j) = b_i b_j / (1 - b_i) + b_i b_j / (1 - b_j). The
    battle is drawn with exactly the probability that is stated; what is approximate is b, with a standard
    error of at most 0.5 / sqrt(draws), which gives 0.022 at the default of 512.
    """

    draws: int = 512
    seed: int = 0
    explore: float = 0.1

    def __post_init__(self) -> None:
        if self.draws < 1:
            raise InvalidSetting(f"draws must be at least 1, not {self.draws}")
        check_share("explore", self.explore)

    def plan(self, state: State, k: int = 2) -> PairPlan:
        """Reads `theta` and `covariance`. Raises IncompleteState, TooFewSystems."""
        usable = _usable(state, 2)
        best = self.chance_best(state.need_theta(), state.need_covariance(), usable)
        only = best >= 1.0
        if only.any():  # no draw makes another one best: its rivals are alike
            best = np.where(only, 1.0, 0.0)
            weight = np.add.outer(best, best)
        else:
            odds = best / (1.0 - best)
            weight = np.outer(odds, best) + np.outer(best, odds)
        return weighted_pairs(state.items, weight, usable.astype(np.float64), self.explore)

    def chance_best(self, theta: Floats, covariance: Floats, usable: Bools) -> Floats:
        """float64[n], share of the draws in which each usable system is the best."""
        value, vector = np.linalg.eigh(covariance)
        root = vector * np.sqrt(np.maximum(value, 0.0))
        normal = np.random.default_rng(self.seed).standard_normal((self.draws, theta.size))
        drawn = np.where(usable, theta + normal @ root.T, -np.inf)
        share: Floats = np.bincount(drawn.argmax(axis=1), minlength=theta.size) / self.draws
        return share


@dataclass(frozen=True)
class OptimisticRival:
    """The best system so far meets the k - 1 with the highest theta + nu standard deviations of their gap to
    it (APOHF, Prompt Optimization with Human Feedback). For picking one winner, such as a system prompt.

    nu          standard deviations of optimism
    explore     share of draws that take any set
    """

    nu: float = 2.0
    explore: float = 0.1

    def __post_init__(self) -> None:
        if not (math.isfinite(self.nu) and self.nu >= 0):
            raise InvalidSetting(f"nu must be finite and not negative, not {self.nu}")
        check_share("explore", self.explore)

    def plan(self, state: State, k: int = 2) -> SetPlan:
        """Reads `theta` and `covariance`. Raises IncompleteState, TooFewSystems."""
        usable = _usable(state, k)
        theta = np.where(usable, state.need_theta(), -np.inf)
        best = int(theta.argmax())
        bound = theta + self.nu * np.sqrt(state.gap_variance[best])
        bound[best] = -np.inf
        rivals = np.argsort(-bound, kind="stable")[: k - 1].tolist()
        return one_set(state, [best, *rivals], self.explore)


def _usable(state: State, k: int) -> Bools:
    if k < 2:
        raise InvalidSetting(f"a battle needs at least 2 systems, not {k}")
    usable: Bools = state.ready > 0.0
    if int(usable.sum()) < k:
        raise TooFewSystems(f"{int(usable.sum())} systems can be drawn, {k} are needed")
    return usable
