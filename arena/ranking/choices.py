"""Plackett-Luce likelihoods of rankings as a chain of choices, with ties by Davidson-Luce. It knows stages of
choice and never a ballot's voter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from arena.ranking.arrays import Floats, Ints, sum_by

_CHUNK_CELLS = 1 << 20  # subsets times stages worked on at a time


@dataclass(frozen=True, eq=False)
class Rankings:
    """N ballots with m compared items each, best first.

    item        int64[m, N], positions of the items
    starts      bool[m, N], the item opens a new level; the others tie with the one before
    ballot      int64[N], which ballot it was
    """

    item: Ints
    starts: NDArray[np.bool_]
    ballot: Ints

    @property
    def is_untied(self) -> bool:
        return bool(self.starts.all())


@dataclass(frozen=True, eq=False)
class Stages:
    """S choices of the first `chosen` items out of the r that are left, tied among themselves.

    item        int64[r, S]
    ballot      int64[S]
    """

    item: Ints
    chosen: int
    ballot: Ints


class Menu(NamedTuple):
    """All sets that can be chosen out of r items: one row each.

    share       float64[q, r], 1 / size on the members
    order       float64[q, d], 1 in the column of the set's size, if it is above 1
    """

    share: Floats
    order: Floats


def menu(r: int, orders: tuple[int, ...]) -> Menu:
    """`orders` are the sizes of tied sets that the model knows, each 2 or more."""
    sets = [members for size in (1, *orders) if size <= r for members in combinations(range(r), size)]
    share, order = np.zeros((len(sets), r)), np.zeros((len(sets), len(orders)))
    for row, members in enumerate(sets):
        share[row, members] = 1.0 / len(members)
        if len(members) > 1:
            order[row, orders.index(len(members))] = 1.0
    return Menu(share, order)


def stages_of(rankings: list[Rankings]) -> list[Stages]:
    """The choices of all rankings; the last item alone is no choice."""
    found = []
    for group in rankings:
        m = group.item.shape[0]
        for start in range(m - 1):
            opens = group.starts[start]
            for end in range(start + 1, m + 1):
                ends = group.starts[end] if end < m else np.ones(opens.size, dtype=np.bool_)
                whole = opens & ends & ~group.starts[start + 1 : end].any(axis=0)
                if whole.any():
                    found.append(Stages(group.item[start:, whole], end - start, group.ballot[whole]))
    return found


class Terms(NamedTuple):
    """Derivatives of a log-likelihood in (theta, ln delta)."""

    gradient: Floats
    information: Floats | None


def stage_terms(
    n: int,
    stages: list[Stages],
    orders: tuple[int, ...],
    parameter: Floats,
    weight: Floats,
    *,
    curved: bool,
) -> Terms:
    """Sum over all choices; `parameter` is float64[n + d], `weight` float64 by ballot."""
    size = n + len(orders)
    gradient, information = np.zeros(size), np.zeros((size, size))
    for stage, part, sets, chance, mean, _ in _walk(n, stages, orders, parameter):
        item, share = stage.item[:, part], weight[stage.ballot[part]]
        target = _target(stage.item.shape[0], stage.chosen, orders)
        places = _places(item, n, len(orders))
        for row in range(places.shape[0]):
            gradient += sum_by(places[row], share * (target[row] - mean[row]), size)
        if not curved:
            continue
        feature = np.hstack([sets.share, sets.order])
        for j in range(places.shape[0]):
            for k in range(j, places.shape[0]):
                both = (feature[:, j] * feature[:, k]) @ chance - mean[j] * mean[k]
                block = sum_by(places[j] * size + places[k], share * both, size * size)
                information += block.reshape(size, size)
    upper = np.triu(information, 1) + np.tril(information, -1).T
    diagonal = np.diag(np.diag(information))
    return Terms(gradient, upper + upper.T + diagonal if curved else None)


def stage_log_likelihood(
    n: int, stages: list[Stages], orders: tuple[int, ...], parameter: Floats, weight: Floats
) -> float:
    """Sum over all choices of weight times ln P(choice)."""
    return sum(
        float(weight[step.stage.ballot[step.part]] @ step.log_chance)
        for step in _walk(n, stages, orders, parameter)
    )


class Scores(NamedTuple):
    """Entries of the scores of single choices, and of what each says of its parameter (the diagonal of the
    information): add them up by `ballot` and `column`.
    """

    ballot: Ints
    column: Ints
    value: Floats
    information: Floats


def stage_scores(
    n: int, stages: list[Stages], orders: tuple[int, ...], parameter: Floats, weight: Floats
) -> Iterator[Scores]:
    """The derivative of each choice's weighted log-likelihood by every parameter that it touches."""
    for stage, part, sets, chance, mean, _ in _walk(n, stages, orders, parameter):
        places = _places(stage.item[:, part], n, len(orders))
        target = _target(stage.item.shape[0], stage.chosen, orders)
        square = np.hstack([sets.share, sets.order]).T ** 2 @ chance
        share = weight[stage.ballot[part]]
        for row in range(places.shape[0]):
            value, information = share * (target[row] - mean[row]), share * (square[row] - mean[row] ** 2)
            yield Scores(stage.ballot[part], places[row], value, information)


