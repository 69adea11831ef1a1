import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.ranking import Bootstrap, InvalidPlan, InvalidSetting, MissingRandomness, NotConverged, Sandwich
from arena.ranking.cycles.nash import NashLottery, exact_equilibrium, regularised_equilibrium
from tests.ranking.boards import board_of, published_ballots, published_rows, sampled_board, scores_of

# Beats by 0.2, 0.4 and 0.6: the equilibrium of a 3-cycle weighs each by the margin between the other two.
CYCLE = np.array([[0.0, 0.2, -0.6], [-0.2, 0.0, 0.4], [0.6, -0.4, 0.0]])
CYCLE_WEIGHTS = np.array([0.4, 0.6, 0.2]) / 1.2

games = st.integers(2, 8).flatmap(
    lambda n: st.lists(
        st.sampled_from([-1.0, -0.6, -0.2, 0.0, 0.1, 0.5, 1.0]),
        min_size=n * (n - 1) // 2,
        max_size=n * (n - 1) // 2,
    ).map(lambda values: skew(n, values))
)


def skew(n, values):
    matrix = np.zeros((n, n))
    matrix[np.triu_indices(n, 1)] = values
    return matrix - matrix.T


def entropy(mixture):
    used = mixture[mixture > 0]
    return float(-(used * np.log(used)).sum())


def test_a_weighted_cycle_by_hand():
    found = exact_equilibrium(CYCLE)
    assert found.mixture == pytest.approx(CYCLE_WEIGHTS)
    assert found.payoff == pytest.approx(0.0, abs=1e-12)
    assert found.support.all()


def test_who_beats_everybody_has_all_the_weight():
    found = exact_equilibrium(skew(3, [0.1, 0.4, 0.9]))
    assert found.mixture == pytest.approx([1.0, 0.0, 0.0])
    assert found.support.tolist() == [True, False, False]


