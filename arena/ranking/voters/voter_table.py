"""Votes summed by voter and pair, which is all that models of voters' tastes read, and their resamples. It
fits nothing itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from scipy import sparse
from scipy.special import log_expit, logsumexp

from arena.ranking.arrays import Bools, Floats, Ints
from arena.ranking.ballots import UNKNOWN, Ballots
from arena.ranking.counts import (
    FIRST_WON,
    SECOND_WON,
    BothBad,
    Tally,
    cell_of,
    cluster_codes,
    compare,
    tally,
)
from arena.ranking.graph import components
from arena.ranking.intervals import Interval

T = TypeVar("T")


class Place(NamedTuple):
    """Where voters belong: membership float64[U, G], rows that sum to 1, and log_likelihood float64[U]."""

    membership: Floats
    log_likelihood: Floats


@dataclass(frozen=True, eq=False)
class VoterTable:
    """The votes of U voters on P observed pairs of n items, a tie as half a win to each side.

    first, second   int64[P], the items of a pair
    won             sparse float64[U, 2 P], weight of each pair's votes for `first`, then for `second`
    """

    n_items: int
    first: Ints
    second: Ints
    won: sparse.csr_array

    @property
    def n_voters(self) -> int:
        return int(self.won.shape[0])

    @cached_property
    def components(self) -> list[Ints]:
        """Items of each connected component."""
        return components(self.n_items, self.first, self.second)

    @cached_property
    def incidence(self) -> sparse.csr_array:
        """Sparse float64[n, P]: 1 for the first item of a pair, -1 for the second."""
        pairs = self.first.size
        value = np.concatenate([np.ones(pairs), -np.ones(pairs)])
        place = (np.concatenate([self.first, self.second]), np.tile(np.arange(pairs), 2))
        return sparse.csr_array(sparse.coo_array((value, place), shape=(self.n_items, pairs)))

    @cached_property
    def meets(self) -> sparse.csr_array:
        """Sparse float64[n, P]: 1 for both items of a pair."""
        return abs(self.incidence)

    def log_chances(self, theta: Floats) -> Floats:
        """float64[2 P, G], ln P of a vote for the first and of one for the second, from theta [G, n]."""
        gap = (theta[:, self.first] - theta[:, self.second]).T
        chances: Floats = np.vstack([log_expit(gap), log_expit(-gap)])
        return chances

    def place(self, log_chances: Floats, log_share: Floats) -> Place:
        """P(group | votes of u), proportional to share * product of P(vote), taken in logarithms."""
        joint = self.won @ log_chances + log_share
        likelihood = logsumexp(joint, axis=1)
        return Place(np.exp(joint - likelihood[:, None]), likelihood)

    def comparisons(self, membership: Floats) -> Floats:
        """float64[G, n], weight of each item's comparisons times the membership [U, G] of who cast them."""
        pairs = self.first.size
        cells = self.won.T @ membership
        heard: Floats = (self.meets @ (cells[:pairs] + cells[pairs:])).T
        return heard


@dataclass(frozen=True, eq=False)
class VoterVotes:
    """The comparisons of usable ballots, c in all, with their voters.

    owner, cell, row, weight    ballot, cell of the tally, row of the voter and weight of each comparison
    voter           int64[U], codes by row, ascending; then -1 for every ballot of an unknown voter
    """

    total: Tally
    owner: Ints
    cell: Ints
    row: Ints
    weight: Floats
    voter: Ints

    @classmethod
    def of(cls, ballots: Ballots, both_bad: BothBad) -> VoterVotes:
        """Raises MissingClusters if the ballots have no voter column."""
        comparisons = compare(ballots, both_bad=both_bad)
        total = tally(comparisons)
        code = cluster_codes(ballots, "voter")
        assert code is not None  # noqa: S101 - a column, or MissingClusters was raised
        assert ballots.voter is not None  # noqa: S101
        owner = np.arange(comparisons.key.size) if comparisons.ballot is None else comparisons.ballot
        found, row = np.unique(code[owner], return_inverse=True)
        voter = np.where(found > int(ballots.voter.max(initial=UNKNOWN)), UNKNOWN, found)
        return cls(total, owner, cell_of(comparisons, total), row, np.asarray(ballots.weight[owner]), voter)

    def table(self, weight: Floats | None = None, kept: Bools | None = None) -> VoterTable:
        """The sums by voter of all comparisons or of those `kept`, with other weights if given."""
        some: Bools | slice = slice(None) if kept is None else kept
        outcome, pair = np.divmod(self.cell[some], max(self.total.first.size, 1))
        each = (self.weight if weight is None else weight)[some]
        to_first = np.where(outcome == FIRST_WON, 1.0, np.where(outcome == SECOND_WON, 0.0, 0.5)) * each
        value = np.concatenate([to_first, each - to_first])
        column = np.concatenate([pair, pair + self.total.first.size])
        voted = value > 0
        entries = (value[voted], (np.tile(self.row[some], 2)[voted], column[voted]))
        shape = (self.voter.size, 2 * self.total.first.size)
        won = sparse.csr_array(sparse.coo_array(entries, shape=shape))
        return VoterTable(self.total.n_items, self.total.first, self.total.second, won)


def once_each(table: VoterTable) -> Floats:
    """float64[U], 1 for every voter with a vote in the table, 0 for the others."""
    voted: Floats = (np.diff(table.won.indptr) > 0).astype(np.float64)
    return voted


class Refits(Generic[T]):
    """What a fit says of resamples, each fitted once for all the boards that show it.

    full        what it says of the ballots themselves
    refit       from a table and how often each of its voters counts, float64[U]
    """

    def __init__(
        self,
        votes: VoterVotes,
        weight: Floats,
        interval: Interval | None,
        *,
        full: T,
        refit: Callable[[VoterTable, Floats], T],
    ) -> None:
        self._votes, self._weight, self._full, self._refit = votes, weight, full, refit
        self._by_voter = interval is not None and interval.cluster == "voter"
        self._table = votes.table()
        self._ballot_of = np.zeros(votes.voter.size, dtype=np.int64)
        self._ballot_of[votes.row] = votes.owner
        self._found: dict[bytes, T] = {}

    def __call__(self, weight: Floats) -> T:
        """From float64[n_ballots] weights, as `scored.rank_by_weights` draws them."""
        if np.array_equal(weight, self._weight):
            return self._full
        key = hashlib.blake2b(weight.tobytes()).digest()
        if key not in self._found:
            self._found[key] = self._of(weight)
        return self._found[key]

    def _of(self, weight: Floats) -> T:
        if self._by_voter:
            # A voter drawn twice is two voters, not one with twice the evidence on where they belong.
            return self._refit(self._table, weight[self._ballot_of] / self._weight[self._ballot_of])
        table = self._votes.table(weight[self._votes.owner])
        return self._refit(table, once_each(table))
