import itertools
import json

import choix
import evalica
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.ranking import Ballots, Bootstrap, BradleyTerry, InvalidSetting, NotConverged, Sandwich
from arena.ranking.result import SCALE
from arena.ranking.scored import Table
from arena.ranking.voting import joint_rank as module
from arena.ranking.voting.joint_rank import (
    UNITS,
    PairAggregation,
    eigenvector,
    pagerank,
    rank_centrality,
    stationary,
    win_rates,
)
from tests.ranking.boards import board_of, sampled_board, scores_of
from tests.ranking.voting.elections import ELECTIONS, NAMES, drawn

METHODS = tuple(UNITS)
WINNERS = (evalica.Winner.X, evalica.Winner.Y, evalica.Winner.Draw)


def scores(method, ballots, **settings_):
    return scores_of(PairAggregation(method=method, **settings_).fit(ballots))


def table_of(won):
    won = np.asarray(won, dtype=np.float64)
    return Table(np.arange(won.shape[0]), won, won + won.T)


def columns_of(ballots, *, swapped=False):
    """What evalica reads; `swapped` turns every winner into the loser."""
    outcome = ballots.pair_key % 4
    turned = np.array([1, 0, 2])[outcome] if swapped else outcome
    first, second = ballots.slot_item[0::2], ballots.slot_item[1::2]
    return (
        [ballots.items[i] for i in first],
        [ballots.items[i] for i in second],
        [WINNERS[code] for code in turned],
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_win_rate_and_pagerank_are_evalicas(seed):
    ballots = sampled_board(np.random.default_rng(seed), n=7, size=150)
    oracle = evalica.average_win_rate(*columns_of(ballots)).scores
    assert scores("win-rate", ballots) == pytest.approx(oracle.to_dict())
    oracle = evalica.pagerank(*columns_of(ballots), tolerance=1e-13, limit=10_000).scores
    assert scores("pagerank", ballots) == pytest.approx(oracle.to_dict(), abs=1e-10)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_eigenvector_is_evalicas_with_winners_and_losers_swapped(seed):
    """evalica 0.4.2 multiplies by the transposed matrix of wins, so that there losing pays."""
    ballots = sampled_board(np.random.default_rng(seed), n=7, size=400)
    oracle = evalica.eigen(*columns_of(ballots, swapped=True), tolerance=1e-13, limit=10_000).scores
    found = scores("eigenvector", ballots, prior=1e-12)
    assert found == pytest.approx((oracle / oracle.sum()).to_dict(), abs=1e-9)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_rank_centrality_is_choixs(seed):
    ballots = sampled_board(np.random.default_rng(seed), n=6, size=300, ties=0.0)
    first, second, lost = ballots.slot_item[0::2], ballots.slot_item[1::2], ballots.pair_key % 4
    data = [(j, i) if o else (i, j) for i, j, o in zip(first, second, lost, strict=True)]
    expected = choix.rank_centrality(6, data)
    found = scores("rank-centrality", ballots, prior=1e-12, anchor_mean=0.0)
    assert [found[item] / SCALE for item in ballots.items] == pytest.approx(expected.tolist(), abs=1e-8)


def test_rank_centrality_finds_the_strengths_of_exact_win_shares():
    strength = np.array([4.0, 2.0, 1.0, 0.5])
    share = strength[:, None] / (strength[:, None] + strength)
    won = 1e9 * np.where(np.eye(4, dtype=bool), 0.0, share)
    assert rank_centrality(table_of(won)).tolist() == pytest.approx(
        (np.log(strength) - np.log(strength).mean()).tolist(), abs=1e-6
    )


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_rank_centrality_of_blocks_recovers_planted_strengths(seed):
    rng = np.random.default_rng(seed)
    theta = np.linspace(2.0, -2.0, 20)
    rows = []
    for _ in range(1500):
        block = rng.choice(20, size=5, replace=False)
        order = block[np.argsort(-(theta[block] + rng.gumbel(size=5)))]
        rows.append([(f"s{i:02d}", place) for place, i in enumerate(order, start=1)])
    ballots = Ballots.from_rankings(rows)
    found = scores("rank-centrality", ballots)
    ordered = [found[f"s{i:02d}"] for i in range(20)]
    assert np.corrcoef(ordered, theta)[0, 1] > 0.99
    strong = scores_of(BradleyTerry().fit(ballots))
    assert np.corrcoef(ordered, [strong[f"s{i:02d}"] for i in range(20)])[0, 1] > 0.99


def test_the_stationary_distribution_is_the_left_eigenvector(rng):
    rates = rng.gamma(0.5, size=(9, 9))
    walk = rates / rates.sum(axis=1, keepdims=True)
    share = stationary(walk)
    assert share @ walk == pytest.approx(share, abs=1e-14)
    assert share.sum() == pytest.approx(1.0)


def test_the_stationary_distribution_keeps_the_digits_of_tiny_shares():
    """A ladder of three with rates e down and 1 up: shares 1 : e : e^2."""
    tiny = 1e-40
    share = stationary(np.array([[0, tiny, 0], [1, 0, tiny], [0, 1, 0]]))
    assert share[1] / share[0] == pytest.approx(tiny, rel=1e-12)
    assert share[2] / share[1] == pytest.approx(tiny, rel=1e-12)


def test_two_items_by_hand():
    """x won 3 of 4. PageRank: the walk from x goes to y, and back; eigenvector: x : y = sqrt 3 : 1."""
    table = table_of([[0, 3], [1, 0]])
    assert win_rates(table).tolist() == [0.75, 0.25]
    assert pagerank(table).tolist() == pytest.approx([0.5, 0.5])
    assert np.exp(np.diff(rank_centrality(table, prior=1.0)))[0] == pytest.approx(2 / 4)
    root = np.sqrt(3.0)
    assert eigenvector(table, prior=1e-12).tolist() == pytest.approx([root / (1 + root), 1 / (1 + root)])


def test_pagerank_of_a_chain_by_hand():
    """a beat b, b beat c: a jumps anywhere, b goes to a, c to b."""
    d = 0.5
    walk = d * np.array([[1 / 3, 1 / 3, 1 / 3], [1, 0, 0], [0, 1, 0]]) + (1 - d) / 3
    expected = np.linalg.matrix_power(walk, 200)[0]
    found = pagerank(table_of([[0, 1, 0], [0, 0, 1], [0, 0, 0]]), damping=d)
    assert found.tolist() == pytest.approx(expected.tolist())


@pytest.mark.parametrize("method", METHODS)
def test_a_board_that_falls_into_winners_and_losers_is_scored(method):
    """Nobody ever beat x and z never won: a walk on bare wins would end at x."""
    ballots = board_of(("x", "y", "a", 4), ("y", "z", "a", 4), ("x", "z", "a", 1))
    found = scores(method, ballots)
    assert found["x"] > found["y"] > found["z"]
    assert np.isfinite(list(found.values())).all()


@pytest.mark.parametrize("method", METHODS)
def test_islands_keep_apart_and_the_unmet_is_unrated(method):
    ballots = board_of(("x", "y", "a", 3), ("p", "q", "a", 3), items=["new"])
    ranking = PairAggregation(method=method).fit(ballots)
    assert ranking["p"].component != ranking["x"].component
    assert ranking["p"].score == ranking["x"].score
    assert ranking["new"].score is None


@pytest.mark.parametrize("method", METHODS)
def test_a_table_torn_apart_has_finite_scores(method):
    """As a resample's may be: two pairs and one item that met nobody."""
    won = np.zeros((5, 5))
    won[0, 1], won[2, 3] = 2.0, 1.0
    found = PairAggregation(method=method)._score()(table_of(won))
    assert np.isfinite(found).all()
    assert found[0] >= found[1]
    assert found[2] >= found[3]


@settings(max_examples=60, deadline=None)
@given(ELECTIONS, st.sampled_from(METHODS), st.permutations(range(len(NAMES))))
def test_names_do_not_matter_and_every_compared_item_has_a_score(rows, method, order):
    plain = scores(method, drawn(rows))
    renamed = scores(method, drawn(rows, names=tuple(NAMES[i] for i in order)))
    for i, name in enumerate(NAMES):
        assert plain[name] == pytest.approx(renamed[NAMES[order[i]]], abs=1e-6)
        assert plain[name] is None or np.isfinite(plain[name])


@settings(max_examples=60, deadline=None)
@given(ELECTIONS, st.sampled_from(METHODS))
def test_a_weight_is_as_many_ballots(rows, method):
    repeated = scores(method, drawn(rows, weighted=False))
    assert scores(method, drawn(rows)) == pytest.approx(repeated, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(ELECTIONS)
def test_upside_down_ballots_mirror_win_rate(rows):
    plain = scores("win-rate", drawn(rows))
    turned = scores("win-rate", drawn([([r and 6 - r for r in ranks], w) for ranks, w in rows]))
    for name in NAMES:
        assert plain[name] is None or plain[name] == pytest.approx(1.0 - turned[name])


@pytest.mark.parametrize("method", METHODS)
def test_bootstrap_bounds_hold_the_score(method, rng):
    ballots = sampled_board(rng, n=6, size=300, voters=50)
    ranking = PairAggregation(method=method).fit(ballots, Bootstrap(cluster="voter", replicates=40), rng)
    for rating in ranking.ratings:
        assert rating.low < rating.score < rating.high
    assert ranking.diagnostics["clusters"] == np.unique(ballots.voter).size
    assert ranking.settings["unit"] == UNITS[method]
    json.dumps(ranking.as_dict(), allow_nan=False)


def test_the_spread_of_rank_centrality_of_two_is_the_delta_methods(rng):
    """log(p / (1 - p)) of 260 wins in 400: standard error 1 / sqrt(n p (1 - p))."""
    ballots = board_of(("x", "y", "a", 260), ("x", "y", "b", 140))
    ranking = PairAggregation().fit(ballots, interval=Bootstrap(replicates=600), rng=rng)
    difference = ranking.difference("x", "y")
    width = 2 * 1.96 * SCALE / np.sqrt(400 * 0.65 * 0.35)
    assert difference.high - difference.low == pytest.approx(width, rel=0.1)
    assert difference.elo == pytest.approx(SCALE * np.log(261 / 141))


def test_a_swinging_schedule_has_an_eigenvector():
    """Only items of two halves meet: bare powers of the matrix never settle."""
    won = np.zeros((6, 6))
    for i, j in itertools.product(range(3), range(3, 6)):
        won[i, j], won[j, i] = 3.0, 1.0
    found = eigenvector(table_of(won), prior=1e-12)
    value = won @ found
    assert value / value.sum() == pytest.approx(found, abs=1e-10)


def test_an_iteration_that_does_not_settle_is_refused(monkeypatch):
    monkeypatch.setattr(module, "_MOST_STEPS", 2)
    with pytest.raises(NotConverged):
        scores("eigenvector", board_of(("x", "y", "a", 3), ("y", "z", "a", 2), ("z", "x", "a", 1)))


@pytest.mark.parametrize(
    "values",
    [
        {"method": "x"},
        {"damping": 1.0},
        {"prior": 0.0},
        {"anchor_mean": np.inf},
        {"both_bad": "grounded"},
        {"provisional_below": -1},
    ],
)
def test_an_impossible_setting_is_refused(values):
    with pytest.raises(InvalidSetting):
        PairAggregation(**values)


def test_a_sandwich_is_refused():
    with pytest.raises(InvalidSetting):
        PairAggregation().fit(board_of(("x", "y", "a", 3)), interval=Sandwich())
