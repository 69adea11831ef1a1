import json
import math

import choix
import numpy as np
import pytest

from arena.ranking import (
    Ballots,
    BradleyTerry,
    InvalidSetting,
    MissingRandomness,
    NotComparable,
    NotConverged,
    Sandwich,
    TooFewClusters,
    expected_win_rate,
)
from arena.ranking import newton as solver
from arena.ranking.counts import compare, tally
from arena.ranking.intervals import Bootstrap
from arena.ranking.result import SCALE
from tests.ranking.boards import board_of, sampled_board, scores_of

CYCLE = [("x", "y", "a", 6), ("y", "z", "a", 5), ("z", "x", "a", 2), ("y", "x", "a", 3), ("z", "y", "tie", 2)]


def half_tie_matrix(ballots):
    total = tally(compare(ballots))
    won = np.zeros((total.n_items, total.n_items))
    won[total.first, total.second] = total.weight[0] + total.weight[2] / 2
    won[total.second, total.first] = total.weight[1] + total.weight[2] / 2
    return won


def test_two_systems_have_the_closed_form():
    ranking = BradleyTerry().fit(board_of(("x", "y", "a", 3), ("x", "y", "b")))
    assert ranking["x"].score - ranking["y"].score == pytest.approx(400 * math.log10(3), abs=1e-9)
    assert expected_win_rate(ranking["x"].score, ranking["y"].score) == pytest.approx(0.75)


def test_scores_match_choix_to_1e_8_in_log_strength(rng):
    ballots = sampled_board(rng, n=30, size=20_000)
    ours = np.array([scores_of(BradleyTerry().fit(ballots))[item] for item in ballots.items])
    theirs = choix.ilsr_pairwise_dense(half_tie_matrix(ballots), alpha=0.0, max_iter=1000, tol=1e-12)
    assert np.abs((ours - ours.mean()) / SCALE - (theirs - theirs.mean())).max() < 1e-8


def test_weighted_scores_match_choix(rng):
    board = sampled_board(rng, n=10, size=3000)
    weighted = Ballots.from_columns(
        items=board.items,
        offsets=board.offsets,
        slot_item=board.slot_item,
        slot_rank=board.slot_rank,
        weight=rng.gamma(1.0, size=3000),
    )
    ours = np.array([scores_of(BradleyTerry().fit(weighted))[item] for item in board.items])
    theirs = choix.ilsr_pairwise_dense(half_tie_matrix(weighted), alpha=0.0, max_iter=1000, tol=1e-12)
    assert np.abs((ours - ours.mean()) / SCALE - (theirs - theirs.mean())).max() < 1e-8


def test_release_window_ribbon_is_exact(rng):
    """200 systems, each met only its 8 neighbours: slow first-order solvers stop 100 Elo off here."""
    n, times = 200, 490
    theta = np.linspace(-6.0, 6.0, n) + rng.normal(0.0, 0.3, n)
    first, second = (np.array(side) for side in zip(*neighbours(n, 4), strict=True))
    wins = rng.binomial(times, 1 / (1 + np.exp(theta[second] - theta[first])))
    codes = np.concatenate([np.repeat([0, 1], [w, times - w]) for w in wins.tolist()])
    ballots = Ballots.from_pair_columns(
        items=[f"s{i}" for i in range(n)],
        first=np.repeat(first, times),
        second=np.repeat(second, times),
        outcome=codes,
    )
    ranking = BradleyTerry().fit(ballots)
    exact = exact_solution(first, second, wins.astype(float), float(times), n)
    ours = np.array([ranking[f"s{i}"].score for i in range(n)])
    assert len(ballots) > 380_000
    assert np.abs(ours - 1000.0 - SCALE * exact).max() < 0.01
    assert ranking.diagnostics["iterations"] < 20


def neighbours(n, reach):
    return [(i, j) for i in range(n) for j in range(i + 1, min(i + reach, n - 1) + 1)]


