"""A plan: what a rule decided, as a value that JSON can hold and from which battles are drawn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.ranking.arrays import Floats
from arena.ranking.errors import InvalidPlan, InvalidSetting, TooFewSystems
from arena.ranking.pairing.draw import Drawn, barred_positions, draw_by_weights, pick, shown, square


@dataclass(frozen=True, eq=False)
class PairPlan:
    """Chances of pairs.

    items           n names, unique
    probability     float64[n, n], symmetric, diagonal 0; the upper triangle sums to 1

    A battle of two is drawn by just this matrix. A larger one starts with a pair drawn by it; each further
    system comes by the sum of its chances with those already drawn (`draw_from_plan`).
    Raises InvalidPlan for a matrix that is not symmetric or not finite, TooFewSystems for one of zeros.
    """

    items: tuple[str, ...]
    probability: Floats

    def __post_init__(self) -> None:
        weight = square(self.probability, len(self.items)).copy()
        if not np.array_equal(weight, weight.T):
            raise InvalidPlan("a plan must be symmetric")
        np.fill_diagonal(weight, 0.0)
        total = float(weight.sum()) / 2.0
        if total <= 0.0:
            raise TooFewSystems("the plan gives no pair a weight")
        weight /= total
        weight.flags.writeable = False
        object.__setattr__(self, "probability", weight)

    def draw(self, rng: np.random.Generator, *, k: int = 2, exclude: Iterable[str] = ()) -> Drawn:
        """Draw `k` systems, none of them in `exclude`, with the exact chance of the set given `exclude`.

        Raises TooFewSystems, InvalidSetting (k below 2).
        """
        if k < 2:
            raise InvalidSetting(f"a plan draws at least 2 systems, not {k}")
        return draw_by_weights(self.items, self.probability, rng, k=k, exclude=exclude)

    def as_dict(self) -> dict[str, Any]:
        """JSON values; `plan_from_dict` reads them back without loss. Pairs row by row: 0-1, 0-2, …, 1-2."""
        upper = np.triu_indices(len(self.items), 1)
        return {"kind": "pairs", "items": list(self.items), "probability": self.probability[upper].tolist()}


@dataclass(frozen=True)
class SetPlan:
    """Chances of sets of one size.

    items       n names, unique
    sets        at least one; each k distinct positions in `items`
    chance      one number above 0 for each set; they are scaled to sum to 1
    explore     0…1, chance that instead any k of `open` are drawn, all such sets alike; without it a
                set outside `sets` has chance 0 and no inverse weight can make up for that
    open        positions that exploration may draw
    """

    items: tuple[str, ...]
    sets: tuple[tuple[int, ...], ...]
    chance: tuple[float, ...]
    explore: float
    open: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.sets or len(self.sets) != len(self.chance):
            raise InvalidPlan(f"{len(self.sets)} sets with {len(self.chance)} chances")
        n, k = len(self.items), len(self.sets[0])
        for members in (*self.sets, self.open):
            if len(set(members)) != len(members) or any(not 0 <= member < n for member in members):
                raise InvalidPlan(f"positions {members} are not distinct positions of {n} items")
        if k < 2 or any(len(members) != k for members in self.sets):
            raise InvalidPlan("sets must share one size of at least 2")
        if not all(math.isfinite(chance) and chance > 0 for chance in self.chance):
            raise InvalidPlan("every set needs a finite chance above 0")
        check_share("explore", self.explore)
        total = math.fsum(self.chance)
        object.__setattr__(self, "chance", tuple(chance / total for chance in self.chance))

    @cached_property
    def size(self) -> int:
        return len(self.sets[0])

    def draw(self, rng: np.random.Generator, *, k: int | None = None, exclude: Iterable[str] = ()) -> Drawn:
        """Draw a set without a system of `exclude`, with the exact chance of the set given `exclude`.

        Where no planned set is left, all is exploration. Raises InvalidSetting if `k` is not the plan's size,
        TooFewSystems if nothing can be drawn.
        """
        if k not in (None, self.size):
            raise InvalidSetting(f"the plan holds sets of {self.size}, not {k}")
        barred = set(barred_positions(self.items, exclude))
        planned = [index for index, members in enumerate(self.sets) if not barred.intersection(members)]
        allowed = [member for member in self.open if member not in barred]
        explore = self.explore if len(allowed) >= self.size else 0.0
        if not planned:
            if explore == 0.0:
                raise TooFewSystems("every planned set has an excluded system, and none is explored")
            explore = 1.0
        weight = np.array([self.chance[index] for index in planned])
        if rng.random() < explore:
            chosen = [allowed[i] for i in rng.choice(len(allowed), self.size, replace=False).tolist()]
        else:
            chosen = list(self.sets[planned[pick(weight, rng)]])
        probability = explore / math.comb(len(allowed), self.size) if set(chosen) <= set(allowed) else 0.0
        total = float(weight.sum())
        for index in planned:
            if set(self.sets[index]) == set(chosen):
                probability += (1.0 - explore) * self.chance[index] / total
        return shown(self.items, chosen, probability, rng)

    def as_pairs(self) -> PairPlan:
        """The same chances as a plan of pairs. Raises InvalidSetting for sets of more than two."""
        if self.size != 2:
            raise InvalidSetting(f"sets of {self.size} are no pairs")
        chance = np.zeros((len(self.items), len(self.items)))
        if self.explore and len(self.open) > 1:
            chance[np.ix_(self.open, self.open)] = self.explore / math.comb(len(self.open), 2)
        for (first, second), share in zip(self.sets, self.chance, strict=True):
            chance[first, second] += (1.0 - self.explore) * share
            chance[second, first] += (1.0 - self.explore) * share
        return PairPlan(self.items, chance)

    def as_dict(self) -> dict[str, Any]:
        """JSON values; `plan_from_dict` reads them back without loss."""
        return {
            "kind": "sets",
            "items": list(self.items),
            "sets": [list(members) for members in self.sets],
            "chance": list(self.chance),
            "explore": self.explore,
            "open": list(self.open),
        }


Plan = PairPlan | SetPlan
"""What every rule returns."""


def plan_from_dict(stored: Mapping[str, Any]) -> Plan:
    """The plan that `as_dict` stored. Raises InvalidPlan for anything else."""
    try:
        items = tuple(stored["items"])
        if stored["kind"] == "pairs":
            matrix = np.zeros((len(items), len(items)))
            matrix[np.triu_indices(len(items), 1)] = stored["probability"]
            return PairPlan(items, matrix + matrix.T)
        if stored["kind"] == "sets":
            sets = tuple(tuple(members) for members in stored["sets"])
            return SetPlan(items, sets, tuple(stored["chance"]), stored["explore"], tuple(stored["open"]))
    except (KeyError, TypeError, ValueError) as problem:
        raise InvalidPlan(f"not a stored plan: {problem}") from problem
    raise InvalidPlan(f"a plan is of kind 'pairs' or 'sets', not {stored['kind']!r}")


def check_share(name: str, value: float) -> None:
    """Raises InvalidSetting unless `value` lies in 0…1."""
    if not (math.isfinite(value) and 0.0 <= value <= 1.0):
        raise InvalidSetting(f"{name} must lie between 0 and 1, not {value}")


def check_positive(name: str, value: float) -> None:
    """Raises InvalidSetting unless `value` is finite and above 0."""
    if not (math.isfinite(value) and value > 0.0):
        raise InvalidSetting(f"{name} must be finite and above 0, not {value}")


def weighted_pairs(items: tuple[str, ...], weight: Floats, pull: NDArray[Any], explore: float) -> PairPlan:
    """Pairs by `weight` times both systems' `pull`, and in a share `explore` of the draws by the pulls alone.

    Where `weight` is 0 for every pair that can be drawn, the pulls alone decide if there is any exploration.
    """
    ready = np.outer(pull, pull)
    np.fill_diagonal(ready, 0.0)
    wanted = weight * ready
    total = float(wanted.sum())
    if explore == 0.0:
        return PairPlan(items, wanted)
    if total <= 0.0:
        return PairPlan(items, ready)
    if ready.sum() <= 0.0:
        raise TooFewSystems("fewer than two systems can be drawn")
    return PairPlan(items, (1.0 - explore) * (wanted / total) + explore * (ready / float(ready.sum())))
