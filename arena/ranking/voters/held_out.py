"""How many groups of voters there are, judged by votes that no fit has seen. It knows no model: one hands in
a function that fits so many groups.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from arena.ranking.arrays import Floats, Ints, sum_by
from arena.ranking.voters.voter_table import VoterTable, VoterVotes

HELD_OUT: Literal["held-out"] = "held-out"
"""The setting that asks for the number of groups to be chosen on held-out votes."""


class HeldOut(NamedTuple):
    """How well models of 1…M groups foretell votes that they were not fitted to.

    log_loss            float64[M], mean of -ln P(vote) over held-out compared pairs, a tie as half of each
    standard_error      float64[M], of the loss, clustered by voter
    excess              float64[M], loss above the best number's
    excess_error        float64[M], standard error of that difference, voter by voter
    chosen              the fewest groups whose excess is within its standard error
    """

    log_loss: Floats
    standard_error: Floats
    excess: Floats
    excess_error: Floats
    chosen: int

    def as_json(self) -> dict[str, Any]:
        """The columns as JSON values."""
        columns = self._asdict().items()
        return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in columns}


class Foretelling(NamedTuple):
    """What a fit expects of voters: membership float64[U, S], and the groups' boards theta float64[S, n]."""

    membership: Floats
    theta: Floats


def hold_out(
    votes: VoterVotes,
    fit: Callable[[VoterTable, int], Foretelling],
    *,
    most: int,
    folds: int,
    rng: np.random.Generator,
) -> HeldOut:
    """Deal every voter's ballots to `folds` parts and foretell each part from the others, which also say
    where the voter belongs; a voter without other ballots is foretold by the groups' shares.

    The difference between two numbers of groups is far better known than either loss, so the rule of one
    standard error (Breiman et al. 1984) is applied to differences, voter by voter. That the folds' fits share
    votes is ignored.
    """
    n_voters = votes.voter.size
    fold = _dealt(votes, folds, rng)
    loss = np.zeros((most, n_voters))
    for held in range(folds):
        seen, asked = votes.table(kept=fold != held), votes.table(kept=fold == held)
        for groups in range(1, most + 1):
            loss[groups - 1] += _surprise(fit(seen, groups), asked)
    return _judged(loss, sum_by(votes.row, votes.weight, n_voters))


def _dealt(votes: VoterVotes, folds: int, rng: np.random.Generator) -> Ints:
    """int64[c], the fold of each comparison: a ballot's comparisons together, a voter's ballots spread."""
    ballot, first = np.unique(votes.owner, return_index=True)
    voter = votes.row[first]
    order = np.lexsort((rng.random(ballot.size), voter))
    size = np.bincount(voter, minlength=votes.voter.size)
    turn = np.empty(ballot.size, dtype=np.int64)
    turn[order] = np.arange(ballot.size) - np.repeat(np.cumsum(size) - size, size)
    fold = (turn + rng.integers(folds, size=votes.voter.size)[voter]) % folds
    dealt: Ints = fold[np.searchsorted(ballot, votes.owner)]
    return dealt


def _surprise(found: Foretelling, asked: VoterTable) -> Floats:
    """float64[U], sum of -ln P over a voter's held-out votes."""
    entries = asked.won.tocoo()
    chance = np.exp(asked.log_chances(found.theta))[entries.col]
    foretold = (found.membership[entries.row] * chance).sum(axis=1)
    return sum_by(entries.row, -entries.data * np.log(foretold), asked.n_voters)


def _judged(loss: Floats, weight: Floats) -> HeldOut:
    """From float64[M, U] losses and float64[U] weights of the voters."""
    total = max(float(weight.sum()), np.finfo(np.float64).tiny)
    mean = loss.sum(axis=1) / total
    best = int(mean.argmin())

    def error(by_voter: Floats) -> Floats:
        level = by_voter.sum(axis=1, keepdims=True) / total
        clusters = max(weight.size, 2)
        spread: Floats = ((by_voter - level * weight) ** 2).sum(axis=1) * clusters / (clusters - 1)
        return np.sqrt(spread) / total

    excess, excess_error = mean - mean[best], error(loss - loss[best])
    chosen = int(np.flatnonzero(excess <= excess_error)[0]) + 1
    return HeldOut(mean, error(loss), excess, excess_error, chosen)
