import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, t

from arena.ranking import (
    Ballots,
    Bootstrap,
    Counting,
    InvalidSetting,
    NotComparable,
    Sandwich,
    TooFewClusters,
)
from arena.ranking.registry import fit_from_settings
from tests.ranking.boards import board_of, sampled_board, scores_of
from tests.ranking.test_properties import BATTLES, ITEMS, board


@pytest.mark.parametrize(("wins", "losses"), [(30, 12), (5, 5), (7, 0), (0, 9), (1, 200)])
def test_bounds_of_a_win_rate_are_wilsons(wins, losses):
    ranking = Counting().fit(board_of(("x", "y", "a", wins), ("x", "y", "b", losses)), interval=Sandwich())
    exact = binomtest(wins, wins + losses).proportion_ci(0.95, method="wilson")
    assert ranking["x"].score == pytest.approx(wins / (wins + losses))
    assert (ranking["x"].low, ranking["x"].high) == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_ties_are_half_and_narrow_the_interval():
    even = Counting().fit(board_of(("x", "y", "a", 10), ("x", "y", "b", 10)), interval=Sandwich())
    tied = Counting().fit(
        board_of(("x", "y", "a", 5), ("x", "y", "b", 5), ("x", "y", "tie", 10)), interval=Sandwich()
    )
    assert tied["x"].score == even["x"].score == 0.5
    assert tied["x"].high <= even["x"].high


def wilson(p, size, z):
    middle, half = p + z**2 / (2 * size), z * math.sqrt(p * (1 - p) / size + z**2 / (4 * size**2))
    return (middle - half) / (1 + z**2 / size), (middle + half) / (1 + z**2 / size)


