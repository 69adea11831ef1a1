"""What each rule prefers, against cases worked out by hand or an independent computation."""

import math
from itertools import combinations, permutations

import numpy as np
import pytest
from scipy import integrate

from arena.ranking import Ballots, BradleyTerry, Sandwich
from arena.ranking.errors import IncompleteState, InvalidSetting, TooFewSystems
from arena.ranking.pairing import (
    BlockDesign,
    Dissimilar,
    DiverseSet,
    FallingVariance,
    Information,
    InformationSets,
    KSortUcb,
    LeastCompared,
    OptimisticRival,
    SmallMargin,
    State,
    Targets,
    Thompson,
    WidestPreference,
)
from arena.ranking.pairing.designs import equi_replicate, is_connected, latin_square, triangular, window
from arena.ranking.pairing.information import pair_information, ranking_information, set_information


def bare(n, **values):
    return State(tuple("abcdefghij"[:n]), values.pop("met", np.zeros((n, n))), **values)


def test_targets_get_half_of_the_battles_of_the_first_system():
    """a, b, c, d, e alike; a's targets b and c share a half of its battles, so d and e the other half."""
    plan = Targets(targets={"a": ("b", "c")}).plan(bare(5))
    assert plan.probability[0, 1] == pytest.approx(1 / 5 * 1 / 4 + 1 / 5 * 1 / 4)
    assert plan.probability[0, 3] == pytest.approx(1 / 5 * 1 / 4 + 1 / 5 * 1 / 4)
    one = Targets(targets={"a": ("b",)}).plan(bare(5))
    assert one.probability[0, 1] == pytest.approx(1 / 5 * 1 / 2 + 1 / 5 * 1 / 4)
    assert one.probability[0, 2] == pytest.approx(1 / 5 * 1 / 6 + 1 / 5 * 1 / 4)


def test_a_boosted_system_is_first_more_often():
    plan = Targets(boost={"a": 5.0}).plan(bare(3))
    assert plan.probability[0, 1] == pytest.approx(5 / 7 * 1 / 2 + 1 / 7 * 1 / 2)
    assert plan.probability[1, 2] == pytest.approx(2 * 1 / 7 * 1 / 2)


def test_systems_kept_apart_never_meet_and_strict_rivals_are_the_only_ones():
    plan = Targets(apart=("a", "b")).plan(bare(4))
    assert plan.probability[0, 1] == 0.0
    only = Targets(only={"a": ("b",)}).plan(bare(3))
    assert only.probability[0, 2] == pytest.approx(1 / 3 * 1 / 2)  # only where c is first
    with pytest.raises(TooFewSystems):
        Targets(apart=("a", "b")).plan(bare(2))


def test_a_target_in_outage_is_passed_over():
    plan = Targets(targets={"a": ("b",)}).plan(bare(3, pull=np.array([1.0, 0.0, 1.0])))
    assert plan.probability[0, 2] == pytest.approx(1.0)


def test_least_compared_weighs_by_one_over_one_plus_meetings():
    met = np.array([[0, 3, 0], [3, 0, 1], [0, 1, 0]], dtype=float)
    plan = LeastCompared().plan(bare(3, met=met))
    assert plan.probability[0, 1] / plan.probability[0, 2] == pytest.approx(1 / 4)


def test_the_falling_variance_rule_prefers_even_and_rare_pairs():
    won = np.array([[0, 9, 5], [1, 0, 50], [5, 50, 0]], dtype=float)
    plan = FallingVariance(phantom=1e-9).plan(bare(3, won=won))

    def fall(p, n):
        return math.sqrt(p * (1 - p) / n) - math.sqrt(p * (1 - p) / (n + 1))

    falls = {(0, 1): fall(0.9, 10), (0, 2): fall(0.5, 10), (1, 2): fall(0.5, 100)}
    for (i, j), value in falls.items():
        assert plan.probability[i, j] == pytest.approx(value / sum(falls.values()), rel=1e-6)


