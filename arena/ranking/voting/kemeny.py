"""Kemeny's order: the strict order that contradicts the least weight of ballots, pair by pair. It reads duels
and says whether what it found is proven best.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from arena.ranking.arrays import Floats, Ints, sum_by
from arena.ranking.errors import InvalidSetting
from arena.ranking.voting.majority import Duels, tiers

EXACT_UP_TO = 14
MOST_EXACT = 16
"""Items of one tier that the dynamic programme is asked for, and the most it may be: 2^n sets are listed."""


class KemenyOrder(NamedTuple):
    """order        int64[n], best first
    cost        weight of the comparisons that put a lower item of the order above a higher one
    bound       no order costs less
    is_exact    the order is proven to cost least
    is_unique   no other order costs as little; None where not known
    """

    order: Ints
    cost: float
    bound: float
    is_exact: bool
    is_unique: bool | None


def kemeny(duels: Duels, *, exact_up_to: int = EXACT_UP_TO) -> KemenyOrder:
    """Find Kemeny's order (Kemeny 1959; Young & Levenglick 1978).

    Items of an earlier tier (`arena.ranking.majority.tiers`) stand above all of a later one in every best
    order (Truchon 1998's extended Condorcet criterion), so tiers are ordered on their own: up to
    `exact_up_to` items by dynamic programming over sets (Held & Karp 1962), else by moving single items
    until no move helps, which is a best order for certain only if it meets the bound. Among equals the order
    puts the item with the greater share of its duels first, then the one whose name comes first.

    `is_unique` is known where all tiers went through the sets.
    Raises InvalidSetting if `exact_up_to` is not in 0…16.
    """
    if not 0 <= exact_up_to <= MOST_EXACT:
        raise InvalidSetting(f"exact_up_to must lie between 0 and {MOST_EXACT}, not {exact_up_to}")
    slack = 0.0
    is_exact, is_unique = True, True
    preferred = preference(duels)
    orders: list[Ints] = [np.zeros(0, dtype=np.int64)]
    for tier in tiers(duels):
        members = tier[np.argsort(preferred[tier])]
        won = duels.won[np.ix_(members, members)]
        if members.size <= max(exact_up_to, 1):
            order, is_alone = _by_sets(won)
        else:
            order, is_alone = _by_moves(won), False
            above = cost_of(won, order) - float(np.minimum(won, won.T).sum() / 2.0)
            if above > _tolerance(won):
                is_exact, slack = False, slack + above
        orders.append(members[order])
        is_unique &= is_alone
    order = np.concatenate(orders)
    cost = cost_of(duels.won, order)
    by_sets = all(tier.size <= max(exact_up_to, 1) for tier in orders)
    return KemenyOrder(order, cost, cost - slack, is_exact, is_unique if by_sets else None)


def cost_of(won: Floats, order: Ints) -> float:
    """Weight in float64[n, n] `won` of comparisons that put a lower item of `order` above a higher one."""
    return float(np.tril(won[np.ix_(order, order)], -1).sum())


def preference(duels: Duels) -> Ints:
    """int64[n], place of each item by the share of all its duels won, ties half, most first; equal shares by
    name. An item that met nobody has 1/2.
    """
    met = duels.met.sum(axis=1)
    half = 0.5 * (duels.met + duels.won - duels.won.T).sum(axis=1)
    rate = np.where(met > 0.0, half / np.where(met > 0.0, met, 1.0), 0.5).round(12)
    place = np.empty(rate.size, dtype=np.int64)
    place[sorted(range(rate.size), key=lambda i: (-rate[i], duels.items[i]))] = np.arange(rate.size)
    return place


def _tolerance(won: Floats) -> float:
    return 1e-12 * float(won.sum())


def _by_sets(won: Floats) -> tuple[Ints, bool]:
    """The first best order, items numbered by preference, and whether it is the only one.

    best[S] is the least cost inside the set S, as bits: some x of S on top, then the best of S without x.
    """
    n, tolerance = won.shape[0], _tolerance(won)
    sets = np.arange(1 << n)
    on_top = np.zeros((1 << n, n))  # [S, x]: cost of x above all of S
    for item in range(n):
        on_top[1 << item : 2 << item] = on_top[: 1 << item] + won[item]
    best, ways = np.zeros(1 << n), np.ones(1 << n)
    size = np.bitwise_count(sets)
    for count in range(1, n + 1):
        chosen = sets[size == count]
        cost = np.full((chosen.size, n), np.inf)
        for top in range(n):
            row = np.flatnonzero(chosen >> top & 1)
            rest = chosen[row] ^ (1 << top)
            cost[row, top] = best[rest] + on_top[rest, top]
        best[chosen] = cost.min(axis=1)
        which, tops = np.nonzero(cost <= best[chosen, None] + tolerance)
        ways[chosen] = sum_by(which, ways[chosen[which] ^ (1 << tops)], chosen.size)
    order, left = [], (1 << n) - 1
    while left:
        order.append(_first_on_top(left, best, on_top, tolerance))
        left ^= 1 << order[-1]
    return np.array(order, dtype=np.int64), bool(ways[-1] == 1.0)


def _first_on_top(chosen: int, best: Floats, on_top: Floats, tolerance: float) -> int:
    for top in range(on_top.shape[1]):
        below = chosen ^ (1 << top)
        if chosen >> top & 1 and best[below] + on_top[below, top] <= best[chosen] + tolerance:
            return top
    raise AssertionError("some item must stand on top")  # pragma: no cover


def _by_moves(won: Floats) -> Ints:
    """The better of two local optima: from the order of preference and from that of duels won."""
    wins = (won > won.T).sum(axis=1)
    starts = (np.arange(won.shape[0]), np.argsort(-wins, kind="stable"))
    return min((_moved(won, start) for start in starts), key=lambda order: cost_of(won, order))


def _moved(won: Floats, order: Ints) -> Ints:
    """Move one item at a time, wherever it helps most, until nothing does."""
    tolerance = _tolerance(won)
    while True:
        lead = (won - won.T)[np.ix_(order, order)]
        passed = np.cumsum(lead, axis=1)
        here = passed.diagonal()[:, None]
        # Down to place q it passes those up to q, up to q those from q on: the latter sum ends before q.
        up = np.pad(passed[:, :-1], ((0, 0), (1, 0)))
        change = np.where(np.tri(order.size, k=-1, dtype=np.bool_), up, passed) - here
        start, end = divmod(int(change.argmin()), order.size)
        if change[start, end] >= -tolerance:
            return order
        order = np.insert(np.delete(order, start), end, order[start])
