"""HodgeRank: splits a flow between pairs into what one score per item explains, what circles in triangles and
what circles further out. It knows no noise: for a figure to publish see `arena.ranking.cycles.cyclicity`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse import linalg as sparse_linalg

from arena.ranking.arrays import Bools, Floats, Ints, sum_by
from arena.ranking.errors import InvalidItem, InvalidWeight, LengthMismatch, NotConverged
from arena.ranking.graph import components
from arena.ranking.newton import Grounded, ground, laplacian

_ORTHOGONAL = 1e-6  # curl left in the harmonic part, as a share of the cyclic part


class Energy(NamedTuple):
    """Weighted squared length of each part; the three add up to the flow's own."""

    gradient: float
    curl: float
    harmonic: float

    @property
    def cyclic(self) -> float:
        return self.curl + self.harmonic


@dataclass(frozen=True, eq=False)
class Decomposition:
    """flow = gradient + curl + harmonic, orthogonal to one another under `weight`.

    potential   float64[n], mean 0 in each component; gradient = potential[first] - potential[second]
    gradient    float64[P], what one score per item explains
    curl        float64[P], local cycles: what flows around triangles of observed pairs
    harmonic    float64[P], no sum around any triangle, no source at any item: only cycles longer than three
    weight      float64[P]
    """

    potential: Floats
    gradient: Floats
    curl: Floats
    harmonic: Floats
    weight: Floats

    @property
    def energy(self) -> Energy:
        return Energy(*(float(self.weight @ part**2) for part in (self.gradient, self.curl, self.harmonic)))


def decompose(n: int, first: Ints, second: Ints, flow: Floats, weight: Floats) -> Decomposition:
    """HodgeRank (Jiang, Lim, Yao & Ye 2011, Math. Program. 127:203-244, theorem 2 with weights).

    first, second   int[P], different items 0…n-1, each unordered pair once
    flow            float64[P], from `second` to `first`; the reverse has the other sign
    weight          float64[P], finite and above 0

    The potential is the weighted least-squares score. What it leaves over is projected on the span of the
    triangles, W^-1 curl^T, by LSMR.

    Raises LengthMismatch, InvalidItem (a pair twice, or an item against itself or out of range),
    InvalidWeight, NotConverged.
    """
    if not first.shape == second.shape == flow.shape == weight.shape or first.ndim != 1:
        raise LengthMismatch(f"first {first.shape}, second {second.shape}, flow {flow.shape}")
    _check_pairs(n, first, second)
    if not (np.isfinite(weight).all() and bool((weight > 0).all())):
        raise InvalidWeight("a weight of a pair is not finite and above 0")
    potential = Potential(n, first, second, weight).of(flow)
    gradient = potential[first] - potential[second]
    rest = flow - gradient
    harmonic = _harmonic(rest, weight, triangles(n, first, second))
    return Decomposition(potential, gradient, rest - harmonic, harmonic, weight)


class Triangles(NamedTuple):
    """Three items that all met each other.

    item        int64[T, 3], i < j < k
    pair        int64[T, 3], the pairs (i, j), (j, k), (k, i)
    sign        float64[T, 3], -1 where the pair is stored the other way round
    """

    item: Ints
    pair: Ints
    sign: Floats

    def around(self, flow: Floats) -> Floats:
        """float64[T], the sum of a flow along i, j, k and back to i: its curl."""
        total: Floats = (self.sign * flow[self.pair]).sum(axis=1)
        return total


def triangles(n: int, first: Ints, second: Ints) -> Triangles:
    """All triangles of observed pairs, in lexicographic order."""
    number = np.full((n, n), -1, dtype=np.int64)
    number[first, second] = number[second, first] = np.arange(first.size)
    forward = np.zeros((n, n), dtype=np.bool_)
    forward[first, second] = True
    found = [np.zeros((0, 3), dtype=np.int64)]
    for i in range(n):
        near = i + 1 + np.flatnonzero(number[i, i + 1 :] >= 0)
        j, k = np.nonzero(np.triu(number[np.ix_(near, near)] >= 0, 1))
        found.append(np.stack([np.full(j.size, i), near[j], near[k]], axis=1))
    item = np.concatenate(found)
    start, end = item, np.roll(item, -1, axis=1)
    return Triangles(item, number[start, end], np.where(forward[start, end], 1.0, -1.0))


