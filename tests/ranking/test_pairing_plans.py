import json
import math
from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from arena.ranking.errors import IncompleteState, InvalidPlan, InvalidSetting, TooFewSystems
from arena.ranking.pairing import RULES, PairPlan, SetPlan, State, plan_from_dict, rule_from_settings

ITEMS = tuple("abcdef")


def state_of(n, seed=0, **changes):
    rng = np.random.default_rng(seed)
    met = np.triu(rng.integers(0, 6, (n, n)), 1).astype(float)
    won = np.zeros((n, n))
    above = np.triu_indices(n, 1)
    won[above] = rng.binomial(met[above].astype(int), 0.6)
    won.T[above] = met[above] - won[above]
    root = rng.normal(size=(n, n)) * 0.3
    items = ITEMS if n == len(ITEMS) else tuple(f"s{i}" for i in range(n))
    values = {
        "met": met + met.T,
        "won": won,
        "theta": rng.normal(size=n),
        "covariance": root @ root.T,
        "embedding": rng.normal(size=(n, 8)),
    }
    return State(items, **(values | changes))


def frequencies(plan, k, exclude, times=3000):
    rng = np.random.default_rng(11)
    seen, chance = Counter(), {}
    for _ in range(times):
        drawn = plan.draw(rng, k=k, exclude=exclude)
        key = frozenset(drawn.items)
        assert len(key) == k
        assert not key & set(exclude)
        assert chance.setdefault(key, drawn.probability) == pytest.approx(drawn.probability)
        seen[key] += 1
    return seen, chance, times


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_states_the_frequency_with_which_it_draws(rule, k):
    plan = RULES[rule]().plan(state_of(6), k)
    seen, chance, times = frequencies(plan, k, ["b"])
    for key, probability in chance.items():
        assert (
            abs(seen[key] / times - probability)
            < 5 * math.sqrt(probability * (1 - probability) / times) + 1e-9
        )
    assert sum(chance.values()) < 1 + 1e-9


@pytest.mark.parametrize("rule", RULES)
def test_a_system_without_pull_is_never_drawn(rule):
    pull = np.array([1, 1, 0, 1, 1, 1.0])
    plan = rule_from_settings({"rule": rule}).plan(state_of(6, pull=pull), 2)
    rng = np.random.default_rng(0)
    assert all("c" not in plan.draw(rng, k=2).items for _ in range(200))


