"""Rules that read how near systems are: in strength, or in what they answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from arena.ranking.arrays import Floats
from arena.ranking.errors import InvalidSetting, TooFewSystems
from arena.ranking.pairing.plan import PairPlan, SetPlan, check_positive, check_share, weighted_pairs
from arena.ranking.pairing.state import State

MarginUnit = Literal["score", "standard_error"]


@dataclass(frozen=True)
class SmallMargin:
    """A pair by exp(-|gap| / temperature): near pairs teach more than far or random ones ("Not All Preference
    Pairs Are Created Equal", which asks for the smallest predicted margins).

    temperature     in units of `unit`
    unit            "score": natural-log units; "standard_error": of the gap, so that an uncertain far pair
                    counts as near
    explore         share of draws that goes by the pulls alone
    """

    temperature: float = 1.0
    unit: MarginUnit = "score"
    explore: float = 0.05

    def __post_init__(self) -> None:
        check_positive("temperature", self.temperature)
        check_share("explore", self.explore)
        if self.unit not in get_args(MarginUnit):
            raise InvalidSetting(f"unit must be one of {', '.join(get_args(MarginUnit))}, not {self.unit!r}")

    def plan(self, state: State, k: int = 2) -> PairPlan:
        """Reads `theta`, and `covariance` for "standard_error". Raises IncompleteState, TooFewSystems."""
        gap = np.abs(state.gap)
        if self.unit == "standard_error":
            gap = gap / np.sqrt(np.maximum(state.gap_variance, np.finfo(float).tiny))
        np.fill_diagonal(gap, np.inf)
        nearest = gap.min()  # taken off before exp, so that far boards do not underflow to a plan of zeros
        weight = np.exp(-(gap - nearest) / self.temperature) if np.isfinite(nearest) else np.zeros_like(gap)
        return weighted_pairs(state.items, (weight + weight.T) / 2.0, state.ready, self.explore)


@dataclass(frozen=True)
class Dissimilar:
    """A pair by its cosine distance (0…2) to some power: unlike answers are easier to judge and mislabelled
    less often (REAL: Response Embedding-based Alignment for LLMs).

    power       the higher, the more the most unlike pairs are favoured
    duplicate   pairs nearer than this are never drawn: they only buy ties
    """

    power: float = 1.0
    duplicate: float = 0.01

    def __post_init__(self) -> None:
        check_positive("power", self.power)
        check_share("duplicate", self.duplicate)

    def plan(self, state: State, k: int = 2) -> PairPlan:
        """Reads `embedding`. Raises IncompleteState, TooFewSystems (only duplicates are left)."""
        distance = cosine_distance(state.need_embedding())
        weight = np.where(distance < self.duplicate, 0.0, distance**self.power)
        return weighted_pairs(state.items, weight, state.ready, 0.0)


@dataclass(frozen=True)
class DiverseSet:
    """One set, good and varied: greedily the system with the highest theta + diversity * mean cosine distance
    to those chosen (in the manner of AEPO, Annotation-Efficient Preference Optimization).

    diversity   natural-log units of strength that a cosine distance of 1 is worth
    explore     share of draws that take any set
    """

    diversity: float = 1.0
    explore: float = 0.1

    def __post_init__(self) -> None:
        check_positive("diversity", self.diversity)
        check_share("explore", self.explore)

    def plan(self, state: State, k: int = 2) -> SetPlan:
        """Reads `theta` and `embedding`. Raises IncompleteState, TooFewSystems."""
        theta, distance = state.need_theta(), cosine_distance(state.need_embedding())
        chosen: list[int] = []
        barred = state.ready <= 0.0
        if int((~barred).sum()) < k:
            raise TooFewSystems(f"{int((~barred).sum())} systems can be drawn, {k} are needed")
        for _ in range(k):
            spread = distance[:, chosen].mean(axis=1) if chosen else np.zeros(theta.size)
            value = np.where(barred, -np.inf, theta + self.diversity * spread)
            chosen.append(int(value.argmax()))
            barred[chosen[-1]] = True
        return one_set(state, chosen, self.explore)


def one_set(state: State, chosen: list[int], explore: float) -> SetPlan:
    """The plan of a rule that knows what it wants; exploration draws from all systems with a pull."""
    usable = tuple(np.flatnonzero(state.ready > 0.0).tolist())
    return SetPlan(state.items, (tuple(chosen),), (1.0,), explore, usable)


def cosine_distance(vectors: Floats) -> Floats:
    """float64[n, n], 1 - cosine of the angle, exactly symmetric, 0…2."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = unit @ unit.T
    distance: Floats = np.clip(1.0 - (cosine + cosine.T) / 2.0, 0.0, 2.0)
    return distance
