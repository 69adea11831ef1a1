"""Prototypes of voters: against a likelihood written out voter by voter, and against planted prototypes."""

import json
from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest
from scipy import optimize
from scipy.special import expit
from scipy.stats import dirichlet_multinomial

from arena.ranking import Ballots, Bootstrap, BradleyTerry, Sandwich
from arena.ranking.errors import (
    InvalidItem,
    InvalidSetting,
    LengthMismatch,
    MissingClusters,
    MissingRandomness,
    NotConverged,
    TooFewClusters,
)
from arena.ranking.result import SCALE
from arena.ranking.voters.ideal_point_fit import FreeBoards, Mixes, PointBoards, PointProblem, climb
from arena.ranking.voters.ideal_points import IdealPoints
from arena.ranking.voters.simulated_voters import SimulatedVoters
from arena.ranking.voters.voter_table import VoterVotes, once_each
from tests.ranking.boards import board_of, scores_of


def planted(rng, *, k=2, voters=250, votes=25, items=10, criteria=None):
    criteria = rng.normal(size=(items, k)) if criteria is None else criteria
    simulated = SimulatedVoters(concentration=0.5, temperature=0.6)
    return simulated.vote(criteria, n_voters=voters, votes_per_voter=votes, rng=rng)


def pure(criteria):
    """float64[K, n]: strengths of voters who hold one criterion in full."""
    return ((criteria - criteria.mean(axis=0)) / criteria.std(axis=0) / 0.6).T


def problem_of(ballots, boards, *, k=2, steps=4):
    table = VoterVotes.of(ballots, "tie").table()
    return PointProblem(table, once_each(table), Mixes.of(k, steps, 0.5), boards, 0.2)


def errors_of(found, truth):
    """Root mean square errors of prototypes [K, …], in the order that fits best."""
    orders = [list(order) for order in permutations(range(len(truth)))]
    return min((np.sqrt(((found[order] - truth) ** 2).mean(axis=1)) for order in orders), key=np.sum)


def test_the_mixes_are_a_lattice_with_dirichlet_multinomial_chances():
    mixes = Mixes.of(3, 4, 0.7)
    wanted = sorted(row for row in product(range(5), repeat=3) if sum(row) == 4)
    assert sorted((4 * mixes.weight).astype(int).tolist()) == [list(row) for row in wanted]
    chance = dirichlet_multinomial.logpmf(4 * mixes.weight, np.full(3, 0.7), 4)
    assert mixes.log_prior == pytest.approx(chance)
    assert np.exp(mixes.log_prior).sum() == pytest.approx(1.0)


def test_the_objective_is_the_likelihood_written_out_voter_by_voter(rng):
    ballots = planted(rng, voters=6, votes=5, items=4).ballots
    problem = problem_of(ballots, FreeBoards(2, 4))
    theta = rng.normal(size=(2, 4))
    first, second = ballots.slot_item[0::2], ballots.slot_item[1::2]
    won = ballots.slot_rank[0::2] < ballots.slot_rank[1::2]
    value = 0.0
    for voter in range(6):
        chance = 0.0
        for weight, log_prior in zip(problem.mixes.weight, problem.mixes.log_prior, strict=True):
            own = weight @ theta
            p = expit(own[first] - own[second])
            chance += np.exp(log_prior) * np.where(won, p, 1 - p)[ballots.voter == voter].prod()
        value += np.log(chance)
    for i, j in {tuple(sorted(pair)) for pair in zip(first.tolist(), second.tolist(), strict=True)}:
        p = expit(theta[:, i] - theta[:, j])
        value += 0.2 * 0.5 * (np.log(p) + np.log(1 - p)).sum()
    assert problem.at(theta.ravel()).objective == pytest.approx(value)


@pytest.mark.parametrize("with_features", [False, True])
def test_the_gradient_is_that_of_the_objective(rng, with_features):
    ballots = planted(rng, voters=6, votes=5, items=4).ballots
    boards = PointBoards.of(2, 4, rng.normal(size=(4, 3))) if with_features else FreeBoards(2, 4)
    problem = problem_of(ballots, boards)
    at = rng.normal(size=7 if with_features else 8)
    wanted = optimize.approx_fprime(at, lambda x: problem.at(x).objective, 1e-6)
    assert problem.at(at).gradient == pytest.approx(wanted, abs=1e-3)


def test_boards_among_features_are_squared_distances(rng):
    features = 3.0 * rng.normal(size=(6, 2)) + 10.0
    boards = PointBoards.of(2, 6, features)
    parameter = rng.normal(size=5)
    position, s = boards.position(parameter), boards.scale(parameter)
    distance = ((features[None] - position[:, None]) ** 2).sum(axis=2)
    theta = boards.theta(parameter)
    gap = theta - theta[:, :1]
    assert gap == pytest.approx(-s * (distance - distance[:, :1]))