def test_pair_information_is_the_mutual_information_by_integration():
    theta, covariance = np.array([0.3, -0.5, 2.0]), np.array([[0.5, 0.1, 0], [0.1, 0.8, 0.2], [0, 0.2, 4.0]])
    found = pair_information(bare(3, theta=theta, covariance=covariance))

    def entropy(p):
        return -(p * math.log(p) + (1 - p) * math.log1p(-p)) if 0 < p < 1 else 0.0

    for i, j in combinations(range(3), 2):
        mean, sd = theta[i] - theta[j], math.sqrt(covariance[i, i] + covariance[j, j] - 2 * covariance[i, j])

        def over_gap(f, mean=mean, sd=sd):
            def inner(d):
                weight = math.exp(-0.5 * ((d - mean) / sd) ** 2) / (sd * math.sqrt(2 * math.pi))
                return weight * f(1 / (1 + math.exp(-d)))

            return integrate.quad(inner, mean - 9 * sd, mean + 9 * sd)[0]

        assert found[i, j] == pytest.approx(entropy(over_gap(lambda p: p)) - over_gap(entropy), abs=1e-3)
    assert np.array_equal(found, found.T)


def test_ranking_information_is_the_sum_over_all_orders():
    theta = np.array([0.4, -1.0, 0.2, 1.3])
    expected = np.zeros((4, 4))
    for order in permutations(range(4)):
        chance, information, left = 1.0, np.zeros((4, 4)), list(order)
        while len(left) > 1:
            p = np.exp(theta[left]) / np.exp(theta[left]).sum()
            information[np.ix_(left, left)] += np.diag(p) - np.outer(p, p)
            chance *= p[0]
            left.pop(0)
        expected += chance * information
    assert ranking_information(theta[None])[0] == pytest.approx(expected, abs=1e-12)


def test_information_sets_find_the_best_of_all_sets_when_they_may_try_all_starts():
    rng = np.random.default_rng(3)
    for _ in range(5):
        root = rng.normal(size=(7, 7))
        state = bare(7, theta=rng.normal(size=7), covariance=root @ root.T)
        every = np.array(list(combinations(range(7), 3)))
        best = set_information(state, every)
        plan = InformationSets(starts=21, explore=0.0).plan(state, 3)
        chosen = plan.sets[int(np.argmax(plan.chance))]
        assert set_information(state, np.array([chosen]))[0] == pytest.approx(best.max(), rel=0.02)


def test_information_asks_the_uncertain_even_pair():
    state = bare(3, theta=np.array([0.0, 0.1, 5.0]), covariance=np.eye(3))
    plan = Information(explore=0.0).plan(state)
    assert plan.probability.argmax() == 1  # a against b
    assert Information(explore=0.0, power=50).plan(state).probability[0, 1] > 0.999


def test_widest_preference_is_the_delta_method():
    state = bare(3, theta=np.array([0.0, 1.0, 3.0]), covariance=np.diag([1.0, 2.0, 0.1]))
    plan = WidestPreference(power=1.0, explore=0.0).plan(state)

    def width(gap, variance):
        p = 1 / (1 + math.exp(-gap))
        return p * (1 - p) * math.sqrt(variance)

    assert plan.probability[0, 1] / plan.probability[1, 2] == pytest.approx(width(1, 3) / width(2, 2.1))


def test_ksort_takes_the_least_compared_system_and_the_nearest_unmet_rivals():
    met = np.array([[0, 5, 5, 1], [5, 0, 5, 0], [5, 5, 0, 0], [1, 0, 0, 0]], dtype=float)
    state = bare(4, met=met, theta=np.array([0.0, 2.0, 1.0, 0.1]), covariance=np.eye(4) * 0.01)
    assert set(KSortUcb().plan(state, 2).sets[0]) == {3, 2}  # c is the nearer of the two never met
    assert set(KSortUcb().plan(state, 3).sets[0]) == {3, 2, 1}


def test_ksort_prefers_near_systems_where_all_met_alike():
    met = np.full((4, 4), 10.0)
    np.fill_diagonal(met, 0.0)
    state = bare(4, met=met, theta=np.array([0.0, 3.0, 0.5, -2.0]), covariance=np.eye(4) * 0.01)
    assert set(KSortUcb().plan(state, 2).sets[0]) == {0, 2}