class _Step(NamedTuple):
    stage: Stages
    part: slice
    sets: Menu
    chance: Floats
    mean: Floats
    log_chance: Floats


def _walk(n: int, stages: list[Stages], orders: tuple[int, ...], parameter: Floats) -> Iterator[_Step]:
    theta, delta = parameter[:n], parameter[n:]
    for stage in stages:
        r, count = stage.item.shape
        sets = menu(r, orders)
        constant = (sets.order @ delta)[:, None] if delta.size else np.zeros((sets.share.shape[0], 1))
        target = _target(r, stage.chosen, orders)
        chunk = max(1, _CHUNK_CELLS // sets.share.shape[0])
        for start in range(0, count, chunk):
            part = slice(start, start + chunk)
            strength = theta[stage.item[:, part]]
            utility = sets.share @ strength + constant
            total = logsumexp(utility, axis=0)
            chance = np.exp(utility - total)
            mean = np.vstack([sets.share.T @ chance, sets.order.T @ chance])
            chosen = target[:r] @ strength + (target[r:] @ delta if delta.size else 0.0)
            yield _Step(stage, part, sets, chance, mean, chosen - total)


def _target(r: int, chosen: int, orders: tuple[int, ...]) -> Floats:
    """float64[r + d], the features of the set that was chosen."""
    target = np.zeros(r + len(orders))
    target[:chosen] = 1.0 / chosen
    if chosen > 1:
        target[r + orders.index(chosen)] = 1.0
    return target


def _places(item: Ints, n: int, d: int) -> Ints:
    """int64[r + d, S], the parameter behind each feature."""
    shared = np.repeat(np.arange(n, n + d)[:, None], item.shape[1], axis=1)
    return np.vstack([item, shared])


@dataclass(frozen=True, eq=False)
class Untied:
    """Rankings without any tie: every stage's denominator is a running sum from the worst item up, so that
    subsets need not be listed.
    """

    n: int
    groups: list[Rankings]

    def log_likelihood(self, theta: Floats, weight: Floats | None) -> float:
        value = 0.0
        for group in self.groups:
            share = None if weight is None else weight[group.ballot]
            left = np.log(_running(group, theta, None, curved=False).left) + theta.max()
            logs = theta[group.item[:-1]].sum(axis=0) - left.sum(axis=0)
            value += float(logs.sum() if share is None else share @ logs)
        return value

    def terms(self, theta: Floats, weight: Floats | None, *, curved: bool) -> Terms:
        n, gradient = self.n, np.zeros(self.n)
        cross, diagonal = np.zeros(n * n), np.zeros(n)
        for group in self.groups:
            m, item = group.item.shape[0], group.item
            share = None if weight is None else weight[group.ballot]
            power, _, reach, reach2 = _running(group, theta, share, curved=curved)
            for j in range(m):
                through = power[j] * reach[min(j, m - 2)]
                if j < m - 1:
                    gradient += _count(item[j], share, n)
                gradient -= sum_by(item[j], through, n)
                if curved:
                    diagonal += sum_by(item[j], through - power[j] ** 2 * reach2[min(j, m - 2)], n)
            if not curved:
                continue
            for j in range(m - 1):
                lead = power[j] * reach2[j]
                for k in range(j + 1, m):
                    cross += sum_by(item[j] * n + item[k], lead * power[k], n * n)
        if not curved:
            return Terms(gradient, None)
        off = cross.reshape(n, n)
        return Terms(gradient, np.diag(diagonal) - off - off.T)

    def scores(self, theta: Floats, weight: Floats | None) -> Iterator[Scores]:
        for group in self.groups:
            m = group.item.shape[0]
            share = np.ones(group.ballot.size) if weight is None else weight[group.ballot]
            power, _, reach, reach2 = _running(group, theta, share, curved=True)
            for j in range(m):
                target, last = share if j < m - 1 else 0.0, min(j, m - 2)
                through = power[j] * reach[last]
                information = through - power[j] ** 2 * reach2[last]
                yield Scores(group.ballot, group.item[j], target - through, information)


class _Running(NamedTuple):
    """power float64[m, N]; left, reach, reach2 float64[m - 1, N]: sums of what is left at each stage, and
    running sums of weight / left and weight / left^2.
    """

    power: Floats
    left: Floats
    reach: Floats
    reach2: Floats


def _running(group: Rankings, theta: Floats, share: Floats | None, *, curved: bool) -> _Running:
    m, count = group.item.shape
    strength = np.exp(theta - theta.max())
    power = np.take(strength, group.item)
    left = np.empty((m - 1, count))
    np.add(power[m - 1], power[m - 2], out=left[m - 2])
    for j in range(m - 3, -1, -1):
        np.add(left[j + 1], power[j], out=left[j])
    reach = np.divide(1.0 if share is None else share, left)
    reach2 = np.divide(reach, left) if curved else reach
    for j in range(1, m - 1):
        reach[j] += reach[j - 1]
        if curved:
            reach2[j] += reach2[j - 1]
    return _Running(power, left, reach, reach2)


def _count(item: Ints, share: Floats | None, n: int) -> Floats:
    if share is None:
        return np.bincount(item, minlength=n).astype(np.float64)
    return sum_by(item, share, n)