@pytest.mark.parametrize("seed", range(3))
def test_planted_prototypes_are_found(seed):
    rng = np.random.default_rng(seed)
    criteria = rng.normal(size=(10, 3))
    simulated = planted(rng, k=3, voters=400, criteria=criteria)
    found = IdealPoints(prototypes=3).estimate(simulated.ballots, rng=rng)
    assert errors_of((found.score - 1000) / SCALE, pure(criteria)).max() < 0.45  # strengths have sd 1.67
    assert found.share == pytest.approx(1 / 3, abs=0.1)
    assert found.share.tolist() == sorted(found.share, reverse=True)


@pytest.mark.parametrize("seed", range(3))
def test_planted_ideal_points_are_found_among_features(seed):
    rng = np.random.default_rng(seed)
    features = 3.0 * rng.normal(size=(15, 2)) + 5.0
    position = np.array([[2.0, 2.0], [8.0, 2.0], [5.0, 9.0]])
    weight = rng.dirichlet(np.full(3, 0.5), size=300)
    utility = -0.15 * ((features[None] - (weight @ position)[:, None]) ** 2).sum(axis=2)
    voter = np.repeat(np.arange(300), 25)
    first = rng.integers(15, size=voter.size)
    second = (first + rng.integers(1, 15, size=voter.size)) % 15
    won = rng.random(voter.size) < expit(utility[voter, first] - utility[voter, second])
    ballots = Ballots.from_pair_columns(
        items=[f"s{i}" for i in range(15)],
        first=first,
        second=second,
        outcome=np.where(won, 0, 1),
        voter=voter,
    )
    found = IdealPoints(prototypes=3).estimate(ballots, rng=rng, features=features)
    assert errors_of(found.position, position).max() < 0.8
    assert found.scale == pytest.approx(0.15, rel=0.15)


@pytest.mark.parametrize("seed", range(3))
def test_newcomers_are_better_foretold_than_by_the_common_board_after_ten_votes(seed):
    rng = np.random.default_rng(seed)
    criteria = rng.normal(size=(10, 2))
    model = planted(rng, criteria=criteria)
    few = planted(rng, votes=10, criteria=criteria)
    later = SimulatedVoters(temperature=0.6).vote(
        criteria, n_voters=250, votes_per_voter=20, rng=rng, taste=few.taste
    )
    found = IdealPoints(prototypes=2).estimate(model.ballots, rng=rng)
    placed, asked = found.place(few.ballots), later.ballots
    first, second = asked.slot_item[0::2], asked.slot_item[1::2]
    won = asked.slot_rank[0::2] == 1
    common = scores_of(BradleyTerry().fit(model.ballots))
    theta = np.array([common[item] for item in asked.items]) / SCALE

    def loss(p):
        return -np.log(np.where(won, p, 1 - p)).mean()

    personal = loss(placed.probability(asked.voter, first, second))
    assert personal < loss(expit(theta[first] - theta[second])) - 0.005
    stranger = replace(placed, posterior=np.exp(found.mixes.log_prior)[None])
    assert personal < loss(stranger.probability(np.zeros(len(asked), int), first, second)) - 0.005


def test_votes_narrow_the_posterior_of_a_newcomer(rng):
    criteria = rng.normal(size=(10, 2))
    found = IdealPoints(prototypes=2).estimate(planted(rng, criteria=criteria).ballots, rng=rng)
    deviation = [
        found.place(planted(rng, voters=60, votes=votes, criteria=criteria).ballots).deviation.mean()
        for votes in (2, 10, 50)
    ]
    assert deviation[0] > deviation[1] > deviation[2]


@pytest.mark.parametrize("seed", range(3))
def test_voters_who_agree_have_one_prototype(seed):
    rng = np.random.default_rng(seed)
    ballots = (
        SimulatedVoters()
        .vote(rng.normal(size=(8, 2)), n_voters=80, votes_per_voter=12, rng=rng, taste=np.ones((80, 2)))
        .ballots
    )
    assert IdealPoints(max_prototypes=2).estimate(ballots, rng=rng).held_out.chosen == 1


def test_two_prototypes_are_chosen_on_held_out_votes(rng):
    found = IdealPoints(max_prototypes=3).estimate(planted(rng).ballots, rng=rng)
    assert found.held_out.chosen == 2
    assert found.score.shape == (2, 10)


def test_one_prototype_is_bradley_terry_with_the_same_prior(rng):
    ballots = planted(rng).ballots
    found = IdealPoints(prototypes=1, prior=0.7).fit(ballots, rng=rng)
    assert scores_of(found) == pytest.approx(scores_of(BradleyTerry(prior=0.7).fit(ballots)), abs=0.1)


