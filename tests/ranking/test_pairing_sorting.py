import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.ranking.errors import DuplicateItem, InvalidSetting
from arena.ranking.pairing import PairSort, SortUnfinished


def sort_with(items, judge, **options):
    sort = PairSort(items, **options)
    asked = []
    while sort.question is not None:
        asked.append(frozenset(sort.question))
        sort.tell(judge(*sort.question))
    return sort, asked


@settings(max_examples=60, deadline=None)
@given(st.permutations([f"s{i:02d}" for i in range(13)]), st.integers(1, 4))
def test_a_sure_judge_sorts_without_asking_a_pair_twice(items, beam):
    sort, asked = sort_with(items, lambda a, b: 0.9 if a < b else 0.1, beam=beam)
    assert sort.ranking == tuple(sorted(items))
    assert len(asked) == len(set(asked)) == sort.inferences
    assert sort.inferences <= 13 * math.ceil(math.log2(13))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_short_lists_are_sorted_with_the_fewest_questions(n):
    sort, asked = sort_with([f"s{i}" for i in range(n)], lambda a, b: 0.0)
    assert len(asked) == max(n - 1, 0)
    assert len(sort.ranking) == n


def test_a_merge_sort_of_fifty_takes_about_221_questions():
    costs = []
    for seed in range(20):
        items = [f"{i:02d}" for i in np.random.default_rng(seed).permutation(50)]
        costs.append(sort_with(items, lambda a, b: 1.0 if a < b else 0.0)[0].inferences)
    assert 215 < np.mean(costs) < 228


def test_a_beam_finds_the_order_that_all_answers_support_where_plain_sort_does_not():
    """Merging (a, b) with (c, d): the judge leans to c before a, but is sure that b is before c."""
    chance = {("a", "b"): 0.99, ("c", "d"): 0.99, ("a", "c"): 0.45, ("b", "c"): 0.99, ("a", "d"): 0.55}
    chance |= {("b", "d"): 0.99}

    def judge(x, y):
        return chance[x, y] if (x, y) in chance else 1 - chance[y, x]

    plain, _ = sort_with(list("abcd"), judge, beam=1)
    wide, _ = sort_with(list("abcd"), judge, beam=4, gap=0.2)
    assert plain.ranking == ("c", "a", "b", "d")
    assert wide.ranking == ("a", "b", "c", "d")


def test_beams_cost_more_and_err_less_under_an_unsure_judge():
    theta = np.linspace(2, -2, 12)
    wrong, cost = {1: 0, 8: 0}, {1: 0, 8: 0}
    for seed in range(30):
        rng = np.random.default_rng(seed)
        noise = rng.normal(0, 0.8, (12, 12))

        def judge(x, y, noise=noise):
            i, j = int(x), int(y)
            sign = 1 if i < j else -1
            return 1 / (1 + math.exp(-(theta[i] - theta[j]) - sign * noise[min(i, j), max(i, j)]))

        items = [str(i) for i in rng.permutation(12)]
        for beam in wrong:
            sort, _ = sort_with(items, judge, beam=beam, gap=0.3)
            order = [int(item) for item in sort.ranking]
            wrong[beam] += sum(order[i] > order[j] for i in range(12) for j in range(i + 1, 12))
            cost[beam] += sort.inferences
            assert sort.inferences <= 66
    assert cost[8] > cost[1]
    assert wrong[8] < wrong[1]


def test_results_wait_for_the_last_answer_and_nonsense_is_refused():
    sort = PairSort("ab")
    with pytest.raises(SortUnfinished):
        _ = sort.ranking
    for bad in (-0.1, 1.1, math.nan):
        with pytest.raises(InvalidSetting):
            sort.tell(bad)
    sort.tell(0.2)
    assert sort.ranking == ("b", "a")
    with pytest.raises(SortUnfinished):
        sort.tell(0.5)
    with pytest.raises(DuplicateItem):
        PairSort("aa")
    with pytest.raises(InvalidSetting):
        PairSort("ab", beam=0)
    with pytest.raises(InvalidSetting):
        PairSort("ab", gap=0.7)
