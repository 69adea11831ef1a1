import pytest

from arena.exports.importers.outcomes import NoVote, Outcome, UnknownOutcome, Winner, outcome_of


@pytest.mark.parametrize(
    ("spelling", "winner"),
    [
        *(
            (s, Winner.A)
            for s in ("model_a", "left", "A is better", "A", "winner_model_a", "leftvote", "A>B", "A>>B")
        ),
        *((s, Winner.B) for s in ("model_b", "right", "B is better", "B", "winner_model_b", "rightvote")),
        *((s, Winner.TIE) for s in ("tie", "Tie", "-", "both_equal", "winner_tie", "tievote", "both good")),
        *((s, Winner.BOTH_BAD) for s in ("tie (bothbad)", "both_bad", "Both are bad", "bothbad_vote")),
        ("tie (inconsistent)", Winner.TIE),
    ],
)
def test_published_spellings_are_known(spelling, winner):
    assert outcome_of(spelling).winner is winner


@pytest.mark.parametrize("spelling", ["a", "MODEL_A", "model_c", "draw", " tie", "0.5", "[[C]]"])
def test_anything_else_is_refused_and_named(spelling):
    with pytest.raises(UnknownOutcome, match="unknown outcome"):
        outcome_of(spelling)


@pytest.mark.parametrize("spelling", ["", "null", "None"])
def test_no_vote_is_not_a_tie(spelling):
    with pytest.raises(NoVote):
        outcome_of(spelling)


def test_flags_of_the_spelling_are_kept():
    assert outcome_of("tie (inconsistent)").is_inconsistent
    assert outcome_of("A>>B").is_strong
    assert not outcome_of("A>B").is_strong


def test_ranks_follow_from_the_outcome():
    assert Outcome(Winner.A).ranks == [1, 2]
    assert Outcome(Winner.B).ranks == [2, 1]
    assert Outcome(Winner.TIE).ranks == [1, 1]
    assert Outcome(Winner.BOTH_BAD).ranks == [1, 1]
    assert Outcome(Winner.BOTH_BAD).all_bad
    assert not Outcome(Winner.TIE).all_bad
