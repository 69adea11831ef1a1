import itertools
import math

import numpy as np
import pytest
from scipy.special import comb

from arena.ranking.cycles.fibre import Fibre, cycles_of
from arena.ranking.cycles.hodge import triangles


def fibre_of(n, pairs, met):
    first, second = (np.array(side, dtype=np.int64) for side in zip(*pairs, strict=True))
    found = triangles(n, first, second)
    met = np.array(met, dtype=np.int64)
    return Fibre(met, 0.25 * met, cycles_of(n, first, second, found.pair, found.sign)), first, second


def totals(won, met, first, second, n):
    points = np.zeros(n)
    np.add.at(points, first, won)
    np.add.at(points, second, met - won)
    return points


def all_tables(won, met, first, second, n):
    """Every table with the same totals and its chance, by enumeration."""
    wanted = totals(won, met, first, second, n)
    tables = [
        table
        for table in itertools.product(*(range(m + 1) for m in met))
        if np.array_equal(totals(np.array(table), met, first, second, n), wanted)
    ]
    weight = np.array([math.prod(comb(m, w) for m, w in zip(met, table, strict=True)) for table in tables])
    return tables, weight / weight.sum()


BOARDS = {
    "four that all met": (4, [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)], [2, 1, 2, 1, 2, 2]),
    "a ring of five": (5, [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)], [4, 3, 4, 3, 4]),
    "a triangle and a square": (
        6,
        [(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (4, 5), (2, 5)],
        [3, 3, 3, 3, 2, 3, 3],
    ),
}


@pytest.mark.parametrize("name", BOARDS)
def test_draws_follow_the_enumerated_conditional_distribution(name, rng):
    n, pairs, met = BOARDS[name]
    fibre, first, second = fibre_of(n, pairs, met)
    won = np.array([m // 2 for m in met])
    tables, chance = all_tables(won, fibre.met, first, second, n)
    drawn = fibre.draw(won, 4000, rng, sweeps=60)
    place = {table: k for k, table in enumerate(tables)}
    count = np.bincount([place[tuple(row)] for row in drawn.tolist()], minlength=len(tables))
    assert len(tables) > 2
    assert count / 4000 == pytest.approx(chance, abs=5 * np.sqrt(0.25 / 4000))


def test_every_total_is_kept_and_no_pair_is_overdrawn(rng):
    n = 8
    pairs = list(itertools.combinations(range(n), 2))
    met = rng.integers(0, 9, len(pairs)) + 1
    fibre, first, second = fibre_of(n, pairs, met)
    won = rng.binomial(met, 0.5)
    drawn = fibre.draw(won, 20, rng)
    assert (drawn >= 0).all()
    assert (drawn <= met).all()
    assert len({tuple(row) for row in drawn.tolist()}) > 15
    for row in drawn:
        assert totals(row, met, first, second, n) == pytest.approx(totals(won, met, first, second, n))


def test_a_tree_leaves_nothing_to_draw(rng):
    fibre, _, _ = fibre_of(4, [(0, 1), (1, 2), (1, 3)], [5, 5, 5])
    won = np.array([3, 2, 1])
    assert (fibre.draw(won, 7, rng) == won).all()


def test_cycles_close_without_a_source():
    n, pairs, met = BOARDS["a triangle and a square"]
    fibre, first, second = fibre_of(n, pairs, met)
    start, pair, sign = fibre.cycles
    assert np.diff(start).tolist() == [3, 4]
    for cycle in range(2):
        own = slice(start[cycle], start[cycle + 1])
        flow = np.zeros(n)
        np.add.at(flow, first[pair[own]], sign[own])
        np.add.at(flow, second[pair[own]], -sign[own])
        assert (flow == 0).all()
