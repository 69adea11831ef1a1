import math

import numpy as np
import pytest
from scipy.stats import t

from arena.ranking import (
    Ballots,
    Bootstrap,
    BradleyTerry,
    InvalidSetting,
    MissingClusters,
    NotComparable,
    PlackettLuce,
    Sandwich,
    TooFewClusters,
)
from arena.ranking.intervals import normal_quantile, rank_interval
from arena.ranking.result import SCALE
from tests.ranking.boards import board_of, sampled_board
from tests.ranking.oracles import bradley_terry, clustered


def widths(ranking, items):
    return np.array([ranking[item].high - ranking[item].low for item in items])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("cluster", ["ballot", "voter", "prompt"])
def test_the_sandwich_is_that_of_dense_matrices(rng, cluster, weighted):
    board = sampled_board(rng, n=8, size=600)
    weight = rng.gamma(2.0, size=600) if weighted else np.ones(600)
    voter, prompt = rng.integers(40, size=600), rng.integers(25, size=600)
    ballots = Ballots.from_columns(
        items=board.items,
        offsets=board.offsets,
        slot_item=board.slot_item,
        slot_rank=board.slot_rank,
        weight=weight,
        voter=voter,
        prompt=prompt,
    )
    ranking = BradleyTerry().fit(ballots, interval=Sandwich(cluster=cluster))
    code = {"ballot": np.arange(600), "voter": voter, "prompt": prompt}[cluster]
    expected = clustered(*bradley_terry(ballots, weight), code)
    assert widths(ranking, board.items) == pytest.approx(2 * SCALE * expected.width(), rel=1e-6)
    np.testing.assert_allclose(
        ranking.covariance.matrix, SCALE**2 * expected.covariance, rtol=1e-6, atol=1e-6
    )
    assert ranking.covariance.freedom == pytest.approx(expected.freedom)
    assert ranking.diagnostics["freedom"] == pytest.approx(expected.freedom.min())
    assert ranking.diagnostics["clusters"] == np.unique(code).size


def test_vote_is_another_name_for_ballot(rng):
    board = sampled_board(rng, n=5, size=200)
    by_vote = BradleyTerry().fit(board, interval=Sandwich(cluster="vote"))
    assert by_vote.ratings == BradleyTerry().fit(board, interval=Sandwich(cluster="ballot")).ratings


@pytest.mark.parametrize("cluster", ["ballot", "voter"])
def test_bootstrap_and_sandwich_agree(rng, cluster):
    board = sampled_board(rng, n=12, size=6000, voters=300)
    exact = BradleyTerry().fit(board, interval=Sandwich(cluster=cluster))
    drawn = BradleyTerry().fit(board, interval=Bootstrap(cluster=cluster, replicates=400), rng=rng)
    ratio = widths(drawn, board.items) / widths(exact, board.items)
    assert 0.94 < ratio.mean() < 1.06
    assert drawn.diagnostics["separated_replicates"] == 0


def test_a_weighted_bootstrap_agrees_with_its_sandwich(rng):
    board = sampled_board(rng, n=6, size=3000)
    ballots = Ballots.from_columns(
        items=board.items,
        offsets=board.offsets,
        slot_item=board.slot_item,
        slot_rank=board.slot_rank,
        weight=rng.gamma(0.5, size=3000),
    )
    exact = BradleyTerry().fit(ballots, interval=Sandwich())
    drawn = BradleyTerry().fit(ballots, interval=Bootstrap(replicates=400), rng=rng)
    assert 0.92 < (widths(drawn, board.items) / widths(exact, board.items)).mean() < 1.08


def test_a_resample_without_a_win_does_not_ruin_the_bootstrap(rng):
    """One win and one loss keep `rare` connected; most resamples lack one of them."""
    rows = [("x", "y", "a", 40), ("y", "x", "a", 30), ("rare", "x", "a"), ("x", "rare", "a")]
    ranking = BradleyTerry().fit(board_of(*rows), interval=Bootstrap(replicates=300), rng=rng)
    assert ranking.diagnostics["separated_replicates"] > 100
    assert ranking.diagnostics["phantom_pairs"] == 0
    # Two ballots: one degree of freedom, whose quantile is 12.7.
    assert 100 < (ranking["rare"].high - ranking["rare"].low) * 1.96 / 12.7 < 3000
    assert 20 < ranking.difference("x", "y").elo < 80


