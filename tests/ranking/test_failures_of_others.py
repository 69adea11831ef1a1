"""Mistakes found in other ranking libraries on ordinary arena data, each as a test that this one passes.

Observed in choix 0.4.1, evalica 0.4.2, arena-rank 0.1.1, arenakit 0.1.1, FastChat's rating_systems.py,
scikit-learn 1.9.1, crowd-kit 1.4.2 and ComparIA's pull request 470.
"""

import math

import numpy as np
import pytest

from arena.ranking import (
    Ballots,
    Bootstrap,
    BradleyTerry,
    DuplicateItem,
    EmptyBallot,
    InvalidWeight,
    NotComparable,
    PlackettLuce,
    Sandwich,
    SelfBattle,
    UnknownOutcome,
)
from arena.ranking.registry import MODELS, fit_from_settings
from arena.ranking.result import SCALE
from tests.ranking.boards import board_of, sampled_board, scores_of

BODY = [("x", "y", "a", 6), ("y", "x", "a", 4), ("y", "z", "a", 6), ("z", "y", "a", 4), ("z", "x", "a", 3)]
LIKELIHOODS = [
    BradleyTerry(),
    BradleyTerry(ties="davidson"),
    BradleyTerry(ties="rao-kupper"),
    BradleyTerry(ties="tobt"),
    BradleyTerry(ties="ignore"),
    BradleyTerry(ties="rao-kupper", both_bad="grounded"),
    PlackettLuce(),
]
NEEDS = {
    "contextual-bradley-terry": {"position": True},
    "general-preference": {"folds": 2},  # the boards here have few ballots
}
"""Settings without which a registered model cannot be asked."""
EVERY = pytest.mark.parametrize("model", LIKELIHOODS, ids=repr)


@EVERY
def test_a_system_that_won_all_does_not_make_all_systems_equal(model):
    """evalica returned equal scores; choix raised; others returned +12 to +23 nats without a word."""
    ranking = model.fit(board_of(*BODY, ("w", "x", "a", 5), ("w", "y", "a", 5)), interval=Sandwich())
    winner = ranking["w"]
    assert ranking.ratings[0].item == "w"
    assert winner.separated
    assert winner.score - 1000 < 12 * SCALE
    assert winner.high == math.inf
    assert len({round(r.score, 3) for r in ranking.ratings}) == 4


@EVERY
def test_a_system_that_lost_all_is_no_nan(model):
    """crowd-kit returned NaN; FastChat -16 nats."""
    ranking = model.fit(board_of(*BODY, ("x", "w", "a", 5), ("y", "w", "a", 5)), interval=Sandwich())
    assert ranking.ratings[-1].item == "w"
    assert ranking["w"].separated
    assert ranking["w"].low == -math.inf
    assert all(math.isfinite(r.score) for r in ranking.ratings)


@EVERY
def test_a_separated_system_has_no_standard_error_of_zero(model):
    """arena-rank's sandwich gave +16 nats plus or minus 0.00."""
    ranking = model.fit(board_of(*BODY, ("w", "x", "a", 5), ("w", "y", "a", 5)), interval=Sandwich())
    assert ranking["w"].score - ranking["w"].low > 50


@EVERY
def test_a_system_never_met_is_listed_without_a_score(model):
    """arena-rank and FastChat dropped it, scikit-learn said 0, crowd-kit NaN."""
    a, b, outcome = zip(*[row[:3] for row in BODY for _ in range(row[3])], strict=True)
    ballots = Ballots.from_pairs(a, b, outcome, items=["unmet", "x", "y", "z"])
    rating = model.fit(ballots, interval=Sandwich())["unmet"]
    assert (rating.score, rating.low, rating.rank_low, rating.n) == (None, None, None, 0)


@EVERY
def test_islands_are_not_compared(model):
    """Four libraries gave numbers, one with ordinary standard errors, none a warning."""
    ranking = model.fit(board_of(*BODY, ("u", "v", "a", 2), ("v", "u", "a", 1)), interval=Sandwich())
    assert len(ranking.diagnostics["components"]) == 2
    with pytest.raises(NotComparable):
        ranking.difference("x", "u")


@pytest.mark.parametrize("solver", ["newton", "newman", "zermelo"])
def test_a_release_window_board_is_exact_or_an_error(rng, solver):
    """Each of 60 systems met its 8 neighbours only. evalica stopped after 100 iterations 133 Elo away, its
    Newman 305 away, scikit-learn's default tolerance 321 away; none said so.
    """
    n = 60
    theta = np.cumsum(rng.normal(0, 0.15, n))
    first = rng.integers(n - 4, size=40_000)
    second = first + rng.integers(1, 5, size=40_000)
    wins = rng.random(40_000) < 1 / (1 + np.exp(theta[second] - theta[first]))
    ballots = Ballots.from_pair_columns(
        items=[f"s{i}" for i in range(n)], first=first, second=second, outcome=np.where(wins, 0, 1)
    )
    found = scores_of(BradleyTerry(solver=solver).fit(ballots))
    exact = scores_of(BradleyTerry().fit(ballots))
    assert max(abs(found[i] - exact[i]) for i in found) < 0.01


