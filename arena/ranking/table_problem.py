"""The Bradley-Terry problem of a table of outcomes, phantoms included, for models that add a term to
Bradley-Terry. It solves nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from arena.ranking.arrays import Bools, Floats
from arena.ranking.ballots import Ballots
from arena.ranking.counts import BothBad, Tally, compare, tally
from arena.ranking.graph import components, strong_components
from arena.ranking.island import PHANTOM
from arena.ranking.newton import PairProblem
from arena.ranking.scored import Table, tables_of


class Base(NamedTuple):
    """What a board's ballots hold before any resampling.

    tables      one for each component, largest first
    met         bool[n_items, n_items], the two were compared
    """

    tally: Tally
    tables: list[Table]
    met: Bools


class TableProblem(NamedTuple):
    """Counts of the P pairs that met, ties half, phantoms included; `phantom` float64[P] is their weight."""

    problem: PairProblem
    phantom: Floats


def base_of(ballots: Ballots, *, both_bad: BothBad) -> Base:
    """Count the ballots once."""
    total = tally(compare(ballots, both_bad=both_bad))
    groups = components(total.n_items, total.first, total.second)
    met = np.zeros((total.n_items, total.n_items), dtype=np.bool_)
    met[total.first, total.second] = met[total.second, total.first] = True
    return Base(total, tables_of(total, total.weight, groups), met)


def problem_of(table: Table, met: Bools) -> TableProblem:
    """The problem of a component's table or of a resample of it.

    `met` bool[n_items, n_items] is the board's, so that a resample which lost a pair still holds together:
    half a drawn battle joins every pair of `met` between two strong components of the table, as in
    `BradleyTerry`.
    """
    first, second = np.nonzero(np.triu(met[np.ix_(table.items, table.items)], 1))
    n, won, lost = table.items.size, table.won[first, second], table.won[second, first]
    strong = strong_components(n, first, second, np.stack([won, lost, np.zeros(first.size)]))
    phantom = np.where(strong[first] != strong[second], PHANTOM, 0.0)
    return TableProblem(
        PairProblem(n, first, second, won + 0.5 * phantom, won + lost + phantom),
        phantom,
    )