def test_pairs_of_one_kwise_ballot_are_not_taken_for_independent(rng):
    """60 three-way ballots, each wholly one way: the pairs of a ballot add little, and ballots are few."""
    up, down = [("x", 1), ("y", 2), ("z", 3)], [("z", 1), ("y", 2), ("x", 3)]
    kwise = BradleyTerry().fit(Ballots.from_rankings([up] * 40 + [down] * 20), interval=Sandwich())
    flat = board_of(
        *[(a, b, "a", times) for a, b in ("xy", "yz", "xz") for times in (40,)],
        *[(b, a, "a", times) for a, b in ("xy", "yz", "xz") for times in (20,)],
    )
    pairs = BradleyTerry().fit(flat, interval=Sandwich())
    assert kwise["x"].score == pytest.approx(pairs["x"].score)
    assert kwise["x"].high - kwise["x"].low > 1.2 * (pairs["x"].high - pairs["x"].low)
    assert kwise.diagnostics["clusters"] == 60


def test_fewer_than_two_clusters_is_an_error():
    rows = [("x", "y", "a", 5), ("y", "x", "a", 4)]
    with pytest.raises(TooFewClusters):
        BradleyTerry().fit(board_of(*rows, voter=["u"] * 9), interval=Sandwich(cluster="voter"))
    with pytest.raises(TooFewClusters):
        BradleyTerry().fit(board_of(("x", "y", "tie")), interval=Bootstrap(), rng=np.random.default_rng(1))
    with pytest.raises(MissingClusters):
        BradleyTerry().fit(board_of(*rows), interval=Sandwich(cluster="voter"))


@pytest.mark.parametrize("interval", [Sandwich(cluster="voter"), Bootstrap(cluster="voter", replicates=20)])
def test_a_system_met_by_one_voter_has_no_bounds_instead_of_a_narrow_interval(rng, interval):
    rows = [("x", "y", "a", 9), ("y", "x", "a", 7), ("new", "x", "a", 30), ("x", "new", "a", 30)]
    voters = [i % 5 for i in range(16)] + [7] * 60
    ranking = BradleyTerry().fit(board_of(*rows, voter=voters), interval=interval, rng=rng)
    assert (ranking["new"].low, ranking["new"].high) == (-math.inf, math.inf)
    assert ranking.diagnostics["unbounded"] == ["new"]
    assert math.isinf(ranking.difference("new", "x").high)
    assert math.isfinite(ranking["y"].high)


def test_bounds_are_the_same_however_the_rest_of_the_board_looks(rng):
    """An island's interval counts its own clusters only."""
    island = [("p", "q", "a", 6), ("q", "p", "a", 5)]
    voters = [i % 3 for i in range(11)]
    alone = BradleyTerry().fit(board_of(*island, voter=voters), interval=Sandwich(cluster="voter"))
    rest = [("x", "y", "a", 20), ("y", "z", "a", 20), ("z", "x", "a", 20)]
    both = BradleyTerry().fit(
        board_of(*island, *rest, voter=[*voters, *range(100, 160)]), interval=Sandwich(cluster="voter")
    )
    assert both["p"].high - both["p"].low == pytest.approx(alone["p"].high - alone["p"].low)


def test_level_scales_the_width(rng):
    board = sampled_board(rng, n=4, size=200)
    wide = BradleyTerry().fit(board, interval=Sandwich(level=0.99))
    narrow = BradleyTerry().fit(board, interval=Sandwich(level=0.9))
    ratio, freedom = widths(wide, board.items) / widths(narrow, board.items), wide.covariance.freedom
    assert ratio == pytest.approx(t.ppf(0.995, freedom) / t.ppf(0.95, freedom), rel=1e-6)
    assert normal_quantile(0.95) == pytest.approx(1.959963985)


def test_a_difference_uses_the_covariance(rng):
    """Two systems: the scores mirror each other, so the difference is exactly twice as wide as each."""
    ranking = BradleyTerry().fit(board_of(("x", "y", "a", 30), ("x", "y", "b", 20)), interval=Sandwich())
    gap = ranking.difference("x", "y")
    assert gap.elo == pytest.approx(400 * math.log10(1.5))
    assert gap.high - gap.low == pytest.approx(2 * (ranking["x"].high - ranking["x"].low))
    assert (-gap.low, -gap.high) == pytest.approx(
        (ranking.difference("y", "x").high, ranking.difference("y", "x").low)
    )
    assert not gap.is_separated
    assert ranking.difference("x", "x") == (0.0, 0.0, 0.0)


def test_a_difference_needs_an_interval_and_a_rating():
    rows = [("x", "y", "a", 3), ("y", "x", "a", 3)]
    with pytest.raises(NotComparable):
        BradleyTerry().fit(board_of(*rows)).difference("x", "y")
    ranking = BradleyTerry().fit(board_of(*rows, items=["new"]), interval=Sandwich())
    with pytest.raises(NotComparable):
        ranking.difference("x", "new")
    with pytest.raises(KeyError):
        ranking.difference("x", "nobody")


