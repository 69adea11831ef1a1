"""Rules that ask what a vote would teach under the fitted model. They read strengths and covariance only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arena.ranking.arrays import Floats
from arena.ranking.errors import InvalidSetting, TooFewSystems
from arena.ranking.pairing.plan import PairPlan, SetPlan, check_positive, check_share, weighted_pairs
from arena.ranking.pairing.state import State

_NODES, _NODE_WEIGHT = np.polynomial.hermite_e.hermegauss(16)
_NODE_WEIGHT = _NODE_WEIGHT / _NODE_WEIGHT.sum()
WIDEST = 6
"""Systems in a set whose information is summed over all subsets: 2^6 of them."""


@dataclass(frozen=True)
class Information:
    """A pair by the information, in nats, that its vote is expected to carry about the strengths (Houlsby et
    al. 2011, arXiv:1112.5745): entropy of the vote minus its expected entropy given the gap, the gap being
    normal and the vote Bradley-Terry's. 16 Gauss-Hermite nodes: within 1e-4 nats where the gap's
    standard deviation is at most 2, within 2e-3 where it is at most 3.

    power       weight = information ** power; the higher, the nearer to always asking the best pair
    explore     share of draws that goes by the pulls alone
    """

    power: float = 4.0
    explore: float = 0.05

    def __post_init__(self) -> None:
        check_positive("power", self.power)
        check_share("explore", self.explore)

    def plan(self, state: State, k: int = 2) -> PairPlan:
        """Reads `theta` and `covariance`. Raises IncompleteState, TooFewSystems."""
        weight = _sharpened(pair_information(state), self.power)
        return weighted_pairs(state.items, weight, state.ready, self.explore)


@dataclass(frozen=True)
class WidestPreference:
    """A pair by the standard error of its win rate, p (1 - p) times that of the gap, to some power: asks
    where the preference is known least ("Sample Efficient Preference Alignment in LLMs via Active
    Exploration", which chooses the prompt, too: compare the states of several prompt clusters for that).

    power       the higher, the nearer to always asking the widest pair
    explore     share of draws that goes by the pulls alone
    """

    power: float = 4.0
    explore: float = 0.05

    def __post_init__(self) -> None:
        check_positive("power", self.power)
        check_share("explore", self.explore)

    def plan(self, state: State, k: int = 2) -> PairPlan:
        """Reads `theta` and `covariance`. Raises IncompleteState, TooFewSystems."""
        weight = _sharpened(preference_width(state), self.power)
        return weighted_pairs(state.items, weight, state.ready, self.explore)


@dataclass(frozen=True)
class InformationSets:
    """Sets that a ranking of k systems teaches most about: 1/2 ln det(I + V F), V = covariance of the
    set's strengths, F = Plackett-Luce's expected information at the strengths, exact over all orders.
    Each of the `starts` best pairs grows greedily, by the system that adds most.

    starts      pairs that grow; every set found is in the plan
    power       chance of a set = information ** power
    explore     share of draws that take any set
    """

    starts: int = 6
    power: float = 4.0
    explore: float = 0.05

    def __post_init__(self) -> None:
        if self.starts < 1:
            raise InvalidSetting(f"starts must be at least 1, not {self.starts}")
        check_positive("power", self.power)
        check_share("explore", self.explore)

    def plan(self, state: State, k: int = 2) -> SetPlan:
        """Reads `theta` and `covariance`. Raises IncompleteState, TooFewSystems, InvalidSetting (k > 6)."""
        if not 2 <= k <= WIDEST:
            raise InvalidSetting(f"sets hold 2 to {WIDEST} systems, not {k}")
        usable = np.flatnonzero(state.ready > 0.0)
        if usable.size < k:
            raise TooFewSystems(f"{usable.size} systems can be drawn, {k} are needed")
        found: dict[tuple[int, ...], float] = {}
        for pair in self._starts(state, usable):
            members = list(pair)
            while len(members) < k:
                others = np.setdiff1d(usable, members)
                sets = np.column_stack([np.tile(members, (others.size, 1)), others])
                gains = set_information(state, sets)
                members.append(int(others[gains.argmax()]))
            gain = float(set_information(state, np.array([members]))[0])
            found[tuple(sorted(members))] = max(gain, np.finfo(float).tiny)
        highest = max(found.values())
        chance = tuple(max((gain / highest) ** self.power, 1e-12) for gain in found.values())
        return SetPlan(state.items, tuple(found), chance, self.explore, tuple(usable.tolist()))

    def _starts(self, state: State, usable: NDArray[np.intp]) -> list[tuple[int, int]]:
        gain = pair_information(state)[np.ix_(usable, usable)]
        first, second = np.triu_indices(usable.size, 1)
        best = np.argsort(-gain[first, second], kind="stable")[: self.starts]
        return [(int(usable[first[i]]), int(usable[second[i]])) for i in best]


def pair_information(state: State) -> Floats:
    """float64[n, n], symmetric, nats: mutual information of a pair's vote and its gap."""
    n = len(state.items)
    first, second = np.triu_indices(n, 1)
    mean, sd = state.gap[first, second], np.sqrt(state.gap_variance[first, second])
    average, noise = np.zeros(mean.size), np.zeros(mean.size)
    for node, weight in zip(_NODES.tolist(), _NODE_WEIGHT.tolist(), strict=True):
        gap = np.abs(mean + node * sd)
        decay = np.exp(-gap)
        lost = decay / (1.0 + decay)
        average += weight * np.where(mean + node * sd > 0, 1.0 - lost, lost)
        noise += weight * (np.log1p(decay) + gap * lost)  # entropy of the vote at this gap
    gain = np.maximum(_entropy(average) - noise, 0.0)
    matrix = np.zeros((n, n))
    matrix[first, second] = matrix[second, first] = gain
    return matrix


def preference_width(state: State) -> Floats:
    """float64[n, n], symmetric, diagonal 0: standard error of each pair's win rate (delta method)."""
    decay = np.exp(-np.abs(state.gap))
    width = np.asarray(decay / (1.0 + decay) ** 2 * np.sqrt(state.gap_variance))
    np.fill_diagonal(width, 0.0)
    even: Floats = np.maximum(width, width.T)  # alike but for rounding; a plan is exactly symmetric
    return even


def set_information(state: State, sets: NDArray[np.integer]) -> Floats:
    """float64[c], nats, of each row of `sets` (int[c, k]): 1/2 ln det(I + V F)."""
    V = state.need_covariance()[sets[:, :, None], sets[:, None, :]]
    inner = np.eye(sets.shape[1]) + V @ ranking_information(state.need_theta()[sets])
    information: Floats = np.maximum(0.5 * np.linalg.slogdet(inner)[1], 0.0)
    return information


def ranking_information(theta: Floats) -> Floats:
    """float64[c, k, k]: expected information of one full Plackett-Luce ranking, for each row of strengths.

    Sum over all subsets of P(the subset is what is left to choose from) * (diag(p) - p p^T), p = chances of
    being chosen next; 2^k terms stand for the k! orders.
    """
    c, k = theta.shape
    strength = np.exp(theta - theta.max(axis=1, keepdims=True))
    left = {(1 << k) - 1: np.ones(c)}
    total = np.zeros((c, k, k))
    for subset in range((1 << k) - 1, 0, -1):
        members = [i for i in range(k) if subset >> i & 1]
        if len(members) < 2:
            continue
        reached = left[subset]
        chance = strength[:, members] / np.maximum(
            strength[:, members].sum(axis=1, keepdims=True), np.finfo(float).tiny
        )
        grid = np.ix_(range(c), members, members)
        total[grid] -= reached[:, None, None] * chance[:, :, None] * chance[:, None, :]
        for place, member in enumerate(members):
            total[:, member, member] += reached * chance[:, place]
            rest = subset & ~(1 << member)
            left[rest] = left.get(rest, 0.0) + reached * chance[:, place]
    return total


def _sharpened(worth: Floats, power: float) -> Floats:
    """What pairs are worth, in shares of the best pair's, to `power`: no power overflows."""
    highest = float(worth.max(initial=0.0))
    return np.asarray((worth / highest) ** power) if highest > 0.0 else worth


def _entropy(p: Floats) -> Floats:
    q = np.clip(p, 1e-300, 1.0)
    r = np.clip(1.0 - p, 1e-300, 1.0)
    entropy: Floats = -(q * np.log(q) + r * np.log(r))
    return entropy
