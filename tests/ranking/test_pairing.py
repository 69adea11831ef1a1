import math
import time
from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from arena.ranking import (
    InvalidPlan,
    InvalidSetting,
    TooFewSystems,
    draw_battle,
    draw_from_plan,
    meeting_counts,
)

SYSTEMS = list("abcde")
COUNTS = np.array(
    [[0, 4, 1, 0, 9], [4, 0, 2, 2, 0], [1, 2, 0, 7, 3], [0, 2, 7, 0, 1], [9, 0, 3, 1, 0]], dtype=np.int64
)
PLAN = np.array(
    [[0, 3, 1, 0, 2], [3, 0, 1, 1, 0], [1, 1, 0, 5, 4], [0, 1, 5, 0, 1], [2, 0, 4, 1, 0]], dtype=float
)
WEIGHTS = [1.0, 0.5, 3.0, 2.0, 1.5]


def draws_of(draw, times, seed=3):
    """Share of each drawn set and the probability it was drawn with."""
    rng = np.random.default_rng(seed)
    seen, chance = Counter(), {}
    for _ in range(times):
        drawn = draw(rng)
        key = frozenset(drawn.items)
        assert len(key) == len(drawn.items)
        assert chance.setdefault(key, drawn.probability) == pytest.approx(drawn.probability)
        seen[key] += 1
    return {key: times_seen / times for key, times_seen in seen.items()}, chance


@pytest.mark.parametrize("k", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "draw",
    [
        lambda k, rng: draw_battle(SYSTEMS, COUNTS, k, rng),
        lambda k, rng: draw_battle(SYSTEMS, COUNTS, k, rng, weights=WEIGHTS),
        lambda k, rng: draw_battle(SYSTEMS, None, k, rng, rule="uniform", weights=WEIGHTS),
        lambda k, rng: (
            draw_from_plan(SYSTEMS, PLAN, rng, k=k) if k > 1 else draw_battle(SYSTEMS, None, k, rng)
        ),
    ],
    ids=["least_compared", "weighted", "uniform", "plan"],
)
def test_probabilities_are_the_frequencies_and_sum_to_one(draw, k):
    times = 2000
    share, chance = draws_of(lambda rng: draw(k, rng), times)
    assert sum(chance.values()) == pytest.approx(1.0, abs=1e-12)
    for key, probability in chance.items():
        assert abs(share[key] - probability) < 5 * math.sqrt(probability * (1 - probability) / times) + 1e-12


def test_a_pair_is_as_likely_as_its_two_orders_by_hand():
    drawn = draw_battle(
        ["x", "y", "z"], np.array([[0, 1, 0], [1, 0, 3], [0, 3, 0]]), 2, np.random.default_rng(0)
    )
    rivals = {"x": {"y": 1 / 2, "z": 1.0}, "y": {"x": 1 / 2, "z": 1 / 4}, "z": {"x": 1.0, "y": 1 / 4}}
    a, b = drawn.items
    expected = sum(rivals[p][q] / sum(rivals[p].values()) / 3 for p, q in ((a, b), (b, a)))
    assert drawn.probability == pytest.approx(expected, rel=1e-14)


def test_uniform_sets_are_equally_likely():
    drawn = draw_battle(SYSTEMS, COUNTS, 3, np.random.default_rng(1), rule="uniform")
    assert drawn.probability == pytest.approx(1 / math.comb(5, 3))


def test_a_plan_draws_a_pair_by_its_weight():
    drawn = draw_from_plan(SYSTEMS, PLAN, np.random.default_rng(1))
    i, j = (SYSTEMS.index(item) for item in drawn.items)
    assert drawn.probability == pytest.approx(PLAN[i, j] / np.triu(PLAN).sum())


def test_display_order_is_random():
    rng = np.random.default_rng(2)
    first = Counter(draw_battle(["x", "y"], None, 2, rng).items[0] for _ in range(2000))
    assert abs(first["x"] - 1000) < 5 * math.sqrt(500)


