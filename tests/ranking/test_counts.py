import numpy as np
import pytest

from arena.ranking import Ballots, InvalidSetting, MissingClusters
from arena.ranking import counts as counting
from arena.ranking.counts import ClusterSums, SingleSums, compare, split, tally
from tests.ranking.boards import board_of, sampled_board


def cells(total):
    names = zip(total.first.tolist(), total.second.tolist(), total.weight.T.tolist(), strict=True)
    return {(i, j): tuple(row) for i, j, row in names}


def test_both_orders_of_a_pair_are_one_row():
    total = tally(
        compare(board_of(("x", "y", "a", 3), ("y", "x", "a", 2), ("y", "x", "tie"), ("z", "x", "b")))
    )
    assert cells(total) == {(0, 1): (3.0, 2.0, 1.0), (0, 2): (1.0, 0.0, 0.0)}
    assert total.ballots_of.tolist() == [7, 6, 1]


def test_a_kwise_ballot_gives_its_compared_pairs():
    found = compare(Ballots.from_rankings([[("w", 2), ("x", 1), ("y", None), ("z", 2)]]))
    assert cells(tally(found)) == {(0, 1): (0, 1, 0), (0, 3): (0, 0, 1), (1, 3): (1, 0, 0)}
    assert (found.n_ballots, found.kwise_as_pairs) == (1, 1)
    assert tally(found).ballots_of.tolist() == [1, 1, 0, 1]


def test_all_bad_is_a_tie_of_all_compared_pairs_or_nothing():
    ballots = Ballots.from_rankings(
        [[("x", 1), ("y", 2), ("z", None)], [("x", 1), ("y", 2)]], all_bad=[True, False]
    )
    as_tie, left_out = compare(ballots), compare(ballots, both_bad="drop")
    assert cells(tally(as_tie)) == {(0, 1): (1.0, 0.0, 1.0)}
    assert cells(tally(left_out)) == {(0, 1): (1.0, 0.0, 0.0)}
    assert (as_tie.n_all_bad, as_tie.dropped["both_bad"]) == (1, 0)
    assert (left_out.n_all_bad, left_out.dropped["both_bad"]) == (1, 1)


def test_unusable_ballots_are_counted_by_reason():
    ballots = Ballots.from_rankings(
        [[("x", 1), ("y", 2)], [("x", 1)], [("x", 1), ("y", None)], [("x", 2), ("y", 1)]], weight=[1, 1, 1, 0]
    )
    found = compare(ballots)
    assert found.dropped == {"zero_weight": 1, "both_bad": 0, "nothing_compared": 2}
    assert found.n_ballots == 1
    assert cells(tally(found)) == {(0, 1): (1.0, 0.0, 0.0)}


def test_weights_add_up_and_events_do_not():
    total = tally(compare(board_of(("x", "y", "a", 2), ("y", "x", "tie"), weight=[0.5, 2.0, 0.25])))
    assert cells(total) == {(0, 1): (2.5, 0.0, 0.25)}
    assert total.events[:, 0].tolist() == [2, 0, 1]


@pytest.mark.parametrize("weighted", [False, True])
def test_the_sparse_and_the_dense_way_of_counting_agree(monkeypatch, rng, weighted):
    board = sampled_board(rng, n=12, size=400, voters=20)
    if weighted:
        board = Ballots(**{**vars_of(board), "weight": rng.random(400)})
    results = []
    for limit in (1 << 20, -(1 << 30)):
        monkeypatch.setattr(counting, "_DENSE_CELLS", limit)
        if limit < 0:
            monkeypatch.setattr(counting, "_is_dense", lambda comparisons: False)
        found = compare(board)
        total = tally(found)
        results.append((total, split(board, found, total, cluster="voter").matrix.toarray()))
    (left, left_sums), (right, right_sums) = results
    assert np.array_equal(left.first, right.first)
    assert np.array_equal(left.events, right.events)
    assert np.allclose(left.weight, right.weight, rtol=1e-14)
    assert np.array_equal(left.ballots_of, right.ballots_of)
    assert np.allclose(left_sums, right_sums, rtol=1e-14)


def vars_of(board):
    names = ("items", "offsets", "slot_item", "slot_rank", "all_bad", "weight", "voter", "prompt")
    return {name: getattr(board, name) for name in names}


def test_cluster_sums_add_up_to_the_tally(rng):
    board = sampled_board(rng, n=8, size=300, voters=15)
    found = compare(board)
    total = tally(found)
    sums = split(board, found, total, cluster="voter")
    assert isinstance(sums, ClusterSums)
    assert sums.n_clusters == 15
    assert np.array_equal(sums.matrix.sum(axis=0).reshape(3, -1), total.weight)


def test_pairwise_ballots_need_no_split(rng):
    board = sampled_board(rng, n=5, size=50)
    found = compare(board)
    sums = split(board, found, tally(found), cluster="vote")
    assert isinstance(sums, SingleSums)
    assert sums.n_clusters == 50


def test_pairs_of_one_kwise_ballot_stay_together():
    ballots = Ballots.from_rankings([[("x", 1), ("y", 2), ("z", 3)]] * 4)
    found = compare(ballots)
    sums = split(ballots, found, tally(found), cluster="ballot")
    assert isinstance(sums, ClusterSums)
    assert sums.n_clusters == 4


def test_an_unknown_voter_is_a_cluster_of_its_own():
    board = board_of(("x", "y", "a", 5), voter=["u", "u", None, None, "v"])
    found = compare(board)
    assert split(board, found, tally(found), cluster="voter").n_clusters == 4


def test_clusters_need_their_column():
    board = board_of(("x", "y", "a", 2))
    found = compare(board)
    with pytest.raises(MissingClusters, match="prompt"):
        split(board, found, tally(found), cluster="prompt")
    with pytest.raises(InvalidSetting):
        split(board, found, tally(found), cluster="country")


def test_an_unknown_reading_of_both_bad_is_refused():
    with pytest.raises(InvalidSetting):
        compare(board_of(("x", "y", "a")), both_bad="win")
