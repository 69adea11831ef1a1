import numpy as np
import pytest

from arena.ranking import Ballots, BradleyTerry, InvalidSetting, InvalidWeight, LengthMismatch
from arena.ranking.weights import by_source, inverse_draw_probability, inverse_pair_frequency
from tests.ranking.boards import board_of, scores_of


def test_every_pair_counts_alike_above_the_floor():
    ballots = board_of(("x", "y", "a", 300), ("y", "x", "a", 100), ("y", "z", "a", 200))
    weight = inverse_pair_frequency(ballots, floor=50).weight
    assert weight[:400].sum() == pytest.approx(weight[400:].sum())
    assert weight.sum() == pytest.approx(600)


def test_a_pair_below_the_floor_does_not_weigh_as_much_as_a_full_one():
    ballots = board_of(("x", "y", "a", 100), ("y", "z", "a", 10))
    weight = inverse_pair_frequency(ballots, floor=50).weight
    assert weight[100:].sum() / weight[:100].sum() == pytest.approx(10 / 50)


def test_sets_of_a_kwise_ballot_ignore_the_order_and_what_was_not_compared():
    rankings = [
        [("x", 1), ("y", 2), ("z", None)],
        [("y", 1), ("x", 2)],
        [("x", 1), ("y", 2), ("z", 3)],
    ]
    weight = inverse_pair_frequency(Ballots.from_rankings(rankings), floor=0.5).weight
    assert weight == pytest.approx([0.75, 0.75, 1.5])


def test_inverse_draw_probabilities_undo_the_matchmaking(rng):
    """Votes of a pair drawn nine times as often lean on a crowd effect; the weights bring uniform drawing
    back.
    """
    first, second = np.zeros(3000, dtype=int), np.zeros(3000, dtype=int)
    pair = rng.choice(3, size=3000, p=[0.8, 0.1, 0.1])
    first, second = np.array([0, 0, 1])[pair], np.array([1, 2, 2])[pair]
    won = rng.random(3000) < np.array([0.9, 0.2, 0.6])[pair]  # no Bradley-Terry law fits all three
    chance = np.array([0.8, 0.1, 0.1])[pair]
    columns = {"items": ["x", "y", "z"], "first": first, "second": second, "outcome": np.where(won, 0, 1)}
    ballots = Ballots.from_pair_columns(**columns, chance=chance)
    uniform = Ballots.from_pair_columns(
        items=["x", "y", "z"],
        first=[0, 0, 1] * 2,
        second=[1, 2, 2] * 2,
        outcome=[0, 0, 0, 1, 1, 1],
        weight=[won[pair == k].mean() for k in range(3)] + [1 - won[pair == k].mean() for k in range(3)],
    )
    target = scores_of(BradleyTerry().fit(uniform))
    plain = scores_of(BradleyTerry().fit(ballots))
    fixed = scores_of(BradleyTerry().fit(inverse_draw_probability(ballots)))
    off = {
        name: max(abs(s[i] - target[i]) for i in target) for name, s in (("fixed", fixed), ("plain", plain))
    }
    assert off["fixed"] < off["plain"] / 5


def test_a_cap_bounds_the_weights():
    ballots = Ballots.from_pair_columns(
        items=["x", "y"], first=[0] * 4, second=[1] * 4, outcome=[0, 1, 0, 1], chance=[0.5, 0.5, 0.5, 0.01]
    )
    weight = inverse_draw_probability(ballots, largest=3).weight
    assert weight.max() / np.median(weight) == pytest.approx(3)


def test_ballots_without_chances_are_refused():
    with pytest.raises(InvalidWeight):
        inverse_draw_probability(board_of(("x", "y", "a")))


@pytest.mark.parametrize("chance", [0.0, 1.5, float("nan")])
def test_an_impossible_chance_is_refused(chance):
    with pytest.raises(InvalidWeight):
        Ballots.from_pair_columns(items=["x", "y"], first=[0], second=[1], outcome=[0], chance=[chance])


def test_sources_have_the_shares_asked_for_whatever_their_size():
    ballots = board_of(("x", "y", "a", 90), ("y", "x", "a", 10))
    source = np.array([0] * 90 + [1] * 10)
    weight = by_source(ballots, source, {0: 1, 1: 3}).weight
    assert weight[source == 1].sum() == pytest.approx(75)
    assert weight.sum() == pytest.approx(100)


@pytest.mark.parametrize("shares", [{0: 1}, {0: -1, 1: 1}, {0: 0, 1: 0}, {0: 1, 1: 1, 2: 1}])
def test_impossible_shares_are_refused(shares):
    with pytest.raises(InvalidSetting):
        by_source(board_of(("x", "y", "a"), ("y", "x", "a")), [0, 1], shares)


def test_a_source_for_each_ballot_is_needed():
    with pytest.raises(LengthMismatch):
        by_source(board_of(("x", "y", "a"), ("y", "x", "a")), [0], {0: 1})


def test_an_impossible_floor_or_cap_is_refused():
    with pytest.raises(InvalidSetting):
        inverse_pair_frequency(board_of(("x", "y", "a")), floor=0)
    with pytest.raises(InvalidSetting):
        inverse_draw_probability(board_of(("x", "y", "a")), largest=0.5)
