"""Random orders that agree with the ballots as well as the noise allows: a sample of the posterior."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.ranking.arrays import Floats, Ints
from arena.ranking.sequential.noise import NoiseModel

_FIRST_ROOM = 16


class _Duels:
    """One item's ballots: int64[room, rivals] each; `sign` 1 = the item is ahead, -1 = behind, 0 = tied or
    empty.
    """

    def __init__(self) -> None:
        self.count = 0
        self.rival = np.zeros((_FIRST_ROOM, 0), dtype=np.int64)
        self.sign = np.zeros((_FIRST_ROOM, 0), dtype=np.int64)
        self.ballot = np.zeros(_FIRST_ROOM, dtype=np.int64)
        self.has_gaps = False

    def add(self, ballot: int, rivals: list[int], signs: list[int]) -> None:
        width = self.rival.shape[1]
        if width < len(rivals):
            grow = ((0, 0), (0, len(rivals) - width))
            self.has_gaps |= self.count > 0
            self.rival, self.sign = np.pad(self.rival, grow), np.pad(self.sign, grow)
        if self.count == len(self.ballot):
            self.rival, self.sign = _doubled(self.rival), _doubled(self.sign)
            self.ballot = _doubled(self.ballot)
        self.has_gaps |= 0 in signs or len(rivals) < width
        self.rival[self.count, : len(rivals)] = rivals
        self.sign[self.count, : len(rivals)] = signs
        self.ballot[self.count] = ballot
        self.count += 1


class Orders:
    """`chains` orders of n items, moved one item at a time by Gibbs sampling.

    position    int64[chains, n], 0 = best
    net         float64[n, n], weight of the ballots with the row ahead of the column, minus the opposite

    An item is taken out of each order and put back at a place drawn from its exact conditional distribution
    given the others, all n places at once: along the places a ballot's discordance changes only where the
    item passes a rival. Equal ballots are one row with their weights added.
    """

    def __init__(self, n: int, *, chains: int, model: NoiseModel, rng: np.random.Generator) -> None:
        self.model, self.rng = model, rng
        self.position: Ints = np.stack([rng.permutation(n) for _ in range(chains)])
        self.net = np.zeros((n, n))
        self._duels = [_Duels() for _ in range(n)]
        self._ballots: dict[tuple[tuple[int, int], ...], int] = {}
        self._kind = np.zeros(_FIRST_ROOM, dtype=np.int64)
        self._weight = np.zeros(_FIRST_ROOM)
        self._discordance = np.zeros((chains, _FIRST_ROOM), dtype=np.int64)

    def add_item(self) -> None:
        """A new item, anywhere."""
        chains, n = self.position.shape
        place = self.rng.integers(n + 1, size=chains)[:, None]
        self.position = np.hstack([self.position + (self.position >= place), place])
        self.net = np.pad(self.net, ((0, 1), (0, 1)))
        self._duels.append(_Duels())

    def add_ballot(self, members: list[int], ranks: list[int], weight: float) -> bool:
        """Take in a ballot; True if some order disagrees with it. Nothing moves yet."""
        pairs = [
            (x, y, (ranks[x] < ranks[y]) - (ranks[x] > ranks[y]))
            for x in range(len(members))
            for y in range(x + 1, len(members))
        ]
        strict = [pair for pair in pairs if pair[2]]
        if not strict:
            return False
        for x, y, sign in strict:
            self.net[members[x], members[y]] += sign * weight
            self.net[members[y], members[x]] -= sign * weight
        key = tuple(sorted(zip(members, ranks, strict=True)))
        if key not in self._ballots:
            self._append(key, members, pairs, strict)
        ballot = self._ballots[key]
        self._weight[ballot] += weight
        return bool(self._discordance[:, ballot].any())

    def seen(self) -> Floats:
        """float64[kinds, width]: mean over the orders of the ballots' weight by kind and discordance."""
        chains, count = len(self.position), len(self._ballots)
        kinds, width = self.model.table.shape
        cell = self._discordance[:, :count] + self._kind[:count] * width
        weight = np.broadcast_to(self._weight[:count], cell.shape)
        total = np.bincount(cell.ravel(), weights=weight.ravel(), minlength=kinds * width)
        return total.reshape(kinds, width) / chains

    def move(self, item: int) -> None:
        """Draw `item` a new place in every order, given the places of all others."""
        chains, n = self.position.shape
        old = self.position[:, [item]]
        others: Ints = self.position - (self.position > old)
        duels = self._duels[item]
        anywhere = duels.count == 0
        place = self.rng.integers(n, size=(chains,)) if anywhere else self._redraw(duels, others, old)
        others += others >= place[:, None]
        others[:, item] = place
        self.position = others

    def _redraw(self, duels: _Duels, others: Ints, old: Ints) -> Ints:
        """int64[chains]: new places for the item of `duels`, which stood at `old`, int64[chains, 1]; `others`
        are the places of all others without it. Its ballots' discordance is brought up to date.
        """
        chains, n = others.shape
        rival, sign = duels.rival[: duels.count], duels.sign[: duels.count]
        ballot = duels.ballot[: duels.count]
        ahead, behind = sign > 0, sign < 0
        at: NDArray[Any] = others[:, rival]
        passed = at < old[:, :, None]  # the item now stands after this rival
        if duels.has_gaps:
            at = np.where(sign == 0, n, at)
            own = ((passed & ahead) | (~passed & behind)).sum(axis=2)
        else:
            own = (passed == ahead).sum(axis=2)
        # Sorting one number holds a rival's place and the sign of passing it together.
        code: NDArray[Any] = at * 4 + (sign + 1)
        code.sort(axis=2)
        at, step = code >> 2, (code & 3) - 1
        level = np.empty((*at.shape[:2], at.shape[2] + 1), dtype=np.int64)
        level[:, :, 0] = self._discordance[:, ballot] - own + behind.sum(axis=1)
        np.cumsum(step, axis=2, out=level[:, :, 1:])
        level[:, :, 1:] += level[:, :, :1]
        value = self.model.table.ravel()[level + (self._kind[ballot] * self.model.width)[:, None]]
        change = (value[:, :, 1:] - value[:, :, :-1]) * self._weight[ballot][:, None]
        place = self._draw_place(at, change, n)
        now_ahead = (at < place[:, None, None]).sum(axis=2)
        row = np.arange(chains * duels.count).reshape(chains, -1) * level.shape[2]
        self._discordance[:, ballot] = level.ravel()[row + now_ahead]
        return place

    def _draw_place(self, at: Ints, change: Floats, n: int) -> Ints:
        """int64[chains]: a place by its likelihood, which changes by `change` on passing the rival `at`."""
        chains = len(at)
        row = (np.arange(chains) * (n + 2))[:, None, None]
        log = np.bincount((at + 1 + row).ravel(), weights=change.ravel(), minlength=chains * (n + 2))
        log = np.cumsum(log.reshape(chains, n + 2)[:, :n], axis=1)
        edge = np.cumsum(np.exp(log - log.max(axis=1, keepdims=True)), axis=1)
        draw = self.rng.random(chains) * edge[:, -1]
        place: Ints = np.minimum((edge < draw[:, None]).sum(axis=1), n - 1)
        return place

    def _append(
        self,
        key: tuple[tuple[int, int], ...],
        members: list[int],
        pairs: list[tuple[int, int, int]],
        strict: list[tuple[int, int, int]],
    ) -> None:
        ballot = self._ballots[key] = len(self._ballots)
        if ballot == self._kind.size:
            self._kind, self._weight = _doubled(self._kind), _doubled(self._weight)
            self._discordance = _doubled(self._discordance.T).T
        self._kind[ballot] = self.model.kind(len(members), len(strict))
        place = self.position[:, members]
        self._discordance[:, ballot] = sum(
            (place[:, x] > place[:, y]) if sign > 0 else (place[:, x] < place[:, y]) for x, y, sign in strict
        )
        signs: dict[tuple[int, int], int] = {}
        for x, y, sign in pairs:
            signs[x, y], signs[y, x] = sign, -sign
        for x, item in enumerate(members):
            rest = [y for y in range(len(members)) if y != x]
            self._duels[item].add(ballot, [members[y] for y in rest], [signs[x, y] for y in rest])


def _doubled(array: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([array, np.zeros_like(array)])
