"""Simulated voters against the formulas they claim to vote by."""

import numpy as np
import pytest
from scipy.special import expit

from arena.ranking import BradleyTerry
from arena.ranking.errors import InvalidSetting, LengthMismatch, TooFewSystems
from arena.ranking.result import SCALE
from arena.ranking.voters.simulated_voters import SimulatedVoters
from tests.ranking.boards import scores_of


def test_votes_follow_rao_kuppers_chances(rng):
    simulated = SimulatedVoters(temperature=0.8, tie_threshold=0.4).vote(
        [[0.0], [1.0]], n_voters=4, votes_per_voter=10_000, rng=rng
    )
    ballots, n = simulated.ballots, 40_000
    lead = 2.0 * np.where(ballots.slot_item[0::2] == 1, 1.0, -1.0)  # z-scores are -1 and 1
    better_won = np.where(lead > 0, ballots.slot_rank[0::2] < ballots.slot_rank[1::2], 0).sum()
    better_won += np.where(lead < 0, ballots.slot_rank[0::2] > ballots.slot_rank[1::2], 0).sum()
    tied = (ballots.slot_rank[0::2] == ballots.slot_rank[1::2]).sum()
    won, lost = expit((2.0 - 0.4) / 0.8), expit((-2.0 - 0.4) / 0.8)
    assert better_won / n == pytest.approx(won, abs=4 * np.sqrt(won * (1 - won) / n))
    assert tied / n == pytest.approx(1 - won - lost, abs=4 * np.sqrt((1 - won - lost) / n))


def test_without_a_threshold_nobody_ties(rng):
    ballots = (
        SimulatedVoters().vote(rng.normal(size=(5, 2)), n_voters=50, votes_per_voter=20, rng=rng).ballots
    )
    assert (ballots.slot_rank[0::2] != ballots.slot_rank[1::2]).all()


def test_bradley_terry_finds_the_strength_of_voters_who_agree(rng):
    simulated = SimulatedVoters().vote(
        rng.normal(size=(6, 2)), n_voters=300, votes_per_voter=100, rng=rng, taste=np.ones((300, 2))
    )
    found = scores_of(BradleyTerry().fit(simulated.ballots))
    wanted = 1000 + SCALE * simulated.strength[0]
    assert [found[item] for item in simulated.ballots.items] == pytest.approx(wanted, abs=25)


def test_the_unit_of_a_criterion_does_not_matter(rng):
    criteria = rng.normal(size=(7, 3))
    plain, scaled = (
        SimulatedVoters().vote(table, n_voters=9, votes_per_voter=11, rng=np.random.default_rng(5))
        for table in (criteria, criteria * [2.0, 0.1, 30.0] + [1.0, -5.0, 0.0])
    )
    assert (plain.ballots.slot_rank == scaled.ballots.slot_rank).all()
    assert scaled.strength == pytest.approx(plain.strength)


def test_a_low_concentration_makes_voters_of_one_criterion(rng):
    drawn = {
        concentration: SimulatedVoters(concentration=concentration)
        .vote(rng.normal(size=(4, 3)), n_voters=500, votes_per_voter=1, rng=rng)
        .taste
        for concentration in (0.02, 100.0)
    }
    assert drawn[0.02].sum(axis=1) == pytest.approx(1.0)
    assert drawn[0.02].max(axis=1).mean() > 0.95
    assert drawn[100.0].max(axis=1).mean() < 0.45


def test_strength_is_the_mean_over_prompts(rng):
    criteria = rng.normal(size=(10, 4, 2))
    simulated = SimulatedVoters(temperature=2.0).vote(criteria, n_voters=3, votes_per_voter=200, rng=rng)
    scored = (criteria - criteria.mean(axis=(0, 1))) / criteria.std(axis=(0, 1))
    mean = np.einsum("ur,pir->ui", simulated.taste, scored) / 10 / 2.0
    assert simulated.strength == pytest.approx(mean - mean.mean(axis=1, keepdims=True))
    assert set(np.unique(simulated.ballots.prompt)) == set(range(10))


def test_the_same_generator_gives_the_same_votes(rng):
    criteria = rng.normal(size=(4, 2))
    one, two = (
        SimulatedVoters(tie_threshold=0.3).vote(
            criteria, n_voters=8, votes_per_voter=9, rng=np.random.default_rng(3)
        )
        for _ in range(2)
    )
    assert (one.ballots.pair_key == two.ballots.pair_key).all()
    assert (one.taste == two.taste).all()


@pytest.mark.parametrize(
    "values",
    [{"concentration": 0.0}, {"temperature": -1.0}, {"temperature": np.inf}, {"tie_threshold": -0.1}],
)
def test_settings_that_mean_nothing_are_refused(values):
    with pytest.raises(InvalidSetting):
        SimulatedVoters(**values)


@pytest.mark.parametrize(
    ("criteria", "more", "error"),
    [
        (np.zeros(3), {}, LengthMismatch),
        (np.ones((3, 2)), {}, InvalidSetting),
        ([[0.0], [np.nan]], {}, InvalidSetting),
        ([[0.0]], {}, TooFewSystems),
        ([[0.0], [1.0]], {"n_voters": 0}, InvalidSetting),
        ([[0.0], [1.0]], {"taste": np.ones((3, 1))}, LengthMismatch),
        ([[0.0], [1.0]], {"taste": np.zeros((2, 1))}, InvalidSetting),
        ([[0.0], [1.0]], {"taste": -np.ones((2, 1))}, InvalidSetting),
    ],
)
def test_impossible_criteria_and_tastes_are_refused(rng, criteria, more, error):
    with pytest.raises(error):
        SimulatedVoters().vote(criteria, **{"n_voters": 2, "votes_per_voter": 3, "rng": rng, **more})