def test_ksort_explores_with_the_stated_share():
    plan = KSortUcb(explore=0.1).plan(bare(4, theta=np.zeros(4), covariance=np.eye(4)), 2)
    chance = {}
    rng = np.random.default_rng(0)
    while len(chance) < 6:
        drawn = plan.draw(rng)
        chance[frozenset(drawn.items)] = drawn.probability
    assert sorted(chance.values()) == pytest.approx([0.1 / 6] * 5 + [0.9 + 0.1 / 6])


def test_thompson_draws_the_contenders_and_agrees_with_its_definition():
    theta, covariance = np.array([1.0, 0.8, 0.0, -4.0]), np.diag([0.3, 0.4, 0.2, 0.1])
    plan = Thompson(draws=4000, explore=0.0).plan(bare(4, theta=theta, covariance=covariance))
    rng = np.random.default_rng(5)
    seen = np.zeros((4, 4))
    for _ in range(4000):
        best = rng.multivariate_normal(theta, covariance).argmax()
        other = best
        while other == best:
            other = rng.multivariate_normal(theta, covariance).argmax()
        seen[best, other] += 1
        seen[other, best] += 1
    assert np.abs(plan.probability - seen / 4000).max() < 0.04
    assert plan.probability[0, 1] == plan.probability.max()


def test_thompson_with_a_sure_winner_gives_it_every_rival():
    plan = Thompson(explore=0.0).plan(bare(3, theta=np.array([9.0, 0, 0]), covariance=np.eye(3) * 1e-6))
    assert plan.probability[0] == pytest.approx([0, 0.5, 0.5])


def test_the_optimistic_rival_is_the_one_that_might_still_win():
    state = bare(3, theta=np.array([1.0, 0.5, 0.0]), covariance=np.diag([0.01, 0.01, 1.0]))
    assert set(OptimisticRival().plan(state, 2).sets[0]) == {0, 2}
    assert set(OptimisticRival(nu=0.0).plan(state, 2).sets[0]) == {0, 1}


def test_small_margin_weighs_by_the_gap_or_by_its_standard_errors():
    theta, covariance = np.array([0.0, 1.0, 3.0]), np.diag([0.0, 1.0, 3.0])
    plain = SmallMargin(explore=0.0).plan(bare(3, theta=theta))
    assert plain.probability[0, 1] / plain.probability[1, 2] == pytest.approx(math.exp(-1 + 2))
    scaled = SmallMargin(explore=0.0, unit="standard_error").plan(bare(3, theta=theta, covariance=covariance))
    assert scaled.probability[0, 1] / scaled.probability[1, 2] == pytest.approx(math.exp(-1 + 2 / 2))


def test_small_margin_survives_boards_that_are_far_apart():
    plan = SmallMargin(explore=0.0).plan(bare(3, theta=np.array([0.0, 5000.0, 11000.0])))
    assert plan.probability[0, 1] == pytest.approx(1.0)


def test_near_duplicates_are_never_shown_and_opposites_most():
    embedding = np.array([[1, 0], [1, 0.001], [0, 1], [-1, 0]], dtype=float)
    plan = Dissimilar().plan(bare(4, embedding=embedding))
    assert plan.probability[0, 1] == 0.0
    assert plan.probability[0, 3] / plan.probability[0, 2] == pytest.approx(2.0)
    with pytest.raises(TooFewSystems):
        Dissimilar().plan(bare(2, embedding=embedding[:2]))


def test_a_diverse_set_is_the_best_system_and_one_unlike_it():
    embedding = np.array([[1, 0], [1, 0.1], [0, 1]], dtype=float)
    state = bare(3, theta=np.array([1.0, 0.9, 0.2]), embedding=embedding)
    assert set(DiverseSet(diversity=2.0).plan(state, 2).sets[0]) == {0, 2}
    assert set(DiverseSet(diversity=0.1).plan(state, 2).sets[0]) == {0, 1}


