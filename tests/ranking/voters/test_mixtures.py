"""Mixtures of voters: against a likelihood written out vote by vote, and against planted groups."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize

from arena.ranking import Ballots, Bootstrap, BradleyTerry, Sandwich
from arena.ranking.errors import (
    InvalidItem,
    InvalidSetting,
    MissingClusters,
    MissingRandomness,
    NotConverged,
    TooFewClusters,
)
from arena.ranking.result import SCALE
from arena.ranking.voters.mixture_fit import (
    PHANTOM_VOTERS,
    Mixture,
    MixtureProblem,
    best_of,
    climb,
    one_group,
    rounds_of_em,
    starts,
)
from arena.ranking.voters.mixtures import VoterMixture
from arena.ranking.voters.simulated_voters import SimulatedVoters
from arena.ranking.voters.voter_table import VoterVotes
from tests.ranking.boards import board_of, scores_of


def planted(rng, *, voters=200, votes=20, items=8, minority=0.3, ties=0.0):
    """Two tastes, of one criterion each; the first `minority` of the voters care for the second."""
    taste = np.eye(2)[(np.arange(voters) < minority * voters).astype(int)]
    criteria = rng.normal(size=(items, 2))
    return SimulatedVoters(tie_threshold=ties).vote(
        criteria, n_voters=voters, votes_per_voter=votes, rng=rng, taste=taste
    )


def alike(rng, *, voters=100, votes=15, items=8):
    taste = np.ones((voters, 2))
    criteria = rng.normal(size=(items, 2))
    return SimulatedVoters(tie_threshold=0.2).vote(
        criteria, n_voters=voters, votes_per_voter=votes, rng=rng, taste=taste
    )


def problem_of(ballots, prior=0.1):
    return MixtureProblem.of(VoterVotes.of(ballots, "tie").table(), prior)


def written_out(ballots, theta, share, prior):
    """The penalised log-likelihood, vote by vote."""
    likelihood = {}
    met = set()
    for ballot in range(len(ballots)):
        i, j = ballots.slot_item[2 * ballot : 2 * ballot + 2]
        met.add((min(i, j), max(i, j)))
        ahead, behind = ballots.slot_rank[2 * ballot : 2 * ballot + 2]
        points = 1.0 if ahead < behind else 0.0 if ahead > behind else 0.5
        p = 1 / (1 + np.exp(theta[:, j] - theta[:, i]))
        voter = int(ballots.voter[ballot])
        likelihood[voter] = likelihood.get(voter, 1.0) * p**points * (1 - p) ** (1 - points)
    value = (
        sum(np.log(share @ chance) for chance in likelihood.values()) + PHANTOM_VOTERS * np.log(share).sum()
    )
    for i, j in met:
        p = 1 / (1 + np.exp(theta[:, j] - theta[:, i]))
        value += prior * 0.5 * (np.log(p) + np.log(1 - p)).sum()
    return value


def test_the_objective_is_the_likelihood_written_out_vote_by_vote(rng):
    ballots = planted(rng, voters=12, votes=6, items=4, ties=0.5).ballots
    problem = problem_of(ballots, prior=0.3)
    theta, share = rng.normal(size=(3, 4)), rng.dirichlet(np.ones(3))
    found = problem.view(Mixture(theta, np.log(share))).objective
    assert found == pytest.approx(written_out(ballots, theta, share, 0.3))


def test_the_gradient_is_that_of_the_objective(rng):
    problem = problem_of(planted(rng, voters=12, votes=6, items=4, ties=0.5).ballots, prior=0.3)
    theta, logit = rng.normal(size=(2, 4)), rng.normal(size=2)

    def objective(x):
        share = np.exp(x[8:]) / np.exp(x[8:]).sum()
        return problem.view(Mixture(x[:8].reshape(2, 4), np.log(share))).objective

    at = np.concatenate([theta.ravel(), logit])
    view = problem.view(Mixture(theta, np.log(np.exp(logit) / np.exp(logit).sum())))
    wanted = optimize.approx_fprime(at, objective, 1e-6)
    assert np.concatenate([view.by_theta.ravel(), view.by_logit]) == pytest.approx(wanted, abs=1e-3)


def test_no_other_optimiser_climbs_higher(rng):
    ballots = planted(rng, voters=30, votes=12, items=4, ties=0.3).ballots
    problem = problem_of(ballots)
    fit = best_of(problem, starts(problem, one_group(problem).mixture, 2, 8, rng))

    def falling(x):
        share = np.exp(x[8:]) / np.exp(x[8:]).sum()
        return -problem.view(Mixture(x[:8].reshape(2, 4), np.log(share))).objective

    others = [optimize.minimize(falling, rng.normal(size=10), method="BFGS").fun for _ in range(5)]
    assert fit.objective[-1] == pytest.approx(-min(others), abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("groups", [2, 3])
def test_the_objective_never_falls(seed, groups):
    rng = np.random.default_rng(seed)
    problem = problem_of(planted(rng, voters=40, votes=8, ties=0.3).ballots)
    start = starts(problem, one_group(problem).mixture, groups, 1, rng)[0]
    by_em = rounds_of_em(problem, start, 60, 0.0).objective
    to_the_end = climb(problem, start).objective
    for trace in (by_em, to_the_end):
        assert np.diff(trace).min() >= -1e-9 * abs(trace[-1])


def test_a_fit_that_does_not_settle_is_refused(rng):
    problem = problem_of(alike(rng).ballots)
    start = starts(problem, one_group(problem).mixture, 3, 1, rng)[0]
    with pytest.raises(NotConverged, match="3 groups"):
        climb(problem, start, tolerance=1e-13, max_steps=1)


def test_a_voter_who_counts_twice_is_two_voters(rng):
    ballots = planted(rng, voters=30, votes=10, items=4).ballots
    twice = Ballots.from_columns(
        items=ballots.items,
        offsets=np.arange(0, 4 * len(ballots) + 1, 2),
        slot_item=np.tile(ballots.slot_item, 2),
        slot_rank=np.tile(ballots.slot_rank, 2),
        voter=np.concatenate([ballots.voter, ballots.voter + 30]),
    )
    once = replace(problem_of(ballots), times=np.full(30, 2.0))
    start = starts(once, one_group(once).mixture, 2, 1, rng)[0]
    left, right = climb(once, start), climb(problem_of(twice), start)
    assert left.mixture.theta == pytest.approx(right.mixture.theta, abs=1e-4)


def test_one_group_is_bradley_terry_with_the_same_prior(rng):
    ballots = planted(rng, ties=0.4).ballots
    found = VoterMixture(groups=1, prior=0.7).fit(ballots)
    assert scores_of(found) == pytest.approx(scores_of(BradleyTerry(prior=0.7).fit(ballots)), abs=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_two_planted_groups_are_found_with_shares_boards_and_members(seed):
    rng = np.random.default_rng(seed)
    simulated = planted(rng, voters=250, votes=24)
    found = VoterMixture(max_groups=3, restarts=4).estimate(simulated.ballots, rng=rng)
    assert found.held_out.chosen == 2
    large, small = found.groups
    assert large.share == pytest.approx(0.7, abs=0.12)
    assert np.corrcoef(large.score, simulated.strength[-1])[0, 1] > 0.95
    assert np.corrcoef(small.score, simulated.strength[0])[0, 1] > 0.9
    # Two tastes may nearly agree, and then nobody can tell their voters apart: the truth is the yardstick.
    truth = Mixture(simulated.strength[[-1, 0]], np.log([0.7, 0.3]))
    by_truth = problem_of(simulated.ballots).view(truth).place.membership
    in_small = np.arange(250) < 75
    right, possible = ((m.argmax(axis=1) == in_small).mean() for m in (found.membership, by_truth))
    assert right > possible - 0.06
    assert [group.voters for group in found.groups] == np.bincount(found.membership.argmax(axis=1)).tolist()


@pytest.mark.parametrize("seed", range(6))
def test_voters_who_agree_are_one_group(seed):
    rng = np.random.default_rng(seed)
    found = VoterMixture(max_groups=3, restarts=4).estimate(alike(rng).ballots, rng=rng)
    assert found.held_out.chosen == 1
    assert len(found.groups) == 1


def test_the_fewest_groups_within_one_standard_error_of_the_best_are_chosen(rng):
    ballots = planted(rng, voters=120).ballots
    held_out = VoterMixture(max_groups=3, restarts=3).estimate(ballots, rng=rng).held_out
    assert held_out.excess == pytest.approx(held_out.log_loss - held_out.log_loss.min())
    within = held_out.excess <= held_out.excess_error
    assert held_out.chosen == 1 + int(within.argmax())
    assert held_out.log_loss[0] > held_out.log_loss[1]


def test_held_out_loss_of_coin_flips_is_that_of_a_coin(rng):
    n = 4000
    first = rng.integers(5, size=n)
    ballots = Ballots.from_pair_columns(
        items=list("abcde"),
        first=first,
        second=(first + rng.integers(1, 5, size=n)) % 5,
        outcome=rng.integers(2, size=n),
        voter=rng.integers(100, size=n),
    )
    held_out = VoterMixture(max_groups=2).estimate(ballots, rng=rng).held_out
    assert held_out.log_loss == pytest.approx(np.log(2), abs=0.005)
    assert held_out.log_loss[0] > np.log(2)  # what was learnt of coins is worse than nothing


def test_the_egalitarian_board_holds_the_lowest_score_and_names_its_group(rng):
    found = VoterMixture(groups=2).estimate(planted(rng).ballots, rng=rng)
    scores = np.stack([group.score for group in found.groups])
    lowest = found.egalitarian.diagnostics["lowest_group"]
    for position, item in enumerate(found.items):
        assert found.egalitarian[item].score == pytest.approx(scores[:, position].min())
        assert scores[lowest[item] - 1, position] == scores[:, position].min()


def test_the_utilitarian_board_is_the_mean_by_share(rng):
    found = VoterMixture(groups=2, board="utilitarian").estimate(planted(rng).ballots, rng=rng)
    mean = sum(group.share * group.score for group in found.groups)
    assert [found.utilitarian[item].score for item in found.items] == pytest.approx(mean)


def test_the_setting_chooses_the_board(rng):
    ballots = planted(rng).ballots
    for board in ("egalitarian", "utilitarian"):
        model = VoterMixture(groups=2, board=board)
        ranking = model.fit(ballots, rng=np.random.default_rng(1))
        wanted = getattr(model.estimate(ballots, rng=np.random.default_rng(1)), board)
        assert ranking == wanted
        assert ranking.settings["board"] == board


def test_what_everybody_likes_stays_first_on_the_egalitarian_board():
    rows, voter = [], []
    for person in range(40):
        loves = "cat" if person < 30 else "dog"  # and puts the other one last
        hates = "dog" if person < 30 else "cat"
        for a, b in ((loves, "fine"), ("fine", hates), (loves, hates), ("fine", "dull"), ("dull", hates)):
            rows.append((a, b, "a", 2))
            voter += [person] * 2
    found = VoterMixture(groups=2, anchor_mean=0.0).estimate(
        board_of(*rows, voter=voter), rng=np.random.default_rng(0)
    )
    assert found.groups[0].share == pytest.approx(0.75, abs=0.03)
    assert found.utilitarian.ratings[0].item == "cat"
    assert found.egalitarian.ratings[0].item == "fine"
    assert found.egalitarian.diagnostics["lowest_group"]["cat"] == 2
    assert found.egalitarian.diagnostics["lowest_group"]["dog"] == 1
    # Every vote of a group went one way, and still all is finite.
    assert all(np.isfinite(group.score).all() for group in found.groups)


def test_groups_come_largest_first_and_memberships_sum_to_one(rng):
    found = VoterMixture(groups=3).estimate(planted(rng).ballots, rng=rng)
    shares = [group.share for group in found.groups]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1.0)
    assert found.membership.sum(axis=1) == pytest.approx(1.0)
    total = np.sum([group.comparisons for group in found.groups], axis=0)
    assert total == pytest.approx([found.egalitarian[item].n for item in found.items])


def test_every_component_of_every_group_is_centred_on_the_anchor(rng):
    apart = planted(rng, items=6).ballots
    both = Ballots.from_columns(
        items=[f"item-{k}" for k in range(12)] + ["never seen"],
        offsets=np.arange(0, 4 * len(apart) + 1, 2),
        slot_item=np.concatenate([apart.slot_item, apart.slot_item + 6]),
        slot_rank=np.tile(apart.slot_rank, 2),
        voter=np.tile(apart.voter, 2),
    )
    found = VoterMixture(groups=2, anchor_mean=500.0).estimate(both, rng=rng)
    for group in found.groups:
        assert group.score[:6].mean() == pytest.approx(500.0)
        assert group.score[6:12] == pytest.approx(group.score[:6], abs=0.1)
        assert np.isnan(group.score[12])
    assert found.egalitarian["never seen"].score is None
    assert {row.component for row in found.egalitarian.ratings} == {0, 1, None}


def test_ballots_of_unknown_voters_are_voters_of_their_own(rng):
    ballots = planted(rng, voters=40).ballots
    voter = np.where(np.arange(len(ballots)) % 40 == 0, -1, ballots.voter)
    found = VoterMixture(groups=2).estimate(replace(ballots, voter=voter), rng=rng)
    unknown = int((voter == -1).sum())
    assert found.voter.tolist() == [*range(40), *[-1] * unknown]
    assert sum(group.voters for group in found.groups) == 40


def test_membership_is_found_by_a_voters_code(rng):
    ballots = planted(rng, voters=40).ballots
    found = VoterMixture(groups=2).estimate(replace(ballots, voter=ballots.voter * 3), rng=rng)
    assert found.membership_of(3).tolist() == found.membership[1].tolist()
    for nobody in (-1, 1, 1000):
        with pytest.raises(KeyError):
            found.membership_of(nobody)


def test_a_newcomer_is_placed_by_bayes_rule(rng):
    found = VoterMixture(groups=2).estimate(planted(rng, items=4).ballots, rng=rng)
    votes = board_of(
        ("item-0", "item-1", "a"), ("item-2", "item-1", "b"), voter=["new", "new"], items=found.items
    )
    theta = np.stack([group.score for group in found.groups]) / SCALE
    chance = [1 / (1 + np.exp(theta[:, j] - theta[:, i])) for i, j in ((0, 1), (1, 2))]
    joint = np.array([group.share for group in found.groups]) * chance[0] * chance[1]
    placed = found.place(votes)
    assert placed.membership[0] == pytest.approx(joint / joint.sum())
    assert placed.voter.tolist() == [0]


def test_newcomers_are_better_foretold_by_their_group_after_ten_votes(rng):
    criteria = rng.normal(size=(8, 2))
    taste = np.eye(2)[np.arange(300) % 2]
    model, few, later = (
        SimulatedVoters().vote(criteria, n_voters=300, votes_per_voter=votes, rng=rng, taste=taste)
        for votes in (20, 10, 20)
    )
    found = VoterMixture(groups=2).estimate(model.ballots, rng=rng)
    membership = found.place(few.ballots).membership
    theta = np.stack([group.score for group in found.groups]) / SCALE
    common = np.array([found.utilitarian[item].score for item in found.items]) / SCALE
    first, second = later.ballots.slot_item[0::2], later.ballots.slot_item[1::2]
    won = later.ballots.slot_rank[0::2] == 1

    def loss(p):
        return -np.log(np.where(won, p, 1 - p)).mean()

    by_group = 1 / (1 + np.exp(theta[:, second] - theta[:, first]))
    personal = (membership[later.ballots.voter] * by_group.T).sum(axis=1)
    assert loss(personal) < loss(1 / (1 + np.exp(common[second] - common[first]))) - 0.02


def test_bounds_by_voter_hold_the_planted_scores():
    inside = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        simulated = planted(rng, voters=300)
        found = VoterMixture(groups=2).estimate(
            simulated.ballots, interval=Bootstrap(cluster="voter", replicates=20), rng=rng
        )
        truth = 1000 + SCALE * simulated.strength[[-1, 0]]
        boards = [*(group.board for group in found.groups), found.egalitarian]
        for board, scores in zip(boards, [*truth, truth.min(axis=0)], strict=True):
            rows = [board[item] for item in found.items]
            inside += [row.low <= score <= row.high for row, score in zip(rows, scores, strict=True)]
        assert found.egalitarian.diagnostics["clusters"] == 300
    assert np.mean(inside) > 0.85  # 96 bounds of 0.95, those of one board together right or wrong


def test_votes_can_be_drawn_with_the_voters_kept(rng):
    ballots = planted(rng, voters=60).ballots
    model = VoterMixture(groups=2)
    ranking = model.fit(ballots, interval=Bootstrap(replicates=10), rng=rng)
    assert ranking.diagnostics["clusters"] == len(ballots)
    assert all(row.low < row.score < row.high for row in ranking.ratings)


def test_the_same_generator_gives_the_same_groups(rng):
    ballots = planted(rng, voters=60).ballots
    interval = Bootstrap(cluster="voter", replicates=5)
    one, two = (
        VoterMixture(max_groups=2).fit(ballots, interval=interval, rng=np.random.default_rng(9))
        for _ in range(2)
    )
    assert one == two
    assert (one.covariance.matrix == two.covariance.matrix).all()


def test_names_and_sides_do_not_matter(rng):
    ballots = planted(rng).ballots
    turn = rng.permutation(len(ballots.items))
    turned = Ballots.from_columns(
        items=[ballots.items[k] for k in np.argsort(turn)],
        offsets=ballots.offsets,
        slot_item=turn[ballots.slot_item].reshape(-1, 2)[:, ::-1].ravel(),
        slot_rank=np.asarray(ballots.slot_rank).reshape(-1, 2)[:, ::-1].ravel(),
        voter=ballots.voter,
    )
    one, two = (scores_of(VoterMixture(groups=2).fit(b, rng=rng)) for b in (ballots, turned))
    assert one == pytest.approx(two, abs=0.1)


def test_a_ballot_of_weight_two_is_two_ballots(rng):
    ballots = planted(rng, voters=40).ballots
    heavy = replace(ballots, weight=np.full(len(ballots), 2.0))
    twice = Ballots.from_columns(
        items=ballots.items,
        offsets=np.arange(0, 4 * len(ballots) + 1, 2),
        slot_item=np.tile(ballots.slot_item, 2),
        slot_rank=np.tile(ballots.slot_rank, 2),
        voter=np.tile(ballots.voter, 2),
    )
    one, two = (scores_of(VoterMixture(groups=2).fit(b, rng=rng)) for b in (heavy, twice))
    assert one == pytest.approx(two, abs=0.1)


def test_diagnostics_and_settings_are_json(rng):
    ranking = VoterMixture(max_groups=2).fit(planted(rng).ballots, rng=rng)
    found = json.loads(json.dumps(ranking.as_dict()))
    assert found["settings"]["model"] == "voter-mixture"
    assert found["diagnostics"]["held_out"]["chosen"] == 2
    assert found["diagnostics"]["gradient_norm"] <= 1e-6
    assert len(found["diagnostics"]["groups"]) == 2


def test_a_board_without_votes_is_empty(rng):
    ballots = board_of(items=["a", "b"], voter=[])
    for groups in (1, 2, "held-out"):
        assert [row.score for row in VoterMixture(groups=groups).fit(ballots, rng=rng).ratings] == [
            None,
            None,
        ]


def test_ballots_without_voters_are_refused(rng):
    with pytest.raises(MissingClusters):
        VoterMixture().fit(board_of(("a", "b", "a")), rng=rng)


def test_a_fit_without_randomness_is_refused(rng):
    ballots = planted(rng, voters=10).ballots
    with pytest.raises(MissingRandomness):
        VoterMixture().fit(ballots)
    with pytest.raises(MissingRandomness):
        VoterMixture(groups=1).fit(ballots, interval=Bootstrap(cluster="voter"))


def test_more_groups_than_voters_are_refused(rng):
    with pytest.raises(TooFewClusters):
        VoterMixture(groups=3).fit(planted(rng, voters=2).ballots, rng=rng)


def test_a_sandwich_is_refused(rng):
    with pytest.raises(InvalidSetting):
        VoterMixture(groups=1).fit(planted(rng, voters=5).ballots, interval=Sandwich(), rng=rng)


def test_votes_on_other_items_are_refused(rng):
    found = VoterMixture(groups=1).estimate(planted(rng, voters=5).ballots)
    with pytest.raises(InvalidItem):
        found.place(board_of(("a", "b", "a"), voter=[0]))


@pytest.mark.parametrize(
    "values",
    [
        {"groups": 0},
        {"groups": "many"},
        {"max_groups": 0},
        {"folds": 1},
        {"restarts": 0},
        {"board": "best"},
        {"prior": 0.0},
        {"prior": np.inf},
        {"anchor_mean": np.nan},
        {"both_bad": "grounded"},
        {"provisional_below": -1},
    ],
)
def test_settings_that_mean_nothing_are_refused(values):
    with pytest.raises(InvalidSetting):
        VoterMixture(**values)
