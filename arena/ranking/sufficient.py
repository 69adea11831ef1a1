"""What a model of pairs needs of all votes so far, kept so that new votes are added without reading the old
ones again. It counts and never estimates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse

from arena.ranking.arrays import Floats, Ints
from arena.ranking.ballots import UNKNOWN, Ballots
from arena.ranking.counts import (
    MEETING,
    TWO_WAY,
    BothBad,
    Breaking,
    ClusterSums,
    SingleSums,
    Tally,
    compare,
    split,
    tally,
)
from arena.ranking.errors import InvalidSetting, MissingClusters


class Facts(NamedTuple):
    """How many ballots and comparisons were counted, and what was left out for which reason."""

    n_ballots: int
    n_comparisons: int
    n_all_bad: int
    kwise_as_pairs: int
    dropped: dict[str, int]


class Reading(NamedTuple):
    """How ballots are read as pairs; see `arena.ranking.counts.compare`."""

    both_bad: BothBad = "tie"
    ignore_ties: bool = False
    flip_rate: float = 0.0
    breaking: Breaking = "full"


@dataclass(frozen=True, eq=False)
class Statistics:
    """Sufficient statistics of votes on one list of items.

    sums    the tally split by each kind of cluster that is kept; "voter,prompt" keeps three
    """

    items: tuple[str, ...]
    reading: Reading
    total: Tally
    facts: Facts
    sums: Mapping[str, ClusterSums | SingleSums]

    @classmethod
    def of(cls, ballots: Ballots, reading: Reading, *, clusters: Iterable[str] = ()) -> Statistics:
        """Count `ballots`.

        Raises MissingClusters and InvalidSetting as `arena.ranking.counts.split` does.
        """
        comparisons = compare(ballots, **reading._asdict())
        total = tally(comparisons)
        facts = Facts(
            comparisons.n_ballots,
            comparisons.n_comparisons,
            comparisons.n_all_bad,
            comparisons.kwise_as_pairs,
            dict(comparisons.dropped),
        )
        sums = {
            way: split(ballots, comparisons, total, cluster=way)
            for asked in clusters
            for way in ways_of(asked)
        }
        return cls(ballots.items, reading, total, facts, sums)

    def by(self, cluster: str) -> ClusterSums | SingleSums:
        """Raises MissingClusters if the votes were not kept by this kind of cluster."""
        name = "ballot" if cluster == "vote" else cluster
        if name not in self.sums:
            raise MissingClusters(f"the statistics were not kept by {name}")
        return self.sums[name]

    def plus(self, more: Statistics) -> Statistics:
        """The statistics of both sets of votes together, exactly those of counting all votes at once (up to
        the rounding of sums of weights; with weights of 1 to the last bit). Voter and prompt codes must mean
        the same in both, and no ballot may be in both.

        Raises InvalidSetting if items or readings differ, or if two-way clusters were kept.
        """
        if self.items != more.items or self.reading != more.reading:
            raise InvalidSetting("only statistics of the same items, read in the same way, can be added")
        if set(self.sums) != set(more.sums) or MEETING in self.sums:
            raise InvalidSetting("statistics to be added must be kept by the same single ways of clustering")
        pairs = _union(self.total, more.total)
        total = _added(self.total, more.total, pairs)
        sums = {
            way: _joined(own, more.sums[way], self.total, more.total, pairs) for way, own in self.sums.items()
        }
        return Statistics(self.items, self.reading, total, _counted(self.facts, more.facts), sums)


def ways_of(cluster: str) -> tuple[str, ...]:
    """The single ways of clustering behind an interval's setting."""
    if cluster == TWO_WAY:
        return ("voter", "prompt", MEETING)
    return ("ballot" if cluster == "vote" else cluster,)


class _Pairs(NamedTuple):
    """key int64[P] of all pairs, ascending; where the pairs of either side stand among them."""

    key: Ints
    left: Ints
    right: Ints


def _union(left: Tally, right: Tally) -> _Pairs:
    n = left.n_items
    own, other = left.first * n + left.second, right.first * n + right.second
    key = np.union1d(own, other)
    return _Pairs(key, np.searchsorted(key, own), np.searchsorted(key, other))


def _added(left: Tally, right: Tally, pairs: _Pairs) -> Tally:
    first, second = np.divmod(pairs.key, max(left.n_items, 1))
    shape = (left.weight.shape[0], pairs.key.size)
    weight, events = np.zeros(shape), np.zeros(shape, dtype=np.int64)
    for part, place in ((left, pairs.left), (right, pairs.right)):
        weight[:, place] += part.weight
        events[:, place] += part.events
    return Tally(left.n_items, first, second, weight, events, left.ballots_of + right.ballots_of)