def test_copied_votes_of_one_voter_count_once():
    """50 clusters of one size: Wilson's bounds of 49, what C / (C - 1) leaves, with Student's quantile."""
    rows = [("x", "y", "a", 30), ("x", "y", "b", 20)]
    copied = board_of(*[(a, b, o, 4 * n) for a, b, o, n in rows], voter=[i // 4 for i in range(200)])
    found = Counting().fit(copied, interval=Sandwich(cluster="voter"))
    assert (found["x"].low, found["x"].high) == pytest.approx(wilson(0.6, 49, t.ppf(0.975, 49)))
    assert found.diagnostics["clusters"] == 50
    assert found.diagnostics["freedom"] == pytest.approx(49)


def test_ties_count_for_more_than_their_number():
    """Half of 100 votes tied: the variance of a vote is 1/8 and not 1/4, so that they say as much as 200."""
    rows = [("x", "y", "a", 25), ("x", "y", "b", 25), ("x", "y", "tie", 50)]
    found = Counting().fit(board_of(*rows), interval=Sandwich())
    assert (found["x"].low, found["x"].high) == pytest.approx(wilson(0.5, 200, 1.959963985))


def test_uneven_clusters_have_wilsons_bounds_with_their_own_shares():
    """One voter has 4 of 8 votes, four have one each: shares 1/2 and 1/8, so 1 / (1/4 + 4/64) - 1 = 2.2."""
    outcomes = [("x", "y", "a", 3), ("x", "y", "b", 1), ("x", "y", "a", 1), ("x", "y", "b", 3)]
    found = Counting().fit(
        board_of(*outcomes, voter=[0] * 4 + [1, 2, 3, 4]), interval=Sandwich(cluster="voter")
    )
    # Residuals of the clusters: 3 - 4/2 = 1, and 1/2, -1/2, -1/2, -1/2.
    variance = (1**2 / (1 - 1 / 2) + 4 * 0.25 / (1 - 1 / 8)) / 8**2
    low, high = wilson(0.5, 0.25 / variance, t.ppf(0.975, 2.2))
    assert (found["x"].low, found["x"].high) == pytest.approx((low, high))
    assert found.diagnostics["freedom"] == pytest.approx(2.2)


def test_average_rank_shares_the_places_of_ties_and_puts_the_least_first():
    rows = [
        [("x", 1), ("y", 2), ("z", 2), ("w", None)],
        [("x", 1), ("y", 5), ("w", 7)],
        [("z", 1), ("w", 2)],
    ]
    ranking = Counting(score="average_rank").fit(Ballots.from_rankings(rows), interval=Sandwich())
    assert scores_of(ranking) == pytest.approx({"x": 1.0, "y": 2.25, "z": 1.75, "w": 2.5})
    assert [r.item for r in ranking.ratings] == ["x", "z", "y", "w"]
    assert ranking["x"].rank_low == 1
    assert ranking.settings["unit"] == "place on a ballot"


def test_all_bad_ballots_share_all_places_or_are_left_out():
    rows = [[("x", 1), ("y", 2), ("z", 3)], [("x", 1), ("y", 2), ("z", 3)]]
    bad = Ballots.from_rankings(rows, all_bad=[False, True])
    assert scores_of(Counting(score="average_rank").fit(bad)) == {"x": 1.5, "y": 2.0, "z": 2.5}
    dropped = Counting(score="average_rank", both_bad="drop").fit(bad)
    assert scores_of(dropped) == {"x": 1.0, "y": 2.0, "z": 3.0}


def test_a_system_met_by_one_cluster_has_no_bounds_of_its_average_rank():
    ballots = board_of(("x", "y", "a", 4), ("new", "x", "a", 3), voter=[0, 1, 2, 3, 9, 9, 9])
    ranking = Counting(score="average_rank").fit(ballots, interval=Sandwich(cluster="voter"))
    assert ranking["new"].high == math.inf


def test_intervals_of_win_rates_cover(rng):
    hits = total = 0
    for _ in range(150):
        ballots = sampled_board(rng, n=2, size=60, ties=0.3, spread=0.0)
        rating = Counting().fit(ballots, interval=Sandwich())["s000"]
        hits, total = hits + (rating.low <= 0.5 <= rating.high), total + 1
    assert hits / total > 0.9


def test_islands_keep_apart_and_the_unmet_is_unrated():
    ranking = Counting().fit(board_of(("x", "y", "a", 3), ("p", "q", "a", 2), items=["new"]))
    assert ranking["p"].component != ranking["x"].component
    assert ranking["new"].score is None
    with pytest.raises(NotComparable):
        ranking.difference("x", "y")


@settings(max_examples=40, deadline=None)
@given(BATTLES, st.permutations(range(5)))
def test_names_do_not_matter(battles, order):
    plain = Counting().fit(board(battles))
    renamed = Counting().fit(board(battles, names=tuple(ITEMS[i] for i in order)))
    for i in range(5):
        assert plain[ITEMS[i]].score == pytest.approx(renamed[ITEMS[order[i]]].score)


@settings(max_examples=40, deadline=None)
@given(BATTLES)
def test_bounds_hold_the_score_inside_0_and_1(battles):
    if len(battles) < 2:
        return
    for rating in Counting().fit(board(battles), interval=Sandwich()).ratings:
        assert rating.score is None or 0 <= rating.low <= rating.score <= rating.high <= 1


@pytest.mark.parametrize("values", [{"score": "x"}, {"both_bad": "grounded"}, {"provisional_below": -1}])
def test_an_impossible_setting_is_refused(values):
    with pytest.raises(InvalidSetting):
        Counting(**values)


def test_a_bootstrap_or_one_cluster_is_refused():
    ballots = board_of(("x", "y", "a", 3), voter=["u"] * 3)
    with pytest.raises(InvalidSetting):
        Counting().fit(ballots, interval=Bootstrap())
    with pytest.raises(TooFewClusters):
        Counting().fit(ballots, interval=Sandwich(cluster="voter"))


@pytest.mark.parametrize("model", ["counting", "elo", "plackett-luce"])
def test_one_setting_changes_the_model_of_a_stored_question(model, rng):
    stored = {
        "model": "bradley-terry",
        "ties": "half",
        "both_bad": "tie",
        "prior": 0.0,
        "anchor_mean": 1000.0,
        "level": 0.95,
        "interval": "sandwich",
        "cluster": "voter",
    }
    ballots = sampled_board(rng, n=4, size=200, voters=40)
    found = fit_from_settings({**stored, "model": model}, ballots)
    assert found.settings["model"] == model
    assert "ties" in found.diagnostics["settings_unused"]
    assert found.ratings[0].low is not None
    assert np.isfinite([r.score for r in found.ratings]).all()
    json.dumps(found.as_dict(), allow_nan=False)