def exact_solution(first, second, wins, times, n):
    """Newton in dense linear algebra with the first system fixed at 0, sharing no code with the library."""
    design = np.zeros((first.size, n))
    design[np.arange(first.size), first] = 1.0
    design[np.arange(first.size), second] = -1.0
    design = design[:, 1:]
    theta = np.zeros(n - 1)
    for _ in range(100):
        p = 1 / (1 + np.exp(-design @ theta))
        step = np.linalg.solve(
            design.T @ (design * (times * p * (1 - p))[:, None]), design.T @ (wins - times * p)
        )
        theta += step * min(1.0, 1.0 / np.abs(step).max())
        if np.abs(step).max() < 1e-11:
            break
    full = np.concatenate([[0.0], theta])
    return full - full.mean()


def test_mean_of_rated_scores_is_the_anchor(rng):
    ranking = BradleyTerry(anchor_mean=1500.0).fit(sampled_board(rng, n=7, size=200))
    assert np.mean([rating.score for rating in ranking.ratings]) == pytest.approx(1500.0, abs=1e-9)


def test_a_system_never_met_is_listed_unrated():
    ranking = BradleyTerry().fit(board_of(*CYCLE, items=["new"]), interval=Sandwich())
    rating = ranking.ratings[-1]
    assert (rating.item, rating.score, rating.low, rating.high) == ("new", None, None, None)
    assert (rating.rank_low, rating.rank_high, rating.n, rating.component) == (None, None, 0, None)
    assert rating.provisional
    assert scores_of(ranking)["x"] == pytest.approx(
        scores_of(BradleyTerry().fit(board_of(*CYCLE)))["x"], abs=1e-9
    )


def test_ratings_are_best_first_with_their_record():
    ranking = BradleyTerry(provisional_below=12).fit(board_of(*CYCLE))
    assert [r.item for r in ranking.ratings] == ["x", "y", "z"]
    assert [(r.n, r.wins, r.ties, r.losses) for r in ranking.ratings] == [
        (11, 6, 0, 5),
        (16, 8, 2, 6),
        (9, 2, 2, 5),
    ]
    assert [r.provisional for r in ranking.ratings] == [True, False, True]
    assert not any(r.separated for r in ranking.ratings)


def test_islands_are_fitted_apart_and_never_compared():
    island = [("p", "q", "a", 3), ("p", "q", "b", 1)]
    both = BradleyTerry().fit(board_of(*CYCLE, *island, items=list("xyzpq")), interval=Sandwich())
    alone = BradleyTerry().fit(board_of(*CYCLE), interval=Sandwich())
    assert [(r.item, r.component) for r in both.ratings] == [("x", 0), ("y", 0), ("z", 0), ("p", 1), ("q", 1)]
    assert [(both[i].score, both[i].low, both[i].rank_high) for i in "xyz"] == [
        (pytest.approx(alone[i].score), pytest.approx(alone[i].low, rel=1e-2), alone[i].rank_high)
        for i in "xyz"
    ]
    assert both["p"].score + both["q"].score == pytest.approx(2000.0)
    assert {both["p"].rank_low, both["q"].rank_high} == {1, 2}
    assert both.diagnostics["strongly_connected"]
    assert [c["items"] for c in both.diagnostics["components"]] == [["x", "y", "z"], ["p", "q"]]
    with pytest.raises(NotComparable):
        both.difference("x", "p")


def test_a_strongly_connected_component_is_untouched_by_the_phantom_next_door():
    lone = [("p", "q", "a", 3)]
    with_lone = BradleyTerry().fit(board_of(*CYCLE, *lone, items=list("xyzpq")))
    without = BradleyTerry().fit(board_of(*CYCLE, items=list("xyzpq")))
    assert with_lone.diagnostics["phantom_pairs"] == 1
    assert without.diagnostics["phantom_pairs"] == 0
    assert [with_lone[i].score for i in "xyz"] == [without[i].score for i in "xyz"]


def test_phantoms_are_half_a_drawn_battle_on_each_crossing_pair():
    """The same board with the phantoms written out as ballots of weight one half."""
    rows = [*CYCLE, ("top", "x", "a", 4), ("top", "y", "a", 2)]
    ranking = BradleyTerry().fit(board_of(*rows))
    weights = [1.0] * 24 + [0.5] * 2
    explicit = board_of(*rows, ("top", "x", "tie"), ("y", "top", "tie"), weight=weights)
    assert ranking.diagnostics["phantom_pairs"] == 2
    expected = scores_of(BradleyTerry().fit(explicit))
    assert scores_of(ranking) == pytest.approx(expected, abs=1e-6)


