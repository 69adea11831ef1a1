from dataclasses import replace

import numpy as np
import pytest

from arena.ranking import (
    Ballots,
    Bootstrap,
    BradleyTerry,
    Counting,
    FlipRateTooHigh,
    IncompatibleTies,
    InvalidSetting,
    InvalidWeight,
    PairsOnly,
    PlackettLuce,
    Sandwich,
)
from arena.ranking.result import SCALE
from tests.ranking.boards import board_of

FOUR = [
    ("x", "y", "a"),
    ("y", "z", "a"),
    ("z", "x", "a"),
    ("x", "z", "tie"),
    ("y", "x", "a"),
    ("z", "y", "a"),
]


def graded(rows, share):
    a, b, outcome = zip(*rows, strict=True)
    return Ballots.from_pairs(a, b, outcome, share=share)


def scores(ranking):
    return np.array([ranking[item].score for item in sorted(r.item for r in ranking.ratings)])


def planted(rng, *, votes=20_000, systems=8, flips=0.0, soft=False):
    theta = np.linspace(-1.5, 1.5, systems)
    first = rng.integers(systems, size=votes)
    second = (first + rng.integers(1, systems, size=votes)) % systems
    chance = 1 / (1 + np.exp(theta[second] - theta[first]))
    wins = rng.random(votes) < chance
    wins ^= rng.random(votes) < flips
    ballots = Ballots.from_pair_columns(
        items=[f"s{i}" for i in range(systems)],
        first=first,
        second=second,
        outcome=np.zeros(votes, dtype=int) if soft else np.where(wins, 0, 1),
        share=chance if soft else None,
    )
    return ballots, SCALE * theta + 1000


@pytest.mark.parametrize("ties", ["half", "ignore", "davidson"])
def test_a_graded_vote_is_a_share_of_a_win_and_the_rest_of_a_loss(ties):
    share = [0.9, 0.6, 1.0, 1.0, 0.75, 1.0]
    rows, weights = [], []
    for (a, b, outcome), s in zip(FOUR, share, strict=True):
        rows.append((a, b, outcome))
        weights.append(s)
        if outcome == "a":
            rows.append((b, a, "a"))
            weights.append(1 - s)
        else:
            weights[-1] = 1.0
    a, b, outcome = zip(*rows, strict=True)
    apart = BradleyTerry(ties=ties).fit(Ballots.from_pairs(a, b, outcome, weight=weights))
    assert scores(BradleyTerry(ties=ties).fit(graded(FOUR, share))) == pytest.approx(scores(apart), abs=1e-7)


def test_a_share_of_one_changes_nothing():
    plain = BradleyTerry().fit(board_of(*FOUR), interval=Sandwich())
    full = BradleyTerry().fit(graded(FOUR, [1.0] * 6), interval=Sandwich())
    for ours, theirs in zip(full.ratings, plain.ratings, strict=True):
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=1e-12)
        assert replace(ours, low=0.0, high=0.0) == replace(theirs, low=0.0, high=0.0)


def test_a_share_of_half_is_a_tie():
    rows = [(a, b, "a") for a, b, _ in FOUR]
    ties = BradleyTerry().fit(board_of(*((a, b, "tie") for a, b, _ in FOUR)))
    assert scores(BradleyTerry().fit(graded(rows, [0.5] * 6))) == pytest.approx(scores(ties), abs=1e-7)


def test_chances_as_soft_verdicts_give_the_strengths_back(rng):
    ballots, truth = planted(rng, soft=True)
    assert scores(BradleyTerry().fit(ballots)) == pytest.approx(truth, abs=1e-5)


def test_both_halves_of_a_graded_vote_are_one_cluster(rng):
    """The score of a ballot is share - P: its square is not the sum of two squares."""
    ballots, _ = planted(rng, votes=4000)
    share = rng.choice([0.75, 1.0], size=4000)
    soft = Ballots.from_pair_columns(
        items=ballots.items,
        first=ballots.slot_item[0::2],
        second=ballots.slot_item[1::2],
        outcome=np.where(ballots.slot_rank[0::2] == 1, 0, 1),
        share=share,
    )
    ranking = BradleyTerry().fit(soft, interval=Sandwich())
    drawn = BradleyTerry().fit(soft, interval=Bootstrap(replicates=300), rng=rng)
    for rating in ranking.ratings:
        other = drawn[rating.item]
        assert (other.high - other.low) / (rating.high - rating.low) == pytest.approx(1, abs=0.15)