def test_ties_as_half_keep_the_scores_of_the_published_way_and_davidson_the_truth(rng):
    """Half a win per tie shrinks the spread to 0.73 of the true one at a quarter of ties; few offer a
    remedy.
    """
    theta = np.linspace(-1.5, 1.5, 12)
    first = rng.integers(12, size=60_000)
    second = (first + rng.integers(1, 12, size=60_000)) % 12
    gap = theta[first] - theta[second]
    weights = np.stack([np.exp(gap / 2), np.exp(-gap / 2), np.full(gap.size, 0.9)])
    edges = np.cumsum(weights / weights.sum(axis=0), axis=0)
    outcome = (rng.random(gap.size) > edges[:2]).sum(axis=0)
    ballots = Ballots.from_pair_columns(
        items=[f"s{i:02d}" for i in range(12)], first=first, second=second, outcome=outcome
    )
    spread = {
        ties: np.ptp(list(scores_of(BradleyTerry(ties=ties).fit(ballots)).values())) / (SCALE * 3)
        for ties in ("half", "davidson", "ignore")
    }
    assert spread["half"] < 0.85
    assert spread["davidson"] == pytest.approx(1, abs=0.03)
    assert spread["ignore"] == pytest.approx(1, abs=0.03)


def test_a_resample_without_a_win_does_not_blow_up_the_interval(rng):
    """ComparIA's bootstrap drew -3,800 Elo."""
    rows = [*BODY, ("w", "x", "a", 1), ("x", "w", "a", 12)]
    ranking = BradleyTerry().fit(board_of(*rows), interval=Bootstrap(replicates=200), rng=rng)
    assert ranking["w"].high - ranking["w"].low < 1500
    assert ranking.diagnostics["separated_replicates"] > 0


@pytest.mark.parametrize("cells", [2_000, 2_022])
def test_a_bootstrap_refits_as_often_as_it_was_asked_to(rng, monkeypatch, cells):
    """evalica's default interval did 2,022 refits for 20 resamples of 2,000 votes."""
    from arena.ranking import resampling

    drawn = []
    draw = resampling.Resampler.draw
    monkeypatch.setattr(resampling.Resampler, "draw", lambda self, g: drawn.append(1) or draw(self, g))
    BradleyTerry().fit(sampled_board(rng, n=20, size=cells), interval=Bootstrap(replicates=20), rng=rng)
    assert len(drawn) == 20


@pytest.mark.parametrize("outcome", ["model_a", "A", "", "tie (bothbad)", "draw", None, 0.5])
def test_an_unknown_outcome_is_no_tie(outcome):
    """FastChat and arena-rank read every unknown string as half a win."""
    with pytest.raises(UnknownOutcome):
        Ballots.from_pairs(["x"], ["y"], [outcome])


def test_a_fit_is_judged_by_its_gradient(rng):
    """crowd-kit stopped after its second iteration whatever the tolerance; elote's update had a wrong fixed
    point.
    """
    for model in LIKELIHOODS:
        facts = model.fit(sampled_board(rng, n=15, size=3000)).diagnostics
        assert facts["gradient_norm"] <= 1e-10


def test_the_null_direction_of_the_information_does_not_leak_into_intervals(rng):
    """A default pseudo-inverse gave bounds of plus or minus 15 million on the MT-bench GPT-4 votes."""
    ranking = BradleyTerry().fit(sampled_board(rng, n=6, size=2400), interval=Sandwich())
    assert all(5 < r.high - r.low < 200 for r in ranking.ratings)
    matrix = ranking.covariance.matrix
    assert np.abs(matrix.sum(axis=0)).max() < 1e-6 * np.diag(matrix).max()


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_bad_weight_is_an_error(weight):
    with pytest.raises(InvalidWeight):
        Ballots.from_pairs(["x"], ["y"], ["a"], weight=[weight])


def test_a_system_against_itself_is_an_error():
    with pytest.raises(SelfBattle):
        Ballots.from_pairs(["x"], ["x"], ["a"])
    with pytest.raises(DuplicateItem):
        Ballots.from_rankings([[("x", 1), ("y", 2), ("x", 3)]])


def test_a_ballot_without_systems_is_an_error():
    with pytest.raises(EmptyBallot):
        Ballots.from_rankings([[]])


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_ballot_of_one_system_compares_nothing(name):
    rankings = [[("x", 1)], [("x", 1), ("y", 2)], [("x", 2), ("y", 1)], [("x", None), ("y", 1)]]
    rankings += [[("y", 1), ("x", 2)], [("y", 2), ("x", 1)]]
    ballots = Ballots.from_rankings(rankings, voter=["u", "u", "v", "v", "u", "v"])
    ranking = fit_from_settings({"model": name, "interval": "none", **NEEDS.get(name, {})}, ballots)
    assert ranking.diagnostics["dropped"]["nothing_compared"] == 2
    assert ranking.diagnostics["n_ballots"] == 4


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("outcome", ["tie", "both_bad"])
def test_all_ties_or_all_bad_is_a_board_of_equals(name, outcome):
    rows = [("x", "y", outcome, 5), ("y", "z", outcome, 5), ("z", "x", outcome, 5)]
    ballots = board_of(*rows, voter=[i % 3 for i in range(15)])
    settings = {"model": name, "interval": "none", "seed": 1, **NEEDS.get(name, {})}
    ranking = fit_from_settings(settings, ballots)
    scores = [r.score for r in ranking.ratings]
    assert all(math.isfinite(score) for score in scores)
    # A conservative skill also says how often a system was seen by then.
    assert max(scores) - min(scores) < (1.0 if name == "gaussian-skill" else 1e-6)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_no_votes_at_all_rate_nobody(name):
    ballots = Ballots.from_pairs([], [], [], items=["x", "y"], voter=[])
    ranking = fit_from_settings({"model": name, "interval": "none", **NEEDS.get(name, {})}, ballots)
    assert [r.score for r in ranking.ratings] == [None, None]