def test_a_system_that_won_all_has_no_upper_bound():
    ranking = BradleyTerry().fit(
        board_of(*CYCLE, ("top", "x", "a", 4), ("top", "y", "a", 2)), interval=Sandwich()
    )
    top = ranking.ratings[0]
    assert top.item == "top"
    assert top.separated
    assert top.high == math.inf
    assert (top.rank_low, top.rank_high) in {(1, n) for n in range(1, 5)}
    assert 100 < top.score - top.low < 3000
    assert [ranking[i].separated for i in "xyz"] == [False] * 3
    assert all(math.isfinite(ranking[i].low) and math.isfinite(ranking[i].high) for i in "xyz")
    assert not ranking.diagnostics["strongly_connected"]
    gap = ranking.difference("top", "x")
    assert gap.high == math.inf
    assert math.isfinite(gap.low)


def test_a_system_that_lost_all_has_no_lower_bound():
    ranking = BradleyTerry().fit(board_of(*CYCLE, ("x", "last", "a", 40)), interval=Sandwich())
    last = ranking.ratings[-1]
    assert last.item == "last"
    assert last.separated
    assert last.low == -math.inf
    assert math.isfinite(last.high)
    assert ranking.difference("last", "x").low == -math.inf


def test_without_a_body_source_and_sink_are_open_and_the_middle_is_bounded():
    ranking = BradleyTerry().fit(board_of(("x", "y", "a", 5), ("y", "z", "a", 5)), interval=Sandwich())
    assert [r.separated for r in ranking.ratings] == [True] * 3
    assert [math.isinf(r.high) for r in ranking.ratings] == [True, False, False]
    assert [math.isinf(r.low) for r in ranking.ratings] == [False, False, True]
    assert ranking.diagnostics["phantom_pairs"] == 2


def test_a_system_that_beat_the_winner_of_all_but_never_met_the_rest_is_open_on_the_far_side():
    """`side` lost to `top` only: nothing says how it compares with the body below."""
    rows = [*CYCLE, ("top", "x", "a", 3), ("top", "side", "a", 3)]
    ranking = BradleyTerry().fit(board_of(*rows), interval=Sandwich())
    assert (ranking["side"].low, ranking["side"].high) == (-math.inf, math.inf)
    assert ranking["top"].high == math.inf
    assert math.isfinite(ranking["top"].low)


def test_a_prior_keeps_a_winner_of_all_finite_without_phantoms():
    rows = [*CYCLE, ("top", "x", "a", 4)]
    ranking = BradleyTerry(prior=0.5).fit(board_of(*rows), interval=Sandwich())
    assert ranking.diagnostics["phantom_pairs"] == 0
    assert ranking["top"].separated
    assert math.isfinite(ranking["top"].high)


def test_a_prior_is_a_drawn_battle_on_every_observed_pair():
    ranking = BradleyTerry(prior=2.0).fit(board_of(*CYCLE))
    drawn = [("x", "y", "tie", 2), ("y", "z", "tie", 2), ("x", "z", "tie", 2)]
    expected = scores_of(BradleyTerry().fit(board_of(*CYCLE, *drawn)))
    assert scores_of(ranking) == pytest.approx(expected, abs=1e-6)


def test_both_bad_as_tie_or_left_out():
    rows = [*CYCLE, ("x", "y", "both_bad", 7)]
    as_tie = BradleyTerry().fit(board_of(*rows))
    dropped = BradleyTerry(both_bad="drop").fit(board_of(*rows))
    assert scores_of(as_tie) == scores_of(BradleyTerry().fit(board_of(*CYCLE, ("x", "y", "tie", 7))))
    assert scores_of(dropped) == pytest.approx(scores_of(BradleyTerry().fit(board_of(*CYCLE))), abs=1e-9)
    assert as_tie.diagnostics["n_all_bad"] == dropped.diagnostics["n_all_bad"] == 7
    assert as_tie.diagnostics["dropped"]["both_bad"] == 0
    assert dropped.diagnostics["dropped"]["both_bad"] == 7
    assert as_tie.diagnostics["n_ballots"] == dropped.diagnostics["n_ballots"] + 7