def test_the_mean_voters_board_weighs_the_prototypes_by_their_shares(rng):
    found = IdealPoints(prototypes=2).estimate(planted(rng).ballots, rng=rng)
    assert found.share == pytest.approx(found.placed.weight.mean(axis=0))
    wanted = found.share @ found.score
    assert [found.mean[item].score for item in found.items] == pytest.approx(wanted)
    for k, board in enumerate(found.boards):
        assert [board[item].score for item in found.items] == pytest.approx(found.score[k])


def test_bounds_by_voter_hold_most_planted_strengths():
    inside = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        criteria = rng.normal(size=(10, 2))
        found = IdealPoints(prototypes=2).estimate(
            planted(rng, criteria=criteria).ballots,
            interval=Bootstrap(cluster="voter", replicates=20),
            rng=rng,
        )
        truth = 1000 + SCALE * pure(criteria)
        order = min(permutations(range(2)), key=lambda o: np.abs(found.score[list(o)] - truth).sum())
        for k, board in enumerate(order):
            rows = [found.boards[board][item] for item in found.items]
            inside += [row.low <= score <= row.high for row, score in zip(rows, truth[k], strict=True)]
    assert np.mean(inside) > 0.8  # 60 bounds of 0.95, those of one board together right or wrong


def test_components_and_unrated_systems_are_kept_apart(rng):
    ballots = board_of(
        *[("a", "b", "a", 20), ("c", "d", "b", 10)], voter=np.arange(30) % 6, items=["a", "b", "c", "d", "e"]
    )
    found = IdealPoints(prototypes=2, anchor_mean=0.0).estimate(ballots, rng=rng)
    assert np.isnan(found.score[:, 4]).all()
    assert found.score[:, :2].sum(axis=1) == pytest.approx(0.0, abs=1e-6)
    assert found.score[:, 2:4].sum(axis=1) == pytest.approx(0.0, abs=1e-6)
    assert found.mean["e"].score is None


def test_the_same_generator_gives_the_same_prototypes(rng):
    ballots = planted(rng, voters=60).ballots
    one, two = (
        IdealPoints(prototypes=2).estimate(ballots, rng=np.random.default_rng(3)).score for _ in range(2)
    )
    assert (one == two).all()


def test_diagnostics_and_settings_are_json(rng):
    ranking = IdealPoints(max_prototypes=2).fit(planted(rng).ballots, rng=rng)
    found = json.loads(json.dumps(ranking.as_dict()))
    assert found["settings"]["model"] == "ideal-points"
    assert found["diagnostics"]["held_out"]["chosen"] == len(found["diagnostics"]["share"])
    assert found["diagnostics"]["gradient_norm"] <= 1e-6


def test_a_board_without_votes_is_empty(rng):
    ranking = IdealPoints().fit(board_of(items=["a", "b"], voter=[]), rng=rng)
    assert [row.score for row in ranking.ratings] == [None, None]


def test_a_fit_that_does_not_settle_is_refused(rng):
    problem = problem_of(planted(rng, voters=20).ballots, FreeBoards(2, 10))
    with pytest.raises(NotConverged):
        climb(problem, rng.normal(size=20), tolerance=0.0)


@pytest.mark.parametrize(
    ("features", "error"),
    [
        (np.ones((3, 2)), LengthMismatch),
        (np.ones(10), LengthMismatch),
        (np.ones((10, 2)), InvalidSetting),
        (np.full((10, 1), np.nan), InvalidSetting),
    ],
)
def test_impossible_features_are_refused(rng, features, error):
    with pytest.raises(error):
        IdealPoints().estimate(planted(rng, voters=5).ballots, rng=rng, features=features)


def test_what_cannot_be_fitted_is_refused(rng):
    ballots = planted(rng, voters=2).ballots
    with pytest.raises(MissingClusters):
        IdealPoints().fit(board_of(("a", "b", "a")), rng=rng)
    with pytest.raises(MissingRandomness):
        IdealPoints().fit(ballots)
    with pytest.raises(TooFewClusters):
        IdealPoints(prototypes=3).fit(ballots, rng=rng)
    with pytest.raises(InvalidSetting):
        IdealPoints(prototypes=2).fit(ballots, interval=Sandwich(), rng=rng)
    with pytest.raises(InvalidItem):
        IdealPoints(prototypes=1).estimate(ballots, rng=rng).place(board_of(("a", "b", "a"), voter=[0]))


@pytest.mark.parametrize(
    "values",
    [
        {"prototypes": 0},
        {"prototypes": "some"},
        {"prototypes": 6, "steps": 20},
        {"max_prototypes": 0},
        {"folds": 1},
        {"concentration": 0.0},
        {"steps": 0},
        {"prior": 0.0},
        {"restarts": 0},
        {"anchor_mean": np.inf},
        {"both_bad": "grounded"},
        {"provisional_below": -1},
    ],
)
def test_settings_that_mean_nothing_are_refused(values):
    with pytest.raises(InvalidSetting):
        IdealPoints(**values)