class Potential:
    """Weighted least-squares scores on a graph that may fall apart."""

    def __init__(self, n: int, first: Ints, second: Ints, weight: Floats) -> None:
        self._n, self._first, self._second, self._weight = n, first, second, weight
        self._groups: list[tuple[Ints, Grounded]] = []
        position = np.full(n, -1, dtype=np.int64)
        for group in components(n, first, second):
            position[:] = -1
            position[group] = np.arange(group.size)
            mine = position[first] >= 0
            matrix = laplacian(group.size, position[first[mine]], position[second[mine]], weight[mine])
            self._groups.append((group, ground(matrix)))

    def of(self, flow: Floats) -> Floats:
        source = sum_by(self._first, self._weight * flow, self._n)
        source -= sum_by(self._second, self._weight * flow, self._n)
        potential = np.zeros(self._n)
        for group, factor in self._groups:
            found = factor.solve(source[group])
            potential[group] = found - found.mean()
        return potential

    def trace(self, weight: Floats) -> float:
        """Trace of L^+ L', L' the Laplacian of other weights of the same pairs."""
        total, position = 0.0, np.full(self._n, -1, dtype=np.int64)
        for group, factor in self._groups:
            position[:] = -1
            position[group] = np.arange(group.size)
            mine = position[self._first] >= 0
            first, second = position[self._first[mine]], position[self._second[mine]]
            total += float(np.trace(factor.solve(laplacian(group.size, first, second, weight[mine]))))
        return total

    def gradient_of(self, flow: Floats) -> Floats:
        potential = self.of(flow)
        gradient: Floats = potential[self._first] - potential[self._second]
        return gradient


def _harmonic(rest: Floats, weight: Floats, found: Triangles) -> Floats:
    """The part of a divergence-free flow without curl."""
    if not found.item.size:
        return rest.copy()
    root = np.sqrt(weight)
    target = root * rest
    size = float(np.linalg.norm(target))
    if size == 0.0:
        return np.zeros(rest.size)
    t = np.arange(found.item.shape[0])
    entries = (
        found.sign.reshape(-1) / root[found.pair.reshape(-1)],
        (found.pair.reshape(-1), np.repeat(t, 3)),
    )
    matrix = sparse.csr_array(sparse.coo_array(entries, shape=(rest.size, t.size)))
    # Columns of length 1: the same span, and LSMR needs far fewer steps where weights differ much.
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=0)).reshape(-1))
    matrix = sparse.csr_array(matrix @ sparse.diags_array(1.0 / length))
    solved = sparse_linalg.lsmr(
        matrix, target, atol=1e-13, btol=1e-13, conlim=0.0, maxiter=20 * rest.size + 100
    )
    left = target - matrix @ solved[0]
    if float(np.linalg.norm(matrix.T @ left, np.inf)) > _ORTHOGONAL * size:
        raise NotConverged("the flow around triangles was not found to the wanted accuracy")
    if float(np.linalg.norm(left)) < _ORTHOGONAL * size:
        left = np.zeros(rest.size)
    harmonic: Floats = np.divide(left, root)
    return harmonic


def _check_pairs(n: int, first: Ints, second: Ints) -> None:
    low, high = np.minimum(first, second), np.maximum(first, second)
    outside: Bools = (low < 0) | (high >= n) | (low == high)
    if outside.any():
        raise InvalidItem("a pair holds an item twice or one that is out of range")
    if np.unique(low * n + high).size != first.size:
        raise InvalidItem("a pair is listed twice")