def test_records_count_graded_votes_once():
    rating = BradleyTerry().fit(graded(FOUR, [0.6] * 6))["x"]
    assert (rating.n, rating.wins, rating.ties, rating.losses) == (4, 1, 1, 2)


def test_counting_reads_shares():
    ranking = Counting().fit(graded([("x", "y", "a"), ("y", "x", "a")], [0.9, 0.8]))
    assert ranking["x"].score == pytest.approx((0.9 + 0.2) / 2)


def test_plackett_luce_refuses_graded_votes():
    with pytest.raises(PairsOnly):
        PlackettLuce().fit(graded(FOUR, [0.6] * 6))


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_an_impossible_share_is_refused(share):
    with pytest.raises(InvalidWeight):
        graded([("x", "y", "a")], [share])


@pytest.mark.parametrize("solver", ["newton", "newman", "zermelo"])
@pytest.mark.parametrize("ties", ["half", "ignore"])
def test_all_solvers_find_the_same_maximum(rng, solver, ties):
    ballots, _ = planted(rng, votes=600)
    found = BradleyTerry(ties=ties, solver=solver).fit(ballots)
    assert scores(found) == pytest.approx(scores(BradleyTerry(ties=ties).fit(ballots)), abs=SCALE * 1e-8)
    assert found.diagnostics["gradient_norm"] <= 1e-10


def test_newman_needs_fewer_sweeps_than_zermelo(rng):
    ballots, _ = planted(rng, votes=600)
    sweeps = {s: BradleyTerry(solver=s).fit(ballots).diagnostics["iterations"] for s in ("newman", "zermelo")}
    assert sweeps["newman"] < sweeps["zermelo"] / 2


def test_two_systems_need_one_sweep_of_newman():
    rows = [("x", "y", "a")] * 3 + [("y", "x", "a")]
    ranking = BradleyTerry(solver="newman").fit(board_of(*rows))
    assert ranking["x"].score - ranking["y"].score == pytest.approx(SCALE * np.log(3))


def test_flips_draw_scores_together_and_the_correction_undoes_it(rng):
    ballots, truth = planted(rng, votes=60_000, flips=0.1)
    plain = np.ptp(scores(BradleyTerry().fit(ballots)))
    fixed = np.ptp(scores(BradleyTerry(flip_rate=0.1).fit(ballots)))
    assert plain < 0.85 * np.ptp(truth)
    assert fixed == pytest.approx(np.ptp(truth), rel=0.05)


def test_the_corrected_fit_is_wider_than_the_plain_one(rng):
    ballots, _ = planted(rng, flips=0.1)
    plain = BradleyTerry().fit(ballots, interval=Sandwich())["s4"]
    fixed = BradleyTerry(flip_rate=0.1).fit(ballots, interval=Sandwich())["s4"]
    assert fixed.high - fixed.low > 1.2 * (plain.high - plain.low)


def test_a_flip_rate_that_nothing_finite_fits_is_named():
    rows = [("x", "y", "a")] * 99 + [("y", "x", "a")]
    with pytest.raises(FlipRateTooHigh):
        BradleyTerry(flip_rate=0.2).fit(board_of(*rows))


@pytest.mark.parametrize("rate", [-0.1, 0.5, float("nan")])
def test_an_impossible_flip_rate_is_refused(rate):
    with pytest.raises(InvalidSetting):
        BradleyTerry(flip_rate=rate)


@pytest.mark.parametrize("setting", [{"flip_rate": 0.1}, {"solver": "newman"}])
def test_flips_and_fixed_points_know_no_tie_parameter(setting):
    with pytest.raises(IncompatibleTies):
        BradleyTerry(ties="davidson", **setting)
