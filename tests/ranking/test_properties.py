import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.ranking import Ballots, BradleyTerry, Sandwich
from tests.ranking.boards import scores_of

N = 5
ITEMS = tuple(f"s{i}" for i in range(N))
BATTLES = st.lists(
    st.tuples(st.integers(0, N - 1), st.integers(1, N - 1), st.integers(0, 2)), min_size=0, max_size=25
)
# Everybody beats the next one: any board that holds this has a finite estimate.
RING = [(i, 1, 0) for i in range(N)]


def board(battles, names=ITEMS, weight=None):
    return Ballots.from_pairs(
        [names[i] for i, _, _ in battles],
        [names[(i + step) % N] for i, step, _ in battles],
        [("a", "b", "tie")[outcome] for _, _, outcome in battles],
        items=names,
        weight=weight,
    )


@settings(max_examples=60, deadline=None)
@given(BATTLES, st.permutations(range(N)))
def test_names_do_not_matter(battles, order):
    plain = BradleyTerry().fit(board(battles), interval=None)
    renamed = BradleyTerry().fit(board(battles, names=tuple(ITEMS[i] for i in order)))
    for i in range(N):
        left, right = plain[ITEMS[i]], renamed[ITEMS[order[i]]]
        assert left.score == pytest.approx(right.score, abs=1e-5)
        assert (left.n, left.wins, left.separated) == (right.n, right.wins, right.separated)


@settings(max_examples=60, deadline=None)
@given(BATTLES)
def test_reversed_outcomes_mirror_the_board(battles):
    plain = BradleyTerry().fit(board(battles))
    mirrored = BradleyTerry().fit(board([(i, step, (1, 0, 2)[o]) for i, step, o in battles]))
    for item in ITEMS:
        left, right = plain[item].score, mirrored[item].score
        assert (left is None) == (right is None)
        assert left is None or left - 1000.0 == pytest.approx(1000.0 - right, abs=1e-5)


@settings(max_examples=60, deadline=None)
@given(BATTLES, st.integers(0, N - 1), st.integers(1, N - 1))
def test_one_more_win_never_lowers_the_winner(battles, winner, step):
    before = scores_of(BradleyTerry().fit(board(RING + battles)))
    after = scores_of(BradleyTerry().fit(board([*RING, *battles, (winner, step, 0)])))
    loser = ITEMS[(winner + step) % N]
    assert after[ITEMS[winner]] > before[ITEMS[winner]]
    assert after[loser] < before[loser]


@settings(max_examples=60, deadline=None)
@given(BATTLES, st.floats(0.05, 0.95))
def test_a_split_ballot_weighs_what_the_whole_did(battles, share):
    whole = BradleyTerry().fit(board(RING + battles))
    parts = [share, 1 - share]
    battles = [battle for battle in RING + battles for _ in parts]
    split = BradleyTerry().fit(board(battles, weight=np.tile(parts, len(battles) // 2)))
    assert scores_of(split) == pytest.approx(scores_of(whole), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(BATTLES, st.floats(0.01, 100.0))
def test_the_unit_of_weight_does_not_matter(battles, unit):
    """Neither to scores nor to sandwich bounds; on separated boards the phantom has a weight of its own."""
    battles = RING + battles
    plain = BradleyTerry().fit(board(battles), interval=Sandwich())
    scaled = BradleyTerry().fit(board(battles, weight=[unit] * len(battles)), interval=Sandwich())
    for item in ITEMS:
        assert scaled[item].score == pytest.approx(plain[item].score, abs=1e-5)
        assert scaled[item].high == pytest.approx(plain[item].high, abs=1e-4)


@settings(max_examples=60, deadline=None)
@given(BATTLES)
def test_any_board_gives_finite_scores_and_ordered_bounds(battles):
    if len(battles) < 2:
        return
    ranking = BradleyTerry().fit(board(battles), interval=Sandwich())
    for rating in ranking.ratings:
        if rating.score is None:
            assert rating.n == 0
            continue
        assert np.isfinite(rating.score)
        assert rating.low <= rating.score <= rating.high
        assert 1 <= rating.rank_low <= rating.rank_high <= N
