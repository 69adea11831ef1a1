"""Who can be compared with whom: components of the graph of battles. It reads a tally and never a rating."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from arena.ranking.arrays import Bools, Floats, Ints
from arena.ranking.counts import FIRST_WON, SECOND_WON, TIED

_DENSE_CELLS = 1 << 22


class Separation(NamedTuple):
    """How the items of one connected component hang together by wins.

    strong          int64[n], strong component of each item: inside it, anybody beat or tied anybody through a
                    chain
    is_separated    bool[n], the item lies outside the component's body
    no_ceiling      bool[n], separated, and no finite score is too high for what was seen
    no_floor        bool[n], separated, and no finite score is too low
    """

    strong: Ints
    is_separated: Bools
    no_ceiling: Bools
    no_floor: Bools


def components(n: int, first: Ints, second: Ints) -> list[Ints]:
    """Items of each weakly connected component with a battle, largest first (equal: the one with the first
    item).
    """
    graph = sparse.coo_array((np.ones(first.size), (first, second)), shape=(n, n))
    count, label = csgraph.connected_components(graph, directed=False)
    size = np.bincount(label, minlength=count)
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.cumsum(size)[:-1]) if count else []
    return sorted((g for g in groups if g.size > 1), key=lambda g: (-g.size, int(g[0])))


def strong_components(n: int, first: Ints, second: Ints, weight: Floats) -> Ints:
    """int64[n], strong component of each item; an edge runs from who won to who lost, a tie is both."""
    if _is_one(n, first, second, weight):
        return np.zeros(n, dtype=np.int64)
    beats = _beats(n, first, second, weight)
    label: Ints = csgraph.connected_components(beats, connection="strong")[1].astype(np.int64)
    return label


def separation(n: int, first: Ints, second: Ints, weight: Floats) -> Separation:
    """Find the items whose maximum-likelihood score is infinite, in one weakly connected component.

    Ford (1957): the Bradley-Terry estimate exists if and only if the graph of wins is strongly connected. If
    it is not, the strong component with more than half of the items is the component's body: its items are
    still rated among themselves. Another item has no ceiling if nobody of the body ever beat or tied it, not
    even through others, and no floor if it never so beat or tied the body. If no strong component holds the
    majority, every item is separated; those of a strong component that nobody outside beat or tied have no
    ceiling, those of one that beat or tied nobody outside have no floor.
    """
    strong = strong_components(n, first, second, weight)
    size = np.bincount(strong)
    nobody = np.zeros(n, dtype=np.bool_)
    if size.size == 1:
        return Separation(strong, nobody, nobody, nobody)
    beats = _beats(n, first, second, weight)
    largest = int(size.argmax())
    if 2 * int(size[largest]) > n:
        outside = strong != largest
        start = int(np.flatnonzero(~outside)[0])
        return Separation(
            strong,
            outside,
            outside & ~_reached(beats, start),
            outside & ~_reached(sparse.csr_array(beats.T), start),
        )
    winner, loser = beats.nonzero()
    crossing = strong[winner] != strong[loser]
    beaten = np.zeros(size.size, dtype=np.bool_)
    beaten[strong[loser[crossing]]] = True
    beating = np.zeros(size.size, dtype=np.bool_)
    beating[strong[winner[crossing]]] = True
    return Separation(strong, ~nobody, ~beaten[strong], ~beating[strong])


def _is_one(n: int, first: Ints, second: Ints, weight: Floats) -> bool:
    """True if all items are one strong component; a search through a full table, where that is small."""
    if n * n > _DENSE_CELLS:
        return False
    beats = np.zeros((n, n), dtype=np.bool_)
    tied = weight[TIED] > 0
    beats[first, second] = (weight[FIRST_WON] > 0) | tied
    beats[second, first] = (weight[SECOND_WON] > 0) | tied
    return _reaches_all(beats) and _reaches_all(beats.T)


def _reaches_all(beats: Bools) -> bool:
    found = beats[0].copy()
    found[0] = True
    for _ in range(found.size):
        further = found | beats[found].any(axis=0)
        if bool((further == found).all()):
            break
        found = further
    return bool(found.all())


def _beats(n: int, first: Ints, second: Ints, weight: Floats) -> sparse.csr_array:
    forward = (weight[FIRST_WON] > 0) | (weight[TIED] > 0)
    backward = (weight[SECOND_WON] > 0) | (weight[TIED] > 0)
    winner = np.concatenate([first[forward], second[backward]])
    loser = np.concatenate([second[forward], first[backward]])
    return sparse.csr_array(sparse.coo_array((np.ones(winner.size), (winner, loser)), shape=(n, n)))


def _reached(graph: sparse.csr_array, start: int) -> Bools:
    found = np.zeros(graph.shape[0], dtype=np.bool_)
    found[csgraph.breadth_first_order(graph, start, directed=True, return_predecessors=False)] = True
    return found
