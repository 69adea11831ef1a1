import dataclasses

import numpy as np
import pytest

from arena.ranking import (
    NOT_COMPARED,
    UNKNOWN,
    Ballots,
    DuplicateItem,
    EmptyBallot,
    InvalidCode,
    InvalidItem,
    InvalidRank,
    InvalidWeight,
    LengthMismatch,
    RankingError,
    SelfBattle,
    UnknownOutcome,
)
from arena.ranking import errors as named_errors
from arena.ranking.counts import compare, tally


def columns(**changes):
    values = {"items": ["x", "y", "z"], "offsets": [0, 2, 5], "slot_item": [0, 1, 2, 1, 0]}
    return Ballots.from_columns(**{**values, "slot_rank": [1, 2, 1, 1, -1], **changes})


def test_pairs_become_two_ranked_slots():
    ballots = Ballots.from_pairs(["x", "y", "x", "y"], ["y", "x", "y", "x"], ["a", "b", "tie", "both_bad"])
    assert ballots.items == ("x", "y")
    assert ballots.offsets.tolist() == [0, 2, 4, 6, 8]
    assert ballots.slot_item.tolist() == [0, 1, 1, 0, 0, 1, 1, 0]
    assert ballots.slot_rank.tolist() == [1, 2, 2, 1, 1, 1, 1, 1]
    assert ballots.all_bad.tolist() == [False, False, False, True]
    assert ballots.weight.tolist() == [1.0] * 4
    assert ballots.voter is None


def test_rankings_keep_ties_and_what_was_not_compared():
    ballots = Ballots.from_rankings([[("x", 1), ("y", 3), ("z", 3)], [("z", None), ("x", 1)]])
    assert ballots.offsets.tolist() == [0, 3, 5]
    assert ballots.slot_rank.tolist() == [1, 3, 3, NOT_COMPARED, 1]


def test_columns_have_the_documented_types():
    ballots = columns(
        voter=[4, 4],
        prompt=np.array([7, -1], dtype=np.int16),
        share=[1, 0.75],
        chance=[1, 0.5],
        features=np.ones((5, 1), dtype=np.float32),
        feature_names=["length"],
    )
    types = {
        f.name: getattr(ballots, f.name).dtype
        for f in dataclasses.fields(ballots)
        if f.name not in ("items", "feature_names")
    }
    assert types == {
        "offsets": np.int64,
        "slot_item": np.int32,
        "slot_rank": np.int16,
        "all_bad": np.bool_,
        "weight": np.float64,
        "voter": np.int64,
        "prompt": np.int64,
        "share": np.float64,
        "chance": np.float64,
        "features": np.float64,
    }


def test_pairs_and_rankings_say_the_same():
    pairs = Ballots.from_pairs(["x", "y"], ["y", "z"], ["b", "tie"], voter=["u", None], prompt=[3, 3])
    rankings = Ballots.from_rankings(
        [[("x", 2), ("y", 1)], [("y", 1), ("z", 1)]], voter=["u", None], prompt=[3, 3]
    )
    for field in dataclasses.fields(Ballots):
        left, right = getattr(pairs, field.name), getattr(rankings, field.name)
        assert np.array_equal(left, right), field.name


def test_listed_systems_come_first_and_need_no_ballot():
    ballots = Ballots.from_pairs(["b"], ["a"], ["a"], items=["new", "b"])
    assert ballots.items == ("new", "b", "a")


def test_voters_may_be_any_hashable_and_none_is_unknown():
    ballots = Ballots.from_pairs(
        ["x"] * 4, ["y"] * 4, ["a"] * 4, voter=[("u", 1), None, "u", ("u", 1)], prompt=[UNKNOWN, 9, 9, 10]
    )
    assert ballots.voter.tolist() == [0, UNKNOWN, 1, 0]
    assert ballots.prompt.tolist() == [UNKNOWN, 0, 0, 1]


def test_an_unknown_outcome_is_named_with_its_place():
    with pytest.raises(UnknownOutcome, match="ballot 1: outcome 'bothbad'") as caught:
        Ballots.from_pairs(["x", "x"], ["y", "y"], ["a", "bothbad"])
    assert caught.value.position == 1


@pytest.mark.parametrize("outcome", [None, 1, "", "A", ["a"]])
def test_an_outcome_is_never_guessed(outcome):
    with pytest.raises(UnknownOutcome):
        Ballots.from_pairs(["x"], ["y"], [outcome])


@pytest.mark.parametrize("outcome", [4, -1])
def test_an_unknown_packed_outcome_is_refused(outcome):
    with pytest.raises(UnknownOutcome):
        Ballots.from_pair_columns(items=["x", "y"], first=[0], second=[1], outcome=[outcome])


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf"), "heavy"])
def test_an_impossible_weight_is_refused(weight):
    with pytest.raises(InvalidWeight):
        Ballots.from_pairs(["x"], ["y"], ["a"], weight=[weight])


def test_a_self_battle_is_refused():
    with pytest.raises(SelfBattle):
        Ballots.from_pairs(["x"], ["x"], ["a"])


