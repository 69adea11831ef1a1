"""Block designs: which sets to rank so that all systems hang together, before any vote is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, get_args

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from arena.ranking.errors import InvalidSetting, TooFewSystems
from arena.ranking.pairing.plan import SetPlan
from arena.ranking.pairing.state import State

Blocks = tuple[tuple[int, ...], ...]
"""Sets of distinct positions 0…n-1, all of one size."""

Design = Literal["equi-replicate", "latin", "triangular", "window", "all"]

_ATTEMPTS = 200


@dataclass(frozen=True)
class BlockDesign:
    """Every set of a design alike (JointRank: Rank Large Set with Single Pass). For judges, who can rank all
    blocks at once, take `SetPlan.sets` as the list of work.

    design          "equi-replicate": random, every system in the same number of blocks, connected
                    "latin": systems on a k x k square, blocks are its rows and columns and the diagonals of a
                    Latin square; needs k^2 systems
                    "triangular": systems are the pairs out of k + 1 points, blocks the points; needs
                    k (k + 1) / 2 systems, any two blocks share one of them
                    "window": neighbours on a random ring, the cheapest connected design
                    "all": every set; at most 100,000
    replications    blocks for each system ("equi-replicate")
    seed            of the random designs: the plan is a function of the state and the settings
    """

    design: Design = "equi-replicate"
    replications: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.design not in get_args(Design):
            raise InvalidSetting(f"design must be one of {', '.join(get_args(Design))}, not {self.design!r}")
        if self.replications < 1:
            raise InvalidSetting(f"replications must be at least 1, not {self.replications}")

    def plan(self, state: State, k: int = 2) -> SetPlan:
        """Reads only whether `pull` is above 0. Raises TooFewSystems, InvalidSetting (no such design)."""
        usable = np.flatnonzero(state.ready > 0.0).tolist()
        n, rng = len(usable), np.random.default_rng(self.seed)
        if self.design == "equi-replicate":
            blocks = equi_replicate(n, k, self.replications, rng)
        elif self.design == "window":
            blocks = window(n, k, rng)
        elif self.design == "all":
            blocks = every_set(n, k)
        else:
            blocks = {"latin": latin_square, "triangular": triangular}[self.design](n, k)
        sets = tuple(tuple(usable[member] for member in block) for block in blocks)
        return SetPlan(state.items, sets, (1.0,) * len(sets), 0.0, tuple(usable))


def equi_replicate(n: int, k: int, r: int, rng: np.random.Generator) -> Blocks:
    """Random blocks of `k` in which every item stands `r` times (some r + 1 times where k does not divide
    n r), connected.

    A connected design of b blocks needs b (k - 1) >= n - 1. Raises InvalidSetting if it has fewer or none is
    found, TooFewSystems (n below k).
    """
    _check(n, k)
    count = math.ceil(n * r / k)
    if count * (k - 1) < n - 1:
        raise InvalidSetting(f"{count} blocks of {k} cannot connect {n} items: use more replications")
    for _ in range(_ATTEMPTS):
        blocks = _dealt(n, k, count, rng)
        if blocks is not None and is_connected(n, blocks):
            return blocks
    raise InvalidSetting(f"no connected design of {count} blocks of {k} found for {n} items")


def _dealt(n: int, k: int, count: int, rng: np.random.Generator) -> Blocks | None:
    """Deal shuffled rounds of all items into blocks; an item that its block has waits for the next one."""
    deck: list[int] = []
    blocks: list[tuple[int, ...]] = []
    for _ in range(count):
        block: list[int] = []
        waiting: list[int] = []
        while len(block) < k:
            if not deck:
                deck = [int(item) for item in rng.permutation(n)]
            item = deck.pop()
            (waiting if item in block else block).append(item)
        deck += waiting
        blocks.append(tuple(block))
    times = np.bincount(np.concatenate(blocks), minlength=n)
    return tuple(blocks) if times.max() - times.min() <= 1 else None


def latin_square(n: int, k: int) -> Blocks:
    """3 k blocks of k^2 items on a square: rows, columns, and the letters of the cyclic Latin square. Any two
    items meet at most once for odd k, at most twice for even k. Raises InvalidSetting if n is not k^2.
    """
    _check(n, k)
    if n != k * k:
        raise InvalidSetting(f"a Latin-square design of blocks of {k} needs {k * k} items, not {n}")
    rows = [tuple(row * k + column for column in range(k)) for row in range(k)]
    columns = [tuple(row * k + column for row in range(k)) for column in range(k)]
    letters = [tuple(row * k + (letter - row) % k for row in range(k)) for letter in range(k)]
    return tuple(rows + columns + letters)


def triangular(n: int, k: int) -> Blocks:
    """k + 1 blocks of k (k + 1) / 2 items, each in two blocks; any two blocks share one item. Raises
    InvalidSetting for another n.
    """
    _check(n, k)
    if n != k * (k + 1) // 2:
        raise InvalidSetting(f"a triangular design of blocks of {k} needs {k * (k + 1) // 2} items, not {n}")
    number = {pair: item for item, pair in enumerate(combinations(range(k + 1), 2))}
    return tuple(
        tuple(number[min(point, other), max(point, other)] for other in range(k + 1) if other != point)
        for point in range(k + 1)
    )


def window(n: int, k: int, rng: np.random.Generator) -> Blocks:
    """About n / (k - 1) blocks of neighbours on a random ring, each sharing an item with the next (the
    structured sampling of Sparse Pairwise Re-ranking, for any k).
    """
    _check(n, k)
    ring = rng.permutation(n).tolist()
    return tuple(tuple(ring[(start + step) % n] for step in range(k)) for start in range(0, n, k - 1))


def every_set(n: int, k: int) -> Blocks:
    """All sets of `k`. Raises InvalidSetting if there are more than 100,000."""
    _check(n, k)
    if math.comb(n, k) > 100_000:
        raise InvalidSetting(f"{math.comb(n, k)} sets of {k} out of {n} are too many to list")
    return tuple(combinations(range(n), k))


def is_connected(n: int, blocks: Blocks) -> bool:
    """True if every item is linked to every other through shared blocks."""
    row = np.repeat(np.arange(len(blocks)), [len(block) for block in blocks])
    item = np.concatenate([np.asarray(block) for block in blocks])
    size = n + len(blocks)
    graph = sparse.coo_array((np.ones(row.size), (item, n + row)), shape=(size, size))
    count: int = csgraph.connected_components(graph, directed=False)[0]
    return count == 1


def _check(n: int, k: int) -> None:
    if k < 2:
        raise InvalidSetting(f"a block holds at least 2 items, not {k}")
    if n < k:
        raise TooFewSystems(f"{n} systems can be drawn, {k} are needed")