@pytest.mark.parametrize(
    ("n", "k", "r"), [(12, 4, 2), (50, 4, 3), (50, 6, 2), (10, 3, 4), (7, 2, 3), (5, 5, 1)]
)
def test_equi_replicate_designs_are_even_and_connected(n, k, r):
    for seed in range(20):
        blocks = equi_replicate(n, k, r, np.random.default_rng(seed))
        times = np.bincount(np.concatenate(blocks), minlength=n)
        assert times.min() >= r
        assert times.max() <= r + 1
        assert all(len(set(block)) == k for block in blocks)
        assert is_connected(n, blocks)


def test_a_design_with_too_few_blocks_to_connect_is_refused():
    with pytest.raises(InvalidSetting):
        equi_replicate(12, 4, 1, np.random.default_rng(0))


@pytest.mark.parametrize("k", [3, 4, 5, 6])
def test_latin_and_triangular_designs_have_their_defining_counts(k):
    blocks = latin_square(k * k, k)
    assert np.bincount(np.concatenate(blocks)).tolist() == [3] * k * k
    assert is_connected(k * k, blocks)
    n = k * (k + 1) // 2
    blocks = triangular(n, k)
    assert np.bincount(np.concatenate(blocks)).tolist() == [2] * n
    assert all(len(set(a) & set(b)) == 1 for a, b in combinations(blocks, 2))
    for design in (latin_square, triangular):
        with pytest.raises(InvalidSetting):
            design(n + k * k + 1, k)


def test_a_latin_square_lets_two_systems_meet_at_most_once_for_odd_k():
    blocks = latin_square(25, 5)
    pairs = [pair for block in blocks for pair in combinations(sorted(block), 2)]
    assert len(set(pairs)) == len(pairs)


@pytest.mark.parametrize(("n", "k"), [(50, 4), (7, 2), (9, 5), (4, 4)])
def test_the_window_design_is_connected_and_small(n, k):
    blocks = window(n, k, np.random.default_rng(0))
    assert is_connected(n, blocks)
    assert len(blocks) == math.ceil(n / (k - 1))


def test_a_design_is_made_of_the_systems_that_can_be_drawn():
    plan = BlockDesign(design="all").plan(bare(4, pull=np.array([1, 0, 1, 1.0])), 2)
    assert set(plan.sets) == {(0, 2), (0, 3), (2, 3)}


def test_a_state_reads_a_board_and_leaves_a_newcomer_open():
    rng = np.random.default_rng(0)
    names, theta = list("abcd"), np.array([1.0, 0.3, -0.3, -1.0])
    first, second = rng.integers(0, 4, (2, 4000))
    keep = first != second
    first, second = first[keep], second[keep]
    won = rng.random(first.size) < 1 / (1 + np.exp(theta[second] - theta[first]))
    ballots = Ballots.from_pair_columns(items=names, first=first, second=second, outcome=np.where(won, 0, 1))
    ranking = BradleyTerry().fit(ballots, Sandwich())
    items = ("new", *names)
    state = State.from_ranking(items, ranking, np.zeros((5, 5)), prior_sd=2.0)
    assert state.theta[1:] == pytest.approx(theta, abs=0.3)
    assert state.theta[0] == 0.0
    assert state.covariance[0, 0] == pytest.approx(4.0)
    assert np.diag(state.covariance)[1:].max() < 0.02
    plan = Information().plan(state)
    assert plan.probability[0].sum() > 0.9
    with pytest.raises(IncompleteState):
        State.from_ranking(items, BradleyTerry().fit(ballots), np.zeros((5, 5)))


def test_a_system_whose_bounds_are_infinite_keeps_a_finite_spread():
    ballots = Ballots.from_pairs(
        ["a"] * 6 + ["b"] * 5 + ["c"], ["b", "c"] * 3 + ["a", "c"] * 2 + ["c", "d"], ["a"] * 12
    )
    ranking = BradleyTerry().fit(ballots, Sandwich())
    state = State.from_ranking(tuple("abcd"), ranking, np.zeros((4, 4)), prior_sd=2.0)
    assert np.isfinite(state.covariance).all()
    assert np.linalg.eigvalsh(state.covariance).min() > -1e-9
    assert np.diag(state.covariance).max() <= 4.0 + 1e-9
