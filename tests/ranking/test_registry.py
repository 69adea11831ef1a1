import pytest

from arena.ranking import BradleyTerry, InvalidSetting, RankingError, Sandwich
from arena.ranking.registry import fit_from_settings
from tests.ranking.boards import board_of


@pytest.fixture
def board():
    rows = [("x", "y", "a", 50), ("y", "x", "a", 30), ("y", "z", "a", 25), ("z", "x", "a", 15)]
    return board_of(*rows, voter=[vote % 40 for vote in range(120)])


def test_settings_as_plain_values_give_the_same_ratings(board):
    settings = {"model": "bradley-terry", "ties": "half", "both_bad": "drop", "anchor_mean": 1200.0}
    found = fit_from_settings({**settings, "interval": "sandwich", "level": 0.9, "cluster": "voter"}, board)
    wanted = BradleyTerry(both_bad="drop", anchor_mean=1200.0).fit(
        board, interval=Sandwich(level=0.9, cluster="voter")
    )
    assert found.ratings == wanted.ratings
    assert found.settings == wanted.settings


def test_no_interval_can_be_asked_for(board):
    assert fit_from_settings({"interval": "none", "cluster": "voter"}, board).ratings[0].low is None


def test_a_seed_fixes_a_bootstrap(board):
    asked = {"interval": "bootstrap", "replicates": 10, "seed": 4}
    assert fit_from_settings(asked, board).ratings == fit_from_settings(asked, board).ratings
    assert fit_from_settings({**asked, "seed": 5}, board).ratings != fit_from_settings(asked, board).ratings


@pytest.mark.parametrize("settings", [{"model": "x"}, {"interval": "x"}, {"colour": "x"}, {"ties": "x"}])
def test_unknown_settings_are_refused(settings, board):
    with pytest.raises(InvalidSetting):
        fit_from_settings(settings, board)


@pytest.mark.parametrize(
    "settings",
    [
        {"model": []},
        {"level": "abc"},
        {"level": None},
        {"interval": "bootstrap", "replicates": 1e308},
        {"seed": -1},
        {"seed": 1.5},
        {"min_clusters": "many"},
        {"anchor_mean": "high"},
        {"prior": 10**30},
        {"provisional_below": float("nan")},
        {"provisional_below": float("inf")},
        {"model": "elo", "permutations": float("nan")},
        {"model": "gaussian-skill", "sigma0": "wide"},
        {"model": "general-preference", "rank": float("nan")},
        {"model": "social-choice", "alpha": "x"},
    ],
    ids=str,
)
def test_a_setting_of_a_wrong_type_or_size_is_a_named_error(settings):
    board = board_of(("x", "y", "a", 3), ("y", "x", "a", 2), ("y", "z", "a", 2), ("z", "x", "tie", 2))
    with pytest.raises(RankingError):
        fit_from_settings({"interval": "none", **settings}, board)