@pytest.mark.parametrize("rule", RULES)
def test_a_plan_survives_json(rule):
    plan = RULES[rule]().plan(state_of(6), 3)
    again = plan_from_dict(json.loads(json.dumps(plan.as_dict())))
    assert type(again) is type(plan)
    assert again.as_dict()["items"] == plan.as_dict()["items"]
    left, right = (p.draw(np.random.default_rng(4), k=3) for p in (plan, again))
    assert left.items == right.items
    assert left.probability == pytest.approx(right.probability, rel=1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_the_same_state_gives_the_same_plan(rule):
    left, right = (RULES[rule]().plan(state_of(6), 3).as_dict() for _ in range(2))
    assert left == right


@pytest.mark.parametrize("rule", RULES)
def test_a_plan_serves_hundreds_of_systems(rule):
    plan, rng = RULES[rule]().plan(state_of(300), 4), np.random.default_rng(0)
    drawn = plan.draw(rng, k=4, exclude=["s1"])
    assert len(set(drawn.items)) == 4
    assert "s1" not in drawn.items
    assert 0 < drawn.probability < 1


@pytest.mark.parametrize("rule", sorted(set(RULES) - {"uniform", "least-compared", "targets", "ksort-ucb"}))
def test_a_rule_that_lacks_what_it_reads_says_so(rule):
    bare = State(ITEMS, np.zeros((6, 6)))
    if rule == "block-design":
        RULES[rule]().plan(bare, 3)
        return
    with pytest.raises(IncompleteState):
        RULES[rule]().plan(bare, 2)


def test_pair_chances_are_the_matrix():
    weight = np.array([[0, 3, 1], [3, 0, 0], [1, 0, 0]], dtype=float)
    drawn = {
        plan.items: plan.probability
        for plan in (PairPlan(tuple("xyz"), weight).draw(np.random.default_rng(i)) for i in range(40))
    }
    assert {frozenset(pair): p for pair, p in drawn.items()} == {
        frozenset("xy"): pytest.approx(0.75),
        frozenset("xz"): pytest.approx(0.25),
    }


def test_a_set_plan_mixes_its_sets_with_exploration_by_hand():
    plan = SetPlan(tuple("wxyz"), ((0, 1), (1, 2)), (3.0, 1.0), 0.4, (0, 1, 2, 3))
    chance = {}
    rng = np.random.default_rng(0)
    while len(chance) < 6:
        drawn = plan.draw(rng)
        chance[frozenset(drawn.items)] = drawn.probability
    assert chance[frozenset("wx")] == pytest.approx(0.6 * 0.75 + 0.4 / 6)
    assert chance[frozenset("xy")] == pytest.approx(0.6 * 0.25 + 0.4 / 6)
    assert chance[frozenset("yz")] == pytest.approx(0.4 / 6)
    assert sum(chance.values()) == pytest.approx(1.0)


def test_a_set_plan_whose_sets_are_all_excluded_explores():
    plan = SetPlan(tuple("wxyz"), ((0, 1),), (1.0,), 0.1, (0, 1, 2, 3))
    drawn = plan.draw(np.random.default_rng(0), exclude=["w"])
    assert drawn.probability == pytest.approx(1 / 3)
    alone = SetPlan(tuple("wxyz"), ((0, 1),), (1.0,), 0.0, (0, 1, 2, 3))
    with pytest.raises(TooFewSystems):
        alone.draw(np.random.default_rng(0), exclude=["w"])


def test_wide_battles_of_a_pair_plan_sum_to_one_even_with_tiny_weights():
    weight = np.array(
        [
            [0, 1, 1e-12, 0, 0],
            [1, 0, 0, 1e-14, 0],
            [1e-12, 0, 0, 2, 3],
            [0, 1e-14, 2, 0, 1e-9],
            [0, 0, 3, 1e-9, 0],
        ]
    )
    plan = PairPlan(tuple("abcde"), weight)
    chance = {}
    rng = np.random.default_rng(0)
    for _ in range(3000):
        drawn = plan.draw(rng, k=3)
        chance[frozenset(drawn.items)] = drawn.probability
    assert sum(chance.values()) == pytest.approx(1.0, abs=1e-6)
    assert set(chance) <= {frozenset(c) for c in combinations("abcde", 3)}


@pytest.mark.parametrize(
    "make",
    [
        lambda: PairPlan(("a", "b"), np.array([[0, 1], [2, 0.0]])),
        lambda: PairPlan(("a", "b"), np.array([[0, -1], [-1, 0.0]])),
        lambda: SetPlan(("a", "b"), (), (), 0.1, (0, 1)),
        lambda: SetPlan(("a", "b"), ((0, 0),), (1.0,), 0.1, (0, 1)),
        lambda: SetPlan(("a", "b"), ((0, 2),), (1.0,), 0.1, (0, 1)),
        lambda: SetPlan(("a", "b"), ((0, 1),), (0.0,), 0.1, (0, 1)),
        lambda: plan_from_dict({"kind": "pairs"}),
        lambda: plan_from_dict({"kind": "trees", "items": []}),
        lambda: State(("a", "a"), np.zeros((2, 2))),
        lambda: State(("a", "b"), np.array([[0, 1], [0, 0.0]])),
        lambda: State(("a", "b"), np.zeros((2, 2)), theta=np.array([0.0, math.nan])),
        lambda: State(("a", "b"), np.zeros((2, 2)), pull=np.array([1.0, -1.0])),
        lambda: State(("a", "b"), np.zeros((2, 2)), embedding=np.zeros((2, 3))),
    ],
)
def test_impossible_plans_and_states_are_refused(make):
    with pytest.raises(InvalidPlan):
        make()


@pytest.mark.parametrize(
    "settings",
    [
        {"rule": "best"},
        {"rule": "uniform", "power": 2},
        {"rule": "information", "power": 0},
        {"rule": "information-sets", "starts": 0},
        {"rule": "thompson", "explore": 1.5},
        {"rule": "ksort-ucb", "alpha": -1},
        {"rule": "small-margin", "unit": "elo"},
        {"rule": "falling-variance", "phantom": 0},
        {"rule": "block-design", "design": "square"},
        {"rule": "targets", "boost": {"a": 0}},
        {"rule": "targets", "targets": {"a": ("a",)}},
    ],
)
def test_unknown_and_impossible_settings_are_refused(settings):
    with pytest.raises(InvalidSetting):
        rule_from_settings(settings)


def test_a_rule_is_one_stored_setting():
    rule = rule_from_settings({"rule": "small-margin", "temperature": 0.5})
    assert rule == RULES["small-margin"](temperature=0.5)


def test_a_plan_of_sets_of_two_is_a_plan_of_pairs(rng):
    plan = SetPlan(tuple("abcd"), ((0, 1), (1, 2)), (3.0, 1.0), 0.2, (0, 1, 2))
    pairs = plan.as_pairs()
    for _ in range(30):
        drawn = plan.draw(rng)
        one, two = ("abcd".index(item) for item in drawn.items)
        assert pairs.probability[one, two] == pytest.approx(drawn.probability)
    assert np.triu(pairs.probability).sum() == pytest.approx(1)
    with pytest.raises(InvalidSetting):
        SetPlan(tuple("abcd"), ((0, 1, 2),), (1.0,), 0.0, ()).as_pairs()
