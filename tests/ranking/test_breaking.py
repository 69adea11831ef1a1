import numpy as np
import pytest

from arena.ranking import Ballots, BradleyTerry, InvalidSetting, Sandwich
from arena.ranking.counts import compare, tally

RANKED = [[("w", 1), ("x", 2), ("y", 2), ("z", 7)], [("w", None), ("x", 3), ("z", 1)]]


def pairs(breaking):
    total = tally(compare(Ballots.from_rankings(RANKED), breaking=breaking))
    names = ("w", "x", "y", "z")
    return {
        (names[a], names[b]): weights.tolist()
        for a, b, weights in zip(total.first, total.second, total.weight.T, strict=True)
    }


def test_full_breaking_holds_every_compared_pair():
    assert pairs("full") == {
        ("w", "x"): [1, 0, 0],
        ("w", "y"): [1, 0, 0],
        ("w", "z"): [1, 0, 0],
        ("x", "y"): [0, 0, 1],
        ("x", "z"): [1, 1, 0],
        ("y", "z"): [1, 0, 0],
    }


def test_adjacent_breaking_holds_neighbouring_levels_and_ties():
    assert pairs("adjacent") == {
        ("w", "x"): [1, 0, 0],
        ("w", "y"): [1, 0, 0],
        ("x", "y"): [0, 0, 1],
        ("x", "z"): [1, 1, 0],
        ("y", "z"): [1, 0, 0],
    }


def test_halving_breaking_weighs_by_distance():
    assert pairs("halving") == {**pairs("full"), ("w", "z"): [0.5, 0, 0]}


@pytest.mark.parametrize("breaking", ["full", "adjacent", "halving"])
def test_pairs_are_the_same_however_they_are_broken(breaking):
    ballots = Ballots.from_pairs(["x", "y", "x"], ["y", "z", "z"], ["a", "tie", "b"])
    assert BradleyTerry(breaking=breaking).fit(ballots).ratings == BradleyTerry().fit(ballots).ratings


@pytest.mark.parametrize("breaking", ["full", "halving"])
def test_list_wise_fits_recover_the_planted_order(rng, breaking):
    theta = np.linspace(-1.5, 1.5, 8)
    shown = np.stack([rng.permutation(8)[:4] for _ in range(6000)])
    order = np.argsort(-(theta[shown] + rng.gumbel(size=shown.shape)), axis=1)
    rank = np.argsort(order, axis=1) + 1
    ballots = Ballots.from_columns(
        items=[f"s{i}" for i in range(8)],
        offsets=np.arange(0, 4 * 6000 + 1, 4),
        slot_item=shown.reshape(-1),
        slot_rank=rank.reshape(-1),
    )
    ranking = BradleyTerry(breaking=breaking).fit(ballots, interval=Sandwich())
    assert [r.item for r in ranking.ratings] == [f"s{i}" for i in range(7, -1, -1)]


def test_an_unknown_breaking_is_refused():
    with pytest.raises(InvalidSetting):
        BradleyTerry(breaking="top")
