"""What is held out is held out: the folds and the loss, worked out apart."""

import numpy as np
import pytest

from arena.ranking import Ballots
from arena.ranking.voters.held_out import Foretelling, hold_out
from arena.ranking.voters.voter_table import VoterVotes
from tests.ranking.boards import board_of, sampled_board


def test_every_vote_is_foretold_once_and_never_by_a_fit_that_saw_it(rng):
    votes = VoterVotes.of(sampled_board(rng, n=5, size=400, voters=20), "tie")
    whole, seen = votes.table().won.toarray(), []

    def fit(table, groups):
        seen.append(table.won.toarray())
        return Foretelling(np.ones((20, 1)), np.zeros((1, 5)))

    found = hold_out(votes, fit, most=1, folds=4, rng=rng)
    assert (sum(whole - part for part in seen) == whole).all()
    assert all((part <= whole).all() for part in seen)
    # Every voter's 10 to 30 ballots are spread over the folds as evenly as they can be.
    per_voter = np.stack([(whole - part).sum(axis=1) for part in seen])
    assert np.ptp(per_voter, axis=0).max() <= 1
    assert found.log_loss == pytest.approx(np.log(2))  # coins for everybody, ties as half of each
    assert found.standard_error == pytest.approx(0.0, abs=1e-12)


def test_the_pairs_of_one_ballot_are_held_out_together(rng):
    ballots = Ballots.from_rankings([[("a", 1), ("b", 2), ("c", 3)]] * 12, voter=[0] * 12)
    votes, held = VoterVotes.of(ballots, "tie"), []

    def fit(table, groups):
        held.append(36 - table.won.sum())
        return Foretelling(np.ones((1, 1)), np.zeros((1, 3)))

    hold_out(votes, fit, most=1, folds=4, rng=rng)
    assert held == [9, 9, 9, 9]


def test_the_loss_is_that_of_the_voters_own_mix(rng):
    votes = VoterVotes.of(board_of(("a", "b", "a", 6), ("a", "b", "b", 6), voter=[0] * 6 + [1] * 6), "tie")
    theta = np.array([[1.0, 0.0], [-2.0, 0.0]])
    membership = np.array([[0.9, 0.1], [0.2, 0.8]])
    found = hold_out(votes, lambda *_: Foretelling(membership, theta), most=2, folds=3, rng=rng)
    chance = 1 / (1 + np.exp(-theta[:, 0]))
    of_first, of_second = membership @ chance
    assert found.log_loss == pytest.approx(-(np.log(of_first) + np.log(1 - of_second)) / 2)
    assert found.chosen == 1  # two groups are no better than one


def test_a_gain_within_its_error_does_not_pay_for_a_group(rng):
    # Voter 0 is foretold much better by two groups, the other nine a little worse.
    votes = VoterVotes.of(board_of(("a", "b", "a", 100), voter=np.repeat(np.arange(10), 10).tolist()), "tie")

    def fit(table, groups, gain=3.0):
        better = np.zeros((10, 2))
        better[0, groups - 1] = 1.0
        better[1:, 0] = 1.0
        return Foretelling(better, np.array([[0.0, 0.0], [gain, 0.0]]))

    held_out = hold_out(votes, fit, most=2, folds=2, rng=rng)
    assert held_out.log_loss[1] < held_out.log_loss[0]
    # One of ten clusters carries all: the error is the gain itself, so one group is kept.
    assert held_out.excess[0] == pytest.approx(held_out.excess_error[0], rel=1e-6)
    assert held_out.chosen == 1
