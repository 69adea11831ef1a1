import numpy as np
import pytest
from scipy.stats import t

from arena.ranking import BradleyTerry, InvalidSetting, NotComparable, Sandwich
from arena.ranking.joint import chance_better, rank_draws, simultaneous
from arena.ranking.registry import fit_from_settings
from tests.ranking.boards import board_of, sampled_board

CLEAR = [("x", "y", "a", 90), ("y", "x", "a", 10), ("y", "z", "a", 52), ("z", "y", "a", 48)]


def fitted(*rows):
    return BradleyTerry().fit(board_of(*rows), interval=Sandwich())


def test_two_systems_are_better_by_students_chance_of_their_difference():
    ranking = fitted(("x", "y", "a", 60), ("y", "x", "a", 40))
    difference = ranking.difference("x", "y")
    freedom = 99  # ballots of one size
    error = (difference.high - difference.low) / 2 / t.ppf(0.975, freedom)
    expected = t.cdf(difference.elo / error, freedom)
    chance = chance_better(ranking)

    assert chance[0, 1] == pytest.approx(expected)
    assert chance[0, 1] + chance[1, 0] == pytest.approx(1)
    assert chance[0, 0] == 0.5


def test_ranks_of_draws_follow_the_chances(rng):
    ranking = fitted(*CLEAR)
    draws, chance = rank_draws(ranking, rng, draws=20_000), chance_better(ranking)
    assert draws.items[0] == "x"
    assert draws.mean == pytest.approx(1 + chance.sum(axis=0) - 0.5, abs=0.02)
    assert draws.first.sum() == pytest.approx(1)
    assert (draws.low[0], draws.high[0]) == (1, 1)
    assert (draws.low[1], draws.high[1]) == (2, 3)


def test_systems_that_nothing_separates_form_a_group(rng):
    found = simultaneous(fitted(*CLEAR), rng)
    assert found.groups == (("x",), ("y", "z"))
    assert found.is_better.tolist() == [[False, True, True], [False, False, False], [False, False, False]]
    assert found.rank_low.tolist() == [1, 2, 2]
    assert found.rank_high.tolist() == [1, 3, 3]


def test_simultaneous_bounds_are_wider_than_single_ones(rng):
    ranking = BradleyTerry().fit(sampled_board(rng, n=12, size=4000), interval=Sandwich())
    found = simultaneous(ranking, rng)
    assert 2.4 < found.quantile < found.pair_quantile < 4
    for k, item in enumerate(found.items):
        assert found.high[k] - found.low[k] > ranking[item].high - ranking[item].low


def test_the_quantile_of_one_difference_is_the_normal_one(rng):
    found = simultaneous(fitted(("x", "y", "a", 60), ("y", "x", "a", 40)), rng, draws=40_000)
    assert found.pair_quantile == pytest.approx(1.96, abs=0.03)


def test_all_bounds_hold_together_in_the_share_of_boards_that_the_level_says(rng):
    truth = np.linspace(-1, 1, 8)
    hits = 0
    for _ in range(150):
        first = rng.integers(8, size=1500)
        second = (first + rng.integers(1, 8, size=1500)) % 8
        wins = rng.random(1500) < 1 / (1 + np.exp(truth[second] - truth[first]))
        rows = [(f"s{a}", f"s{b}", "a" if w else "b") for a, b, w in zip(first, second, wins, strict=True)]
        ranking = BradleyTerry().fit(board_of(*rows), interval=Sandwich())
        found = simultaneous(ranking, rng, draws=500)
        goal = np.array([1000 + 400 / np.log(10) * truth[int(i[1])] for i in found.items])
        hits += bool(((found.low <= goal) & (goal <= found.high)).all())
    assert 0.88 <= hits / 150 <= 0.995


def test_components_are_never_compared(rng):
    ranking = fitted(("x", "y", "a", 9), ("y", "x", "a"), ("u", "v", "a", 9), ("v", "u", "a"))
    found, chance = simultaneous(ranking, rng), chance_better(ranking)
    across = [found.items.index("x"), found.items.index("v")]
    assert np.isnan(chance[across[0], across[1]])
    assert not found.is_better[across[0], across[1]]
    assert all(set(group) <= {"x", "y"} or set(group) <= {"u", "v"} for group in found.groups)
    assert rank_draws(ranking, rng).high.max() == 2


def test_a_system_without_a_ceiling_can_be_first(rng):
    ranking = fitted(*CLEAR, ("w", "z", "a"), ("w", "y", "a"))
    draws = rank_draws(ranking, rng)
    assert draws.low[draws.items.index("w")] == 1


def test_a_lead_that_the_votes_leave_open_is_not_claimed(rng):
    """One voter's single ballot: no bounds, so nothing is better than that system."""
    ranking = fitted(*CLEAR, ("z", "u", "a"))
    found = simultaneous(ranking, rng)
    assert not found.is_better[:, found.items.index("u")].any()


def test_a_board_without_intervals_says_nothing_joint(rng):
    ranking = BradleyTerry().fit(board_of(*CLEAR))
    for ask in (rank_draws, simultaneous):
        with pytest.raises(NotComparable):
            ask(ranking, rng)
    with pytest.raises(NotComparable):
        chance_better(ranking)


def test_no_draws_are_refused(rng):
    with pytest.raises(InvalidSetting):
        rank_draws(fitted(*CLEAR), rng, draws=0)


@pytest.mark.parametrize(
    "settings",
    [
        {"model": "nash-lottery"},
        {"model": "gaussian-skill", "permutations": 3},
        {"model": "social-choice"},
        {"model": "elo", "permutations": 3},
        {"ties": "davidson"},
    ],
    ids=str,
)
def test_bounds_that_hold_together_are_never_narrower_than_single_ones(rng, settings):
    ballots = sampled_board(rng, n=5, size=400)
    ranking = fit_from_settings({**settings, "replicates": 40}, ballots)
    if ranking.covariance is None:
        pytest.skip("no covariance")
    found = simultaneous(ranking, rng)
    for item, low, high in zip(found.items, found.low, found.high, strict=True):
        single = ranking[item]
        assert high - low >= 0.97 * (single.high - single.low)
        assert low <= single.score <= high


def test_a_board_of_equals_has_bounds_that_are_its_score(rng):
    ranking = fitted(("x", "y", "tie", 9))
    found = simultaneous(ranking, rng)
    assert found.low.tolist() == found.high.tolist() == [1000.0, 1000.0]
    assert not found.is_better.any()