def test_excluded_and_weightless_systems_are_never_drawn():
    rng = np.random.default_rng(4)
    for _ in range(200):
        assert not {"a", "b"} & set(
            draw_battle(SYSTEMS, COUNTS, 2, rng, exclude=["a"], weights=[1, 0, 1, 1, 1]).items
        )
        assert "c" not in draw_from_plan(SYSTEMS, PLAN, rng, exclude=["c"]).items


def test_the_same_generator_draws_the_same():
    left, right = (draw_battle(SYSTEMS, COUNTS, 4, np.random.default_rng(9)) for _ in range(2))
    assert left == right


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: draw_battle(["x"], None, 2, rng),
        lambda rng: draw_battle([], None, 2, rng, rule="uniform"),
        lambda rng: draw_battle(SYSTEMS, COUNTS, 2, rng, exclude="abcd"),
        lambda rng: draw_battle(SYSTEMS, COUNTS, 2, rng, weights=[0, 0, 0, 0, 1]),
        lambda rng: draw_from_plan(SYSTEMS, np.zeros((5, 5)), rng),
        lambda rng: draw_from_plan(SYSTEMS, PLAN, rng, k=6),
        lambda rng: draw_from_plan(list("xyz"), np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]]), rng, k=3),
    ],
)
def test_too_few_systems_is_an_error(draw):
    with pytest.raises(TooFewSystems):
        draw(np.random.default_rng(0))


@pytest.mark.parametrize(
    ("draw", "error"),
    [
        (lambda rng: draw_battle(SYSTEMS, COUNTS[:2], 2, rng), InvalidPlan),
        (lambda rng: draw_battle(SYSTEMS, -COUNTS, 2, rng), InvalidPlan),
        (lambda rng: draw_battle(SYSTEMS, COUNTS, 2, rng, weights=[1, 2]), InvalidPlan),
        (lambda rng: draw_battle(SYSTEMS, COUNTS, 2, rng, weights=[1, 1, 1, 1, math.nan]), InvalidPlan),
        (lambda rng: draw_battle(["x", "x"], None, 2, rng), InvalidPlan),
        (lambda rng: draw_from_plan(SYSTEMS, np.triu(PLAN), rng), InvalidPlan),
        (lambda rng: draw_battle(SYSTEMS, COUNTS, 0, rng), InvalidSetting),
        (lambda rng: draw_battle(SYSTEMS, COUNTS, 2, rng, rule="best"), InvalidSetting),
        (lambda rng: draw_from_plan(SYSTEMS, PLAN, rng, k=1), InvalidSetting),
    ],
)
def test_impossible_input_is_refused(draw, error):
    with pytest.raises(error):
        draw(np.random.default_rng(0))


def test_meeting_counts_read_rows_in_either_order():
    counts = meeting_counts(["x", "y", "z"], [("x", "y", 2), ("y", "x", 3), ("z", "gone", 9), ("z", "z", 1)])
    assert counts.tolist() == [[0, 5, 0], [5, 0, 0], [0, 0, 0]]


def test_probabilities_of_all_nine_way_sets_sum_to_one():
    """Orders are 362,880 a set; the sum over subsets must still be exact and quick."""
    systems = [f"s{i}" for i in range(10)]
    counts = np.random.default_rng(5).integers(5, size=(10, 10))
    seen = {}
    rng = np.random.default_rng(6)
    while len(seen) < math.comb(10, 9):
        drawn = draw_battle(systems, counts, 9, rng)
        seen[frozenset(drawn.items)] = drawn.probability
    assert set(seen) == {frozenset(c) for c in combinations(systems, 9)}
    assert sum(seen.values()) == pytest.approx(1.0, abs=1e-12)


def test_a_battle_among_300_systems_is_drawn_in_under_a_millisecond():
    rng = np.random.default_rng(7)
    systems = [f"s{i}" for i in range(300)]
    counts = rng.integers(50, size=(300, 300)).astype(float)
    fastest = min(_timed(lambda: draw_battle(systems, counts, 2, rng)) for _ in range(50))
    assert fastest < 1e-3


def _timed(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