def _counted(left: Facts, right: Facts) -> Facts:
    reasons = [*left.dropped, *(reason for reason in right.dropped if reason not in left.dropped)]
    dropped = {reason: left.dropped.get(reason, 0) + right.dropped.get(reason, 0) for reason in reasons}
    return Facts(
        left.n_ballots + right.n_ballots,
        left.n_comparisons + right.n_comparisons,
        left.n_all_bad + right.n_all_bad,
        left.kwise_as_pairs + right.kwise_as_pairs,
        dropped,
    )


def _joined(
    own: ClusterSums | SingleSums,
    other: ClusterSums | SingleSums,
    left: Tally,
    right: Tally,
    pairs: _Pairs,
) -> ClusterSums | SingleSums:
    if isinstance(own, SingleSums) and isinstance(other, SingleSums):
        return _joined_singles(own, other, left, right, pairs)
    mine, theirs = _as_clusters(own), _as_clusters(other)
    known = [part.code[part.code != UNKNOWN] for part in (mine, theirs)]
    names = np.union1d(*known)
    lone = mine.n_clusters - known[0].size
    count = names.size + lone + theirs.n_clusters - known[1].size
    # Known clusters come first, ascending, then those nobody can name: rows keep their order on either side.
    rows = [
        np.concatenate(
            [np.searchsorted(names, codes), np.arange(first, first + part.n_clusters - codes.size)]
        )
        for part, codes, first in ((mine, known[0], names.size), (theirs, known[1], names.size + lone))
    ]
    n_pairs = pairs.key.size
    matrix = _moved(mine.matrix, rows[0], count, pairs.left, n_pairs) + _moved(
        theirs.matrix, rows[1], count, pairs.right, n_pairs
    )
    code = np.concatenate([names, np.full(count - names.size, UNKNOWN)])
    return ClusterSums(count, sparse.csr_array(matrix), code)


def _moved(matrix: sparse.csr_array, rows: Ints, n_rows: int, place: Ints, n_pairs: int) -> sparse.csr_array:
    """The matrix with its rows at `rows` (ascending) and its pairs at `place` (ascending)."""
    outcomes = matrix.shape[1] // max(place.size, 1)
    stored = np.zeros(n_rows, dtype=np.int64)
    stored[rows] = np.diff(matrix.indptr)
    indices = matrix.indices
    if place.size != n_pairs:
        column = (np.arange(outcomes)[:, None] * n_pairs + place).reshape(-1)
        indices = column[indices]
    shape = (n_rows, outcomes * n_pairs)
    return sparse.csr_array((matrix.data, indices, np.concatenate([[0], np.cumsum(stored)])), shape=shape)


def _joined_singles(
    own: SingleSums, other: SingleSums, left: Tally, right: Tally, pairs: _Pairs
) -> SingleSums:
    square = np.zeros((own.square.shape[0], pairs.key.size))
    square[:, pairs.left] += own.square
    square[:, pairs.right] += other.square
    count = own.n_clusters + other.n_clusters
    if own.weight is None and other.weight is None:
        return SingleSums(count, square, None, None)
    weights, cells = [], []
    for part, total, place in ((own, left, pairs.left), (other, right, pairs.right)):
        cell = _cells(part)
        outcome, pair = np.divmod(cell, max(total.first.size, 1))
        cells.append(outcome * pairs.key.size + place[pair])
        weights.append(np.ones(cell.size) if part.weight is None else part.weight)
    return SingleSums(count, square, np.concatenate(weights), np.concatenate(cells))


def _cells(part: SingleSums) -> Ints:
    if part.cell is not None:
        return part.cell
    times = np.rint(part.square.reshape(-1)).astype(np.int64)
    return np.repeat(np.arange(times.size), times)


def _as_clusters(part: ClusterSums | SingleSums) -> ClusterSums:
    if isinstance(part, ClusterSums):
        return part
    cell = _cells(part)
    weight: Floats = np.ones(cell.size) if part.weight is None else part.weight
    shape = (cell.size, part.square.size)
    matrix = sparse.csr_array(sparse.coo_array((weight, (np.arange(cell.size), cell)), shape=shape))
    return ClusterSums(cell.size, matrix, np.full(cell.size, UNKNOWN))