def test_all_ties_are_all_equal():
    ranking = BradleyTerry().fit(board_of(("x", "y", "tie", 5), ("y", "z", "tie", 5)), interval=Sandwich())
    assert [r.score for r in ranking.ratings] == [1000.0] * 3
    assert not any(r.separated for r in ranking.ratings)


def test_a_kwise_ballot_is_read_as_its_pairs_and_said_so():
    kwise = Ballots.from_rankings([[("x", 1), ("y", 2), ("z", 3)], [("z", 1), ("x", 1), ("y", None)]] * 3)
    pairs = [("x", "y", "a", 3), ("x", "z", "a", 3), ("y", "z", "a", 3), ("x", "z", "tie", 3)]
    ranking = BradleyTerry().fit(kwise)
    assert scores_of(ranking) == pytest.approx(scores_of(BradleyTerry().fit(board_of(*pairs))), abs=1e-9)
    assert ranking.diagnostics["kwise_as_pairs"] == 6
    assert ranking.diagnostics["n_comparisons"] == 12
    assert ranking["y"].n == 3


def test_no_ballots_rate_nobody():
    ranking = BradleyTerry().fit(board_of(items=["x", "y"]))
    assert [r.score for r in ranking.ratings] == [None, None]
    assert ranking.diagnostics["n_ballots"] == 0
    with pytest.raises(TooFewClusters):
        BradleyTerry().fit(board_of(items=["x", "y"]), interval=Sandwich())


def test_the_fit_is_the_same_twice(rng):
    board = sampled_board(rng, n=20, size=2000, voters=50)
    first, second = (
        BradleyTerry().fit(
            board, interval=Bootstrap(cluster="voter", replicates=20), rng=np.random.default_rng(5)
        )
        for _ in range(2)
    )
    assert first.as_dict() == second.as_dict()


def test_a_result_is_json_and_says_what_was_asked():
    ranking = BradleyTerry().fit(
        board_of(*CYCLE, ("top", "x", "a", 4), items=["new"], voter=list(range(22))),
        interval=Sandwich(cluster="voter", level=0.9),
    )
    found = json.loads(json.dumps(ranking.as_dict(), allow_nan=False))
    assert found["ratings"][0]["high"] is None
    assert found["settings"]["interval"] == {"kind": "sandwich", "level": 0.9, "cluster": "voter"}
    assert found["settings"]["ties"] == "half"
    assert found["diagnostics"]["clusters"] == 22
    assert found["diagnostics"]["converged"] is True


def test_the_log_likelihood_leaves_phantoms_out():
    ranking = BradleyTerry().fit(board_of(("x", "y", "a", 3), ("x", "y", "b")))
    assert ranking.diagnostics["log_likelihood"] == pytest.approx(3 * math.log(0.75) + math.log(0.25))
    separated = BradleyTerry().fit(board_of(("x", "y", "a", 3)))
    p = expected_win_rate(separated["x"].score, separated["y"].score)
    assert separated.diagnostics["log_likelihood"] == pytest.approx(3 * math.log(p))


def test_a_solver_that_runs_out_of_steps_raises(monkeypatch):
    monkeypatch.setattr(solver, "MAX_ITERATIONS", 1)
    with pytest.raises(NotConverged):
        BradleyTerry().fit(board_of(*CYCLE))


def test_extreme_records_still_converge():
    rows = [("s0", "s1", "a", 20_000), ("s0", "s1", "b", 1), ("s1", "s2", "a", 20_000), ("s2", "s1", "a", 1)]
    ranking = BradleyTerry().fit(board_of(*rows, ("s2", "s3", "a", 30_000)))
    assert ranking["s0"].score - ranking["s1"].score == pytest.approx(400 * math.log10(20_000), abs=1e-6)
    assert ranking["s2"].score - ranking["s3"].score == pytest.approx(
        400 * math.log10(30_000.25 / 0.25), abs=1e-4
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"ties": "thirds"},
        {"prior": -1.0},
        {"prior": math.nan},
        {"both_bad": "win"},
        {"anchor_mean": math.inf},
        {"provisional_below": -1},
    ],
)
def test_an_impossible_setting_is_refused(settings):
    with pytest.raises(InvalidSetting):
        BradleyTerry(**settings)


def test_a_bootstrap_needs_its_generator():
    with pytest.raises(MissingRandomness):
        BradleyTerry().fit(board_of(*CYCLE), interval=Bootstrap())
