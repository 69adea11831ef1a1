import evalica
import numpy as np
import pytest
from hypothesis import given, settings

from arena.ranking import (
    Ballots,
    Bootstrap,
    Elo,
    InvalidSetting,
    MissingRandomness,
    Sandwich,
    TooFewClusters,
)
from arena.ranking.counts import compare
from arena.ranking.online.elo import Game
from tests.ranking.boards import board_of, sampled_board, scores_of
from tests.ranking.test_properties import BATTLES, board


def test_one_pass_matches_evalica(rng):
    ballots = sampled_board(rng, n=12, size=3000)
    item, rank = ballots.slot_item.tolist(), ballots.slot_rank
    outcome = np.where(rank[0::2] < rank[1::2], 0, np.where(rank[0::2] > rank[1::2], 1, 2))
    codes = [evalica.Winner.X, evalica.Winner.Y, evalica.Winner.Draw]
    theirs = evalica.elo(
        item[0::2], item[1::2], [codes[o] for o in outcome], initial=1000.0, base=10.0, scale=400.0, k=4.0
    )
    ours = Elo(permutations=0).fit(ballots)
    wanted = dict(zip(ballots.items, theirs.scores.sort_index().tolist(), strict=True))
    assert scores_of(ours) == pytest.approx(wanted, abs=1e-8)


def test_the_mean_over_orders_is_steadier_than_one_order(rng):
    ballots = sampled_board(rng, n=5, size=300)
    runs = [Elo(k_factor=32.0, permutations=40).fit(ballots, rng=np.random.default_rng(s)) for s in range(2)]
    largest = max(abs(runs[0][i].score - runs[1][i].score) for i in ballots.items)
    assert largest < runs[0].diagnostics["order_sd"]
    again = Elo(k_factor=32.0, permutations=40).fit(ballots, rng=np.random.default_rng(0))
    assert again.ratings == runs[0].ratings


def test_planted_order_is_found(rng):
    ballots = sampled_board(rng, n=6, size=20_000, ties=0.1, spread=1.5)
    scores = scores_of(Elo(permutations=5).fit(ballots, rng=rng))
    wins = np.zeros(6)
    rank = ballots.slot_rank
    np.add.at(wins, ballots.slot_item[0::2], rank[0::2] < rank[1::2])
    np.add.at(wins, ballots.slot_item[1::2], rank[1::2] < rank[0::2])
    order = [ballots.items[i] for i in np.argsort(-wins)]
    assert sorted(scores, key=scores.get, reverse=True) == order


def test_a_kwise_ballot_is_its_pairs_one_after_the_other():
    kwise = Ballots.from_rankings([[("x", 1), ("y", 2), ("z", None)], [("z", 1), ("y", 1)]])
    pairs = board_of(("x", "y", "a"), ("z", "y", "tie"))
    assert scores_of(Elo(permutations=0).fit(kwise)) == pytest.approx(
        scores_of(Elo(permutations=0).fit(pairs))
    )


def test_bounds_come_from_resampled_clusters(rng):
    ballots = sampled_board(rng, n=4, size=300, voters=40)
    ranking = Elo(k_factor=8.0, permutations=10).fit(
        ballots, interval=Bootstrap(cluster="voter", replicates=40), rng=rng
    )
    assert all(r.low < r.score < r.high for r in ranking.ratings)
    assert ranking.diagnostics["clusters"] == 40


def test_weights_scale_the_step():
    rows = [("x", "y", "a")]
    single = Elo(k_factor=8.0, permutations=0).fit(board_of(*rows))
    weighted = Elo(k_factor=4.0, permutations=0).fit(board_of(*rows, weight=[2.0]))
    assert scores_of(single) == scores_of(weighted)
    assert single["x"].score == pytest.approx(1004.0)


def test_a_graded_ballot_aims_at_its_share():
    """y = 0.75 from even ratings: K / 4 for the better, and as much the other way round."""
    ballots = board_of(("x", "y", "a"), share=[0.75])
    mirrored = board_of(("y", "x", "b"), share=[0.75])
    for graded in (ballots, mirrored):
        assert Elo(k_factor=8.0, permutations=0).fit(graded)["x"].score == pytest.approx(1002.0)


def test_a_forecast_plays_the_same_game_and_judges_a_ballot_by_what_came_before(rng):
    ballots = Ballots.from_rankings(
        [[(str(i), int(rng.integers(1, 4))) for i in rng.permutation(6)[:3]] for _ in range(20)]
    )
    game = Game.of(compare(ballots), len(ballots), 32.0)
    every = np.arange(20)
    found = game.forecast(every)
    assert found.gain == pytest.approx(game.play(every))
    losses = []
    for ballot in range(20):
        before = game.play(every[:ballot])
        for v in range(game.start[ballot], game.start[ballot + 1]):
            chance = 1 / (1 + 10 ** ((before[game.second[v]] - before[game.first[v]]) / 400))
            losses.append(-game.result[v] * np.log(chance) - (1 - game.result[v]) * np.log(1 - chance))
    assert found.log_loss == pytest.approx(np.mean(losses))
    assert game.forecast(every[:0]).log_loss is None


@settings(max_examples=40, deadline=None)
@given(BATTLES)
def test_ratings_keep_their_mean_and_mirror_reversed_votes(battles):
    plain = Elo(permutations=0).fit(board(battles))
    mirrored = Elo(permutations=0).fit(board([(i, s, (1, 0, 2)[o]) for i, s, o in battles]))
    rated = [r.score for r in plain.ratings if r.score is not None]
    if rated:
        assert np.mean(rated) == pytest.approx(1000.0)
    for rating in plain.ratings:
        if rating.score is not None:
            assert rating.score - 1000 == pytest.approx(1000 - mirrored[rating.item].score)


@pytest.mark.parametrize(
    "values",
    [
        {"k_factor": 0.0},
        {"permutations": -1},
        {"anchor_mean": np.inf},
        {"both_bad": "grounded"},
        {"provisional_below": -1},
    ],
)
def test_an_impossible_setting_is_refused(values):
    with pytest.raises(InvalidSetting):
        Elo(**values)


def test_what_it_needs_is_asked_for():
    ballots = board_of(("x", "y", "a", 3), voter=["u"] * 3)
    with pytest.raises(InvalidSetting):
        Elo().fit(ballots, interval=Sandwich())
    with pytest.raises(MissingRandomness):
        Elo().fit(ballots)
    with pytest.raises(TooFewClusters):
        Elo().fit(ballots, interval=Bootstrap(cluster="voter"), rng=np.random.default_rng(1))
