"""Draws other outcomes of the same battles in which every item wins as often as it did: what chance does
under Bradley-Terry, whatever the strengths. It fits nothing.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph
from scipy.special import gammaln

from arena.ranking.arrays import Floats, Ints

SWEEPS = 20
"""How often a chain tries as many moves as there are pairs."""


class Cycles(NamedTuple):
    """Closed walks over observed pairs, one after the other.

    start       int64[m + 1], cycle c owns `start[c]:start[c + 1]`
    pair        int64[sum of lengths], pairs in order
    sign        int64[same], -1 where the walk passes a pair against its stored direction
    """

    start: Ints
    pair: Ints
    sign: Ints


@dataclass(frozen=True, eq=False)
class Fibre:
    """All tables of wins on the same votes with the same total of wins for every item.

    met         int64[P], votes on each pair
    spread      float64[P], variance of its wins; sets the size of steps and nothing else
    cycles      moves: one win more along a cycle and one less against it keeps every total

    Under Bradley-Terry the totals are sufficient, so given them a table has probability proportional to the
    product of binomial (met, won), free of any strength (Diaconis & Sturmfels 1998, Ann. Statist. 26:363).
    """

    met: Ints
    spread: Floats
    cycles: Cycles

    def draw(self, won: Ints, draws: int, rng: np.random.Generator, *, sweeps: int = SWEEPS) -> Ints:
        """int64[draws, P], tables exchangeable with `won` int64[P] under Bradley-Terry.

        From `won` a Metropolis chain runs backwards to a hub, from which `draws` chains run forwards through
        the same moves (Besag & Clifford 1989, Biometrika 76:633-642). So a rank test against the draws has
        its level however long the chains are, even if their moves do not reach every table; longer chains
        only gain power.
        """
        if not self.cycles.start[1:].size:
            return np.repeat(won[None], draws, axis=0)
        batches = self._batches(max(1, sweeps) * won.size, rng)
        log_factorial = gammaln(np.arange(int(self.met.max(initial=0)) + 2) + 1.0)
        hub = won[:, None].copy()
        for batch in reversed(batches):
            self._move(hub, batch, log_factorial, rng)
        # One column a chain: the wins of a pair lie side by side.
        tables = np.repeat(hub, draws, axis=1)
        for batch in batches:
            self._move(tables, batch, log_factorial, rng)
        return tables.T

    def _batches(self, moves: int, rng: np.random.Generator) -> list[_Batch]:
        """Random cycles, in groups that share no pair, so that a group can move at once."""
        start, pair, sign = self.cycles
        count, size = start.size - 1, np.diff(start)
        room = 1.0 / np.add.reduceat(1.0 / np.maximum(self.spread[pair], 1e-12), start[:-1])
        longest = np.maximum(np.rint(2.0 * np.sqrt(room)), 1).astype(np.int64)
        order = rng.integers(count, size=moves).tolist()
        owned = [pair[start[c] : start[c + 1]].tolist() for c in range(count)]
        groups: list[list[int]] = []
        used: set[int] = set()
        for cycle in order:
            if not groups or not used.isdisjoint(owned[cycle]):
                groups.append([])
                used = set()
            groups[-1].append(cycle)
            used.update(owned[cycle])
        batches = []
        for group in groups:
            chosen = np.array(group)
            lengths = size[chosen]
            edge = np.concatenate([np.arange(start[c], start[c + 1]) for c in group])
            first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
            batches.append(_Batch(pair[edge], sign[edge], first, lengths, longest[chosen]))
        return batches

    def _move(self, won: Ints, batch: _Batch, log_factorial: Floats, rng: np.random.Generator) -> None:
        """One Metropolis step of every cycle of the batch in every chain; `won` int64[P, chains] changes."""
        chains = won.shape[1]
        step = rng.integers(1, batch.longest[:, None] + 1, size=(batch.longest.size, chains))
        step *= rng.integers(2, size=step.shape) * 2 - 1
        met = self.met[batch.pair][:, None]
        old = won[batch.pair]
        new = old + batch.sign[:, None] * np.repeat(step, batch.lengths, axis=0)
        outside = (new < 0) | (new > met)
        new[outside] = 0
        gain = log_factorial[old] + log_factorial[met - old] - log_factorial[new] - log_factorial[met - new]
        gain[outside] = -np.inf
        ratio = np.add.reduceat(gain, batch.first, axis=0)
        accepted = np.log1p(-rng.random(ratio.shape)) < ratio
        won[batch.pair] = np.where(np.repeat(accepted, batch.lengths, axis=0), new, old)


class _Batch(NamedTuple):
    pair: Ints
    sign: Ints
    first: Ints
    lengths: Ints
    longest: Ints


def cycles_of(
    n: int, first: Ints, second: Ints, triangle: Ints, triangle_sign: NDArray[np.generic]
) -> Cycles:
    """The triangles (int64[T, 3] pairs and their signs), and for every pair in no triangle the cycle that it
    closes with a breadth-first tree, if there is one.
    """
    closed = np.zeros(first.size, dtype=np.bool_)
    closed[triangle.reshape(-1)] = True
    walks = _tree_cycles(n, first, second, np.flatnonzero(~closed))
    lengths = [3] * triangle.shape[0] + [len(walk) for walk, _ in walks]
    return Cycles(
        np.concatenate([[0], np.cumsum(np.array(lengths, dtype=np.int64))]),
        np.concatenate([triangle.reshape(-1), *(walk for walk, _ in walks)]).astype(np.int64),
        np.concatenate([triangle_sign.reshape(-1), *(sign for _, sign in walks)]).astype(np.int64),
    )


def _tree_cycles(n: int, first: Ints, second: Ints, wanted: Ints) -> list[tuple[list[int], list[int]]]:
    number: dict[tuple[int, int], tuple[int, int]] = {}
    for pair, (i, j) in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
        number[i, j], number[j, i] = (pair, 1), (pair, -1)
    graph = sparse.csr_array(sparse.coo_array((np.ones(first.size), (first, second)), shape=(n, n)))
    graph = sparse.csr_array(graph + graph.T)
    _, label = csgraph.connected_components(graph, directed=False)
    parent = np.full(n, -1)
    for part in np.unique(label[first[wanted]]).tolist():
        root = int(np.flatnonzero(label == part)[0])
        order, before = csgraph.breadth_first_order(graph, root, directed=False)
        parent[order[1:]] = before[order[1:]]
    found = []
    for pair in wanted.tolist():
        i, j = int(first[pair]), int(second[pair])
        if parent[i] == j or parent[j] == i:
            continue  # a branch of the tree closes nothing
        up, down = _to_root(parent, i), _to_root(parent, j)
        while len(up) > 1 and len(down) > 1 and up[-2] == down[-2]:
            up.pop()
            down.pop()
        # i to j by the pair, from j up to where the branches meet, and down again to i.
        nodes = [i, *down, *reversed(up[:-1])]
        steps = [number[edge] for edge in itertools.pairwise(nodes)]
        found.append(([pair for pair, _ in steps], [sign for _, sign in steps]))
    return found


def _to_root(parent: Ints, node: int) -> list[int]:
    path = [node]
    while parent[path[-1]] >= 0:
        path.append(int(parent[path[-1]]))
    return path