def test_rank_intervals_follow_the_bounds():
    low = np.array([90.0, 60.0, 55.0, 10.0, -np.inf])
    high = np.array([110.0, 80.0, 95.0, 50.0, np.inf])
    ranks = rank_interval(low, high)
    assert ranks.low.tolist() == [1, 2, 1, 4, 1]
    assert ranks.high.tolist() == [3, 4, 4, 5, 5]


@pytest.mark.parametrize("kwargs", [{"level": 1.0}, {"level": 0.0}, {"cluster": "country"}])
@pytest.mark.parametrize("kind", [Sandwich, Bootstrap])
def test_an_impossible_interval_is_refused(kind, kwargs):
    with pytest.raises(InvalidSetting):
        kind(**kwargs)


def test_a_bootstrap_of_one_is_refused():
    with pytest.raises(InvalidSetting):
        Bootstrap(replicates=1)


@pytest.mark.parametrize(
    ("interval", "lowest"),
    [(Sandwich(cluster="voter"), 0.92), (Bootstrap(cluster="voter", replicates=60), 0.92)],
    ids=["sandwich", "bootstrap"],
)
def test_ninety_five_percent_intervals_cover_when_voters_have_tastes(interval, lowest):
    """8 systems, 80 voters of 15 votes with tastes of their own; target: the limit of many voters."""
    rng = np.random.default_rng(11)
    n, voters, each = 8, 80, 15
    theta = rng.normal(0.0, 0.7, n)
    truth = SCALE * limit(theta, taste=0.8)
    names = [f"s{i}" for i in range(n)]
    hits = ballots_only = total = 0
    for _ in range(120 if isinstance(interval, Sandwich) else 50):
        board = tasted_board(rng, theta, names, voters, each, taste=0.8)
        ranking = BradleyTerry().fit(board, interval=interval, rng=rng)
        naive = BradleyTerry().fit(board, interval=Sandwich())
        for i, name in enumerate(names):
            total += 1
            hits += ranking[name].low - 1000 <= truth[i] <= ranking[name].high - 1000
            ballots_only += naive[name].low - 1000 <= truth[i] <= naive[name].high - 1000
    assert lowest < hits / total < 0.98
    assert ballots_only / total < hits / total - 0.02


def tasted_board(rng, theta, names, voters, each, *, taste):
    n = theta.size
    voter = np.repeat(np.arange(voters), each)
    own = theta + rng.normal(0.0, taste, (voters, n))
    first = rng.integers(n, size=voter.size)
    second = (first + rng.integers(1, n, size=voter.size)) % n
    p = 1 / (1 + np.exp(own[voter, second] - own[voter, first]))
    return Ballots.from_pair_columns(
        items=names, first=first, second=second, outcome=(rng.random(voter.size) > p).astype(int), voter=voter
    )


def limit(theta, *, taste):
    """What the fit tends to with ever more voters: Bradley-Terry on win rates averaged over tastes."""
    nodes, weight = np.polynomial.hermite_e.hermegauss(41)
    gap = theta[:, None] - theta
    p = (1 / (1 + np.exp(-(gap[..., None] + math.sqrt(2) * taste * nodes)))) @ (weight / weight.sum())
    n = theta.size
    found = np.zeros(n)
    for _ in range(50):
        q = 1 / (1 + np.exp(found - found[:, None]))
        v = q * (1 - q)
        hessian = np.diag(v.sum(axis=1)) - v + 1.0 / n
        found += np.linalg.solve(hessian, (p - q).sum(axis=1))
    return found - found.mean()


@pytest.mark.parametrize("model", [BradleyTerry(), BradleyTerry(ties="davidson"), PlackettLuce()])
def test_two_way_clusters_add_both_ways_and_take_off_what_is_counted_twice(model, rng):
    board = sampled_board(rng, n=5, size=2000)
    voter, prompt = rng.integers(60, size=2000), rng.integers(50, size=2000)

    def covariance(cluster, **codes):
        ballots = Ballots.from_columns(
            items=board.items,
            offsets=board.offsets,
            slot_item=board.slot_item,
            slot_rank=board.slot_rank,
            **codes,
        )
        return model.fit(ballots, interval=Sandwich(cluster=cluster)).covariance.matrix

    by_voter = covariance("voter", voter=voter)
    by_prompt = covariance("prompt", prompt=prompt)
    by_both = covariance("voter", voter=voter * 50 + prompt)
    found = covariance("voter,prompt", voter=voter, prompt=prompt)
    assert found == pytest.approx(by_voter + by_prompt - by_both, rel=1e-6, abs=1e-6)


def test_a_bootstrap_of_two_ways_is_refused():
    with pytest.raises(InvalidSetting):
        Bootstrap(cluster="voter,prompt")