def test_an_item_twice_in_a_ballot_is_refused():
    with pytest.raises(DuplicateItem, match="ballot 1"):
        Ballots.from_rankings([[("x", 1), ("y", 2)], [("x", 1), ("y", 2), ("x", 3)]])


@pytest.mark.parametrize("rank", [0, -1, 1.5, True, 40_000])
def test_an_impossible_rank_is_refused(rank):
    with pytest.raises(InvalidRank):
        Ballots.from_rankings([[("x", rank), ("y", 1)]])


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"slot_rank": [1, 2, 1, 1, 0]}, InvalidRank),
        ({"slot_rank": [1, 2, 1, 1, -2]}, InvalidRank),
        ({"slot_rank": [1.0, 2.0, 1.0, 1.0, 2.0]}, InvalidRank),
        ({"slot_rank": [1, 2, 1, 1]}, LengthMismatch),
        ({"slot_item": [0, 1, 2, 1, 3]}, InvalidItem),
        ({"slot_item": [0, 1, 2, 1, -1]}, InvalidItem),
        ({"slot_item": [0, 0, 2, 1, 0]}, DuplicateItem),
        ({"items": ["x", "x", "z"]}, InvalidItem),
        ({"offsets": [0, 2, 4]}, LengthMismatch),
        ({"offsets": [1, 2, 5]}, LengthMismatch),
        ({"offsets": [0, 6, 5]}, LengthMismatch),
        ({"offsets": [0, 0, 5]}, EmptyBallot),
        ({"offsets": []}, LengthMismatch),
        ({"weight": [1.0]}, LengthMismatch),
        ({"all_bad": [True, False, False]}, LengthMismatch),
        ({"voter": [1]}, LengthMismatch),
        ({"voter": [1, -2]}, InvalidCode),
        ({"prompt": [0.5, 1.0]}, InvalidCode),
        ({"slot_item": [[0, 1, 2, 1, 0]]}, LengthMismatch),
    ],
)
def test_impossible_columns_are_refused(changes, error):
    with pytest.raises(error):
        columns(**changes)


def test_columns_of_different_length_are_refused():
    with pytest.raises(LengthMismatch):
        Ballots.from_pairs(["x"], ["y", "z"], ["a"])
    with pytest.raises(LengthMismatch):
        Ballots.from_pairs(["x"], ["y"], ["a"], voter=[1, 2])
    with pytest.raises(LengthMismatch):
        Ballots.from_pair_columns(items=["x", "y"], first=[0], second=[1], outcome=[0, 1])


def test_ballots_cannot_be_changed():
    ballots = columns()
    with pytest.raises(ValueError, match="read-only"):
        ballots.slot_rank[0] = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        ballots.items = ()


def test_the_callers_own_arrays_stay_writable():
    rank = np.array([1, 2, 1, 1, -1], dtype=np.int16)
    columns(slot_rank=rank)
    rank[0] = 2


def test_every_error_is_a_ranking_error():
    found = [e for e in vars(named_errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    assert len(found) > 10
    assert all(issubclass(error, RankingError) for error in found)


def test_codes_of_pairs_are_the_same_however_the_ballots_were_made(rng):
    first, second = rng.integers(0, 4, size=50), rng.integers(4, 9, size=50)
    outcome = rng.integers(0, 4, size=50)
    made = Ballots.from_pair_columns(items=list("abcdefghi"), first=first, second=second, outcome=outcome)
    packed = Ballots.from_columns(
        items=made.items,
        offsets=made.offsets,
        slot_item=made.slot_item,
        slot_rank=made.slot_rank,
        all_bad=made.all_bad,
    )
    assert made.pair_key.tolist() == packed.pair_key.tolist()
    assert made.pair_key.tolist() == ((first * 9 + second) * 4 + outcome).tolist()
    assert Ballots.from_rankings([[("a", 1), ("b", None)]]).pair_key is None


@pytest.mark.parametrize("weight", [1e-320, 1e300])
def test_a_weight_whose_square_overflows_is_refused(weight):
    with pytest.raises(InvalidWeight):
        Ballots.from_pairs(["x"], ["y"], ["a"], weight=[weight])


def test_wide_ballots_are_the_same_pairs(rng):
    names = [f"s{i:02d}" for i in range(40)]
    rankings = [[(names[i], r + 1) for r, i in enumerate(rng.permutation(40)[:20])] for _ in range(3)]
    wide = tally(compare(Ballots.from_rankings(rankings, items=names)))
    pairs = [
        (a, b, "a" if ra < rb else "b")
        for ranking in rankings
        for k, (a, ra) in enumerate(ranking)
        for b, rb in ranking[k + 1 :]
    ]
    narrow = tally(compare(Ballots.from_pairs(*zip(*pairs, strict=True), items=names)))
    assert (wide.weight == narrow.weight).all()
    with pytest.raises(DuplicateItem):
        Ballots.from_rankings([[*rankings[0], rankings[0][0]]])
