"""Draw one battle and say exactly how likely it was; weights and generator come in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from arena.ranking.arrays import Floats
from arena.ranking.errors import InvalidPlan, InvalidSetting, TooFewSystems

Rule = Literal["least_compared", "uniform"]


@dataclass(frozen=True)
class Drawn:
    """Distinct systems in random display order.

    probability     exact chance with which this set, in whatever order, is drawn: inverse weights make a
                    board unbiased
    """

    items: tuple[str, ...]
    probability: float


def draw_battle(
    systems: Sequence[str],
    counts: NDArray[Any] | None,
    k: int,
    rng: np.random.Generator,
    *,
    rule: Rule = "least_compared",
    weights: Sequence[float] | Floats | None = None,
    exclude: Iterable[str] = (),
) -> Drawn:
    """Draw `k` of `systems`.

    counts      [n, n], how often systems met; read by "least_compared" only, where None means never
    weights     [n], how readily a system is drawn, 1 unless told; 0 never
    exclude     systems that must not be drawn now

    "uniform" draws one system after the other by weight. "least_compared" draws the first by weight and the
    others one after the other by weight / (1 + counts[first, other]). The probability sums over every order
    of drawing.

    Raises TooFewSystems, InvalidPlan (counts or weights of wrong shape or sign), InvalidSetting (rule, k).
    """
    if rule not in ("least_compared", "uniform"):
        raise InvalidSetting(f"rule must be 'least_compared' or 'uniform', not {rule!r}")
    pull = _pull(systems, weights, exclude)
    _check_size(k, int(np.count_nonzero(pull)))
    if rule == "uniform":
        chosen = _draw_in_turn(pull, k, rng)
        return shown(systems, chosen, _in_turn(pull[chosen], float(pull.sum())), rng)
    met = square(counts, len(systems)) if counts is not None else np.zeros((len(systems), len(systems)))
    first = pick(pull, rng)
    chosen = [first, *_draw_in_turn(_rivals(pull, met, first), k - 1, rng)]
    share = pull / pull.sum()
    probability = 0.0
    for leader in chosen:
        rivals = _rivals(pull, met, leader)
        others = [system for system in chosen if system != leader]
        probability += float(share[leader]) * _in_turn(rivals[others], float(rivals.sum()))
    return shown(systems, chosen, probability, rng)


def draw_from_plan(
    systems: Sequence[str],
    plan: NDArray[Any],
    rng: np.random.Generator,
    *,
    k: int = 2,
    exclude: Iterable[str] = (),
) -> Drawn:
    """Draw `k` of `systems` by a plan of pair weights.

    plan        [n, n] symmetric, not negative; the diagonal is ignored

    A pair is drawn by its weight; each further system by the sum of its weights with those already drawn.

    Raises TooFewSystems (also if the plan leads nowhere from the systems drawn), InvalidPlan, InvalidSetting
    (k).
    """
    if k < 2:
        raise InvalidSetting(f"a plan draws at least 2 systems, not {k}")
    matrix = square(plan, len(systems)).copy()
    if not np.array_equal(matrix, matrix.T):
        raise InvalidPlan("a plan must be symmetric")
    np.fill_diagonal(matrix, 0.0)
    return draw_by_weights(systems, matrix, rng, k=k, exclude=exclude)


def draw_by_weights(
    systems: Sequence[str], matrix: Floats, rng: np.random.Generator, *, k: int, exclude: Iterable[str]
) -> Drawn:
    """`draw_from_plan` for a matrix known to be symmetric and not negative, with diagonal 0; it is kept."""
    barred = barred_positions(systems, exclude)
    _check_size(k, len(systems) - len(barred))
    if barred:
        matrix = matrix.copy()
        matrix[barred] = matrix[:, barred] = 0.0
    readiness = matrix.sum(axis=1)
    total = float(readiness.sum()) / 2.0
    if total <= 0.0:
        raise TooFewSystems("the plan gives no pair a weight")
    chosen = [pick(readiness, rng)]
    chosen.append(pick(matrix[chosen[0]], rng))
    while len(chosen) < k:
        reach = matrix[chosen].sum(axis=0)
        reach[chosen] = 0.0
        if not reach.any():
            raise TooFewSystems(f"the plan leads to no system beyond the {len(chosen)} drawn")
        chosen.append(pick(reach, rng))
    return shown(systems, chosen, _by_plan(matrix, chosen, total), rng)


def barred_positions(systems: Sequence[str], exclude: Iterable[str]) -> list[int]:
    """Where the excluded systems stand. Raises InvalidPlan if a system is listed twice."""
    if len(set(systems)) != len(systems):
        raise InvalidPlan("a system is listed twice")
    names = set(exclude)
    return [position for position, system in enumerate(systems) if system in names] if names else []


def meeting_counts(systems: Sequence[str], met: Iterable[tuple[str, str, int]]) -> Floats:
    """float64[n, n], symmetric, from rows `(system, system, times)`; rows about other systems are ignored."""
    position = {system: index for index, system in enumerate(systems)}
    counts = np.zeros((len(systems), len(systems)))
    for a, b, times in met:
        i, j = position.get(a), position.get(b)
        if i is not None and j is not None and i != j:
            counts[i, j] += times
            counts[j, i] += times
    return counts


def _pull(systems: Sequence[str], weights: Sequence[float] | Floats | None, exclude: Iterable[str]) -> Floats:
    pull = np.ones(len(systems)) if weights is None else np.array(weights, dtype=np.float64)
    if pull.shape != (len(systems),) or not np.isfinite(pull).all() or (pull < 0).any():
        raise InvalidPlan("weights must be one finite number of 0 or more for each system")
    pull[barred_positions(systems, exclude)] = 0.0
    return pull


def _check_size(k: int, drawable: int) -> None:
    if k < 1:
        raise InvalidSetting(f"a battle needs at least 1 system, not {k}")
    if drawable < k:
        raise TooFewSystems(f"{drawable} systems can be drawn, {k} are needed")


def square(values: NDArray[Any], n: int) -> Floats:
    """`values` as float64[n, n]. Raises InvalidPlan if they are not, or not all finite and 0 or more."""
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.shape != (n, n) or (n and not (matrix.min() >= 0.0 and np.isfinite(matrix.sum()))):
        raise InvalidPlan(f"counts and plans must be {n} by {n} finite numbers of 0 or more")
    return matrix


def pick(weight: Floats, rng: np.random.Generator) -> int:
    """A position, drawn by weight; some weight is above 0."""
    edges = np.cumsum(weight)
    # A draw is below edges[-1] (rounding included), so the system found has a weight above 0.
    return int(
        np.searchsorted(edges, min(rng.random() * edges[-1], np.nextafter(edges[-1], 0.0)), side="right")
    )


def _draw_in_turn(weight: Floats, k: int, rng: np.random.Generator) -> list[int]:
    left = weight.copy()
    chosen: list[int] = []
    for _ in range(k):
        chosen.append(pick(left, rng))
        left[chosen[-1]] = 0.0
    return chosen


def _rivals(pull: Floats, met: Floats, first: int) -> Floats:
    rivals: Floats = pull / (1.0 + met[first])
    rivals[first] = 0.0
    return rivals


def _in_turn(weight: Floats, total: float) -> float:
    """Chance that drawing one after the other by weight, out of `total`, yields just these in any order."""

    def step(subset: int, member: int) -> float:
        gone = sum(values[i] for i in range(len(values)) if subset >> i & 1)
        return values[member] / (total - gone)

    values: list[float] = weight.tolist()
    return _over_orders(len(values), {0: 1.0}, step)


def _by_plan(matrix: Floats, chosen: list[int], total: float) -> float:
    among = matrix[np.ix_(chosen, chosen)]
    starts = {1 << i | 1 << j: float(among[i, j]) / total for i, j in combinations(range(len(chosen)), 2)}
    rows = matrix[chosen]
    rows[:, chosen] = 0.0
    beyond: list[float] = rows.sum(axis=1).tolist()
    inner: list[list[float]] = among.tolist()

    def step(subset: int, member: int) -> float:
        inside = [i for i in range(len(chosen)) if subset >> i & 1]
        waiting = [j for j in range(len(chosen)) if not subset >> j & 1]
        # Only sums of what is outside: a difference of large sums would lose a small reach.
        reach = sum(beyond[i] for i in inside) + sum(inner[i][j] for i in inside for j in waiting)
        return sum(inner[i][member] for i in inside) / reach if reach > 0 else 0.0

    return _over_orders(len(chosen), starts, step)


def _over_orders(k: int, starts: dict[int, float], step: Callable[[int, int], float]) -> float:
    """Sum over all orders of drawing by going through subsets (bit masks) of the k members: 2^k steps, not
    k!.
    """
    chance = dict(starts)
    for subset in range(1 << k):
        reached = chance.get(subset, 0.0)
        if reached == 0.0:
            continue
        for member in range(k):
            if not subset >> member & 1:
                grown = subset | 1 << member
                chance[grown] = chance.get(grown, 0.0) + reached * step(subset, member)
    return chance.get((1 << k) - 1, 0.0)


def shown(systems: Sequence[str], chosen: list[int], probability: float, rng: np.random.Generator) -> Drawn:
    """The chosen systems in random display order."""
    order = rng.permutation(len(chosen)).tolist()
    return Drawn(tuple(systems[chosen[i]] for i in order), probability)