def test_of_many_equilibria_the_most_even_is_taken():
    assert exact_equilibrium(np.zeros((4, 4))).mixture == pytest.approx(0.25)
    # Two at the top that draw, one below: any mixture of the two is an equilibrium.
    assert exact_equilibrium(skew(3, [0.0, 0.3, 0.7])).mixture == pytest.approx([0.5, 0.5, 0.0], abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(games, st.randoms(use_true_random=False))
def test_an_exact_equilibrium_is_beaten_by_nobody_and_knows_no_names(matrix, random):
    found = exact_equilibrium(matrix)
    assert (found.mixture >= 0).all()
    assert found.mixture.sum() == pytest.approx(1.0)
    assert (matrix @ found.mixture).max() <= 1e-7
    order = list(range(matrix.shape[0]))
    random.shuffle(order)
    other = exact_equilibrium(matrix[np.ix_(order, order)])
    assert other.mixture == pytest.approx(found.mixture[order], abs=1e-5)
    assert other.support.tolist() == found.support[order].tolist()


@settings(max_examples=30, deadline=None)
@given(games)
def test_the_support_holds_every_pure_system_that_some_equilibrium_plays(matrix):
    """Oracle: a linear program for each system, largest weight in any equilibrium."""
    from scipy.optimize import linprog

    n = matrix.shape[0]
    found = exact_equilibrium(matrix)
    for system in range(n):
        most = linprog(
            -np.eye(n)[system],
            A_ub=matrix,
            b_ub=np.zeros(n),
            A_eq=np.ones((1, n)),
            b_eq=[1.0],
            method="highs",
        )
        assert (-most.fun > 1e-6) == bool(found.support[system])


@settings(max_examples=30, deadline=None)
@given(games)
def test_the_two_solvers_agree_within_the_exploitability(matrix):
    exact = exact_equilibrium(matrix)
    temperature = 0.01
    smooth = regularised_equilibrium(matrix, temperature=temperature)
    n = matrix.shape[0]
    assert smooth.exploitability <= temperature * math.log(n) + 1e-9
    # Nobody wins more against one than against the other's worst, and the limit has the larger entropy.
    assert (exact.mixture @ matrix @ smooth.mixture) <= smooth.exploitability + 1e-7
    assert entropy(exact.mixture) <= entropy(smooth.mixture) + 1e-6


def test_the_regularised_limit_is_the_exact_lottery():
    clones = np.zeros((4, 4))
    clones[:3, :3] = CYCLE
    clones[3, :3], clones[:3, 3] = CYCLE[0], -CYCLE[0]
    exact = exact_equilibrium(clones)
    gaps = [
        np.abs(regularised_equilibrium(clones, temperature=t).mixture - exact.mixture).max()
        for t in (0.1, 0.01, 0.001)
    ]
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 2e-3
    # A copy shares its original's weight and leaves the others alone.
    assert exact.mixture == pytest.approx([1 / 6, 0.5, 1 / 6, 1 / 6], abs=1e-6)


def test_a_regularised_mixture_answers_itself():
    found = regularised_equilibrium(CYCLE, temperature=0.05)
    answer = np.exp(CYCLE @ found.mixture / 0.05)
    assert found.mixture == pytest.approx(answer / answer.sum(), abs=1e-8)


def test_too_few_steps_are_no_result(monkeypatch):
    monkeypatch.setattr("arena.ranking.cycles.nash._MAX_STEPS", 5)
    with pytest.raises(NotConverged):
        regularised_equilibrium(CYCLE, temperature=0.01)


def test_what_is_no_game_is_refused():
    for wrong in (np.ones((2, 2)), np.zeros((2, 3)), np.zeros((0, 0)), np.full((2, 2), np.nan)):
        with pytest.raises(InvalidPlan):
            exact_equilibrium(wrong)
    with pytest.raises(InvalidSetting):
        regularised_equilibrium(CYCLE, temperature=0.0)


def votes(a, b, won, lost):
    return [(a, b, "a", won), (a, b, "b", lost)]


def test_a_board_by_hand():
    rows = votes("x", "y", 6, 4) + votes("y", "z", 7, 3) + votes("z", "x", 8, 2)
    rows += [row for top in "xyz" for row in votes(top, "w", 9, 1)]
    found = NashLottery(solver="exact").fit(board_of(*rows))
    assert found.diagnostics["weights"] == pytest.approx(
        dict(zip("xyz", CYCLE_WEIGHTS.tolist(), strict=True)) | {"w": 0.0}
    )
    assert found.diagnostics["support"] == ["x", "y", "z"]
    assert scores_of(found) == pytest.approx({"x": 0.5, "y": 0.5, "z": 0.5, "w": 0.1})
    (component,) = found.diagnostics["components"]
    assert component["has_cycle"]
    assert component["unmet_pairs"] == 0


def test_a_score_is_ordered_like_the_weight(rng):
    found = NashLottery().fit(sampled_board(rng, n=8, size=600))
    weights = found.diagnostics["weights"]
    assert [r.item for r in found.ratings] == sorted(weights, key=weights.get, reverse=True)
    assert sum(weights.values()) == pytest.approx(1.0)
    for one, two in itertools.combinations(found.ratings, 2):
        gap = math.log(weights[one.item]) - math.log(weights[two.item])
        assert one.score - two.score == pytest.approx(0.5 * 0.02 * gap, abs=1e-8)


def test_payoffs_read_the_votes_as_they_say():
    rows = votes("x", "y", 6, 4) + votes("y", "z", 30, 10)
    ballots = board_of(*rows)
    from arena.ranking.table_problem import base_of

    base = base_of(ballots, both_bad="tie")
    share, margin, fitted = (
        NashLottery(payoff=payoff, rank=0).matrix(base.tables[0], base)
        for payoff in ("share", "margin", "fitted")
    )
    assert share == pytest.approx(skew(3, [0.2, 0.0, 0.5]))
    assert margin == pytest.approx(skew(3, [0.05, 0.0, 0.5]))
    # 3 : 2 and 3 : 1 make 9 : 2 on one scale.
    assert fitted == pytest.approx(skew(3, [0.2, 7 / 11, 0.5]))


def test_a_copy_of_a_system_takes_weight_from_its_original_only():
    rows = votes("x", "y", 6, 4) + votes("y", "z", 7, 3) + votes("z", "x", 8, 2)
    copied = rows + votes("x2", "y", 6, 4) + votes("z", "x2", 8, 2) + votes("x", "x2", 5, 5)
    before, after = (
        NashLottery(solver="exact").fit(board_of(*r)).diagnostics["weights"] for r in (rows, copied)
    )
    assert after["x"] + after["x2"] == pytest.approx(before["x"], abs=1e-6)
    assert after["y"] == pytest.approx(before["y"], abs=1e-6)


def test_bounds_stay_inside_the_possible(rng):
    ballots = sampled_board(rng, n=5, size=200)
    found = NashLottery().fit(ballots, interval=Bootstrap(replicates=30), rng=rng)
    assert all(0.0 <= r.low <= r.score <= r.high <= 1.0 for r in found.ratings)
    again = NashLottery().fit(ballots)
    assert scores_of(again) == scores_of(found)


@pytest.mark.parametrize("payoff", ["share", "margin", "fitted"])
@pytest.mark.parametrize("solver", ["extragradient", "exact"])
def test_components_and_systems_without_ballots(payoff, solver):
    ballots = board_of(*votes("x", "y", 3, 1), *votes("p", "q", 2, 2), items=["x", "y", "p", "q", "lone"])
    found = NashLottery(payoff=payoff, solver=solver).fit(ballots)
    assert found["lone"].score is None
    assert found["x"].score > found["y"].score
    assert found["p"].score == pytest.approx(found["q"].score)
    json.dumps(found.as_dict())


@pytest.mark.parametrize(
    "values",
    [
        {"payoff": "votes"},
        {"solver": "simplex"},
        {"temperature": 0.0},
        {"rank": -1},
        {"ridge": 0.0},
        {"both_bad": "grounded"},
        {"provisional_below": -1},
    ],
)
def test_an_impossible_setting_is_refused(values):
    with pytest.raises(InvalidSetting):
        NashLottery(**values)


def test_what_it_needs_is_asked_for():
    ballots = board_of(*votes("x", "y", 3, 1))
    with pytest.raises(InvalidSetting):
        NashLottery().fit(ballots, interval=Sandwich())
    with pytest.raises(MissingRandomness):
        NashLottery().fit(ballots, interval=Bootstrap())


@pytest.mark.data
@pytest.mark.parametrize("payoff", ["share", "margin", "fitted"])
def test_gpt_4_is_the_whole_lottery_of_mt_bench(payoff):
    ballots = published_ballots(published_rows("mtbench_votes.csv.gz"), "question_id")
    assert NashLottery(payoff=payoff).fit(ballots).diagnostics["support"] == ["gpt-4"]
