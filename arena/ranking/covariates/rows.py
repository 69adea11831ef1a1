"""The design of a fit with covariates: rows of equal pair and equal covariates, and the votes on them. It
knows no likelihood.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from arena.ranking.arrays import Floats, Ints, sum_by
from arena.ranking.counts import OUTCOMES, TIED
from arena.ranking.covariates.contrasts import Contrasts

CHUNK = 1 << 15
"""Rows worked on at a time: the temporaries stay in the second-level cache."""

_DENSE_CODES = 1 << 20  # number pairs through a full table up to this many, or up to 4 a comparison
_FEW_LEVELS = 64
_SAMPLE = 4096  # comparisons looked at before a covariate is believed to have few levels
_WORTH_MERGING = 4  # comparisons a merged row must stand for in the mean


class Part(NamedTuple):
    """Consecutive rows, and eta float64[k] there: theta_left - theta_right + covariates . coefficients."""

    rows: slice
    eta: Floats


@dataclass(frozen=True, eq=False)
class Rows:
    """R rows over n rated items and Q ordered pairs of them (earlier slot first).

    items       int64[n], positions on the board, component after component
    blocks      the slice of `items` that each component takes
    left, right int64[Q], positions in `items`
    pair        int64[R]
    value       float64[F, R], covariates
    """

    items: Ints
    blocks: tuple[slice, ...]
    left: Ints
    right: Ints
    pair: Ints
    value: Floats

    @property
    def n(self) -> int:
        return self.items.size

    @property
    def n_covariates(self) -> int:
        return int(self.value.shape[0])

    def parts(self, theta: Floats, gamma: Floats) -> Iterator[Part]:
        """All rows, chunk by chunk."""
        gap = theta[self.left] - theta[self.right]
        for start in range(0, self.pair.size, CHUNK):
            rows = slice(start, start + CHUNK)
            eta = gap[self.pair[rows]]
            eta += gamma @ self.value[:, rows]
            yield Part(rows, eta)

    def to_items(self, value: Floats) -> Floats:
        """float64[n], sum over rows of `value` times (e_left - e_right)."""
        by_pair = sum_by(self.pair, value, self.left.size)
        return sum_by(self.left, by_pair, self.n) - sum_by(self.right, by_pair, self.n)

    def moments(self, value: Floats, cross: Floats | None = None, tie: float = 0.0) -> Floats:
        """float64[n + F (+ 1)] squared: sum over rows of value * z z^T, z = (e_left - e_right, covariates).

        With `cross`, a last column for the tie parameter: sum of cross * z, and `tie` at its end.
        """
        n, size = self.n, self.n + self.n_covariates
        matrix = np.zeros((size + int(cross is not None),) * 2)
        apart = np.zeros((n, n))
        apart[self.left, self.right] = -sum_by(self.pair, value, self.left.size)
        apart = apart + apart.T
        apart[np.arange(n), np.arange(n)] = -apart.sum(axis=1)
        matrix[:n, :n] = apart
        for row in range(self.n_covariates):
            weighted = self.value[row] * value
            matrix[n + row, :n] = matrix[:n, n + row] = self.to_items(weighted)
            matrix[n + row, n:size] = self.value @ weighted
        if cross is not None:
            matrix[size, :n] = matrix[:n, size] = self.to_items(cross)
            matrix[size, n:size] = matrix[n:size, size] = self.value @ cross
            matrix[size, size] = tie
        return matrix


@dataclass(frozen=True, eq=False)
class Votes:
    """Outcomes on rows, e entries of c comparisons; a graded vote has two entries.

    row         int64[e]; None if entry k is on row k
    outcome     int64[e], left won, right won, tied
    weight      float64[e]; None if all are 1
    comparison  int64[e]; None if entry k is of comparison k
    """

    n_rows: int
    n_comparisons: int
    row: Ints | None
    outcome: Ints
    weight: Floats | None
    comparison: Ints | None

    def weights(self, times: Floats | None = None) -> Floats:
        """float64[e]; `times` float64[c] says how often a resample drew each comparison."""
        if times is None:
            return np.ones(self.outcome.size) if self.weight is None else self.weight
        drawn = times if self.comparison is None else times[self.comparison]
        return drawn if self.weight is None else self.weight * drawn

    def by_row(self, value: Floats) -> Floats:
        """float64[R], sum of float64[e] over the entries of a row."""
        return value if self.row is None else sum_by(self.row, value, self.n_rows)

    def by_comparison(self, value: Floats) -> Floats:
        """float64[c], sum of float64[e] over the entries of a comparison."""
        return value if self.comparison is None else sum_by(self.comparison, value, self.n_comparisons)

    def by_outcome(self, value: Floats) -> Floats:
        """float64[3, R], sum of float64[e] over the entries of a row with each outcome."""
        row = np.arange(self.n_rows) if self.row is None else self.row
        return sum_by(self.outcome * self.n_rows + row, value, 3 * self.n_rows).reshape(3, self.n_rows)


class Design(NamedTuple):
    """Rows and votes; `row_of` int64[c] is the row of each comparison, None if comparison k has row k."""

    rows: Rows
    votes: Votes
    row_of: Ints | None


def design_of(contrasts: Contrasts, groups: list[Ints]) -> Design:
    """Lay out the comparisons of the components `groups`, which hold every compared item.

    Where all covariates have few levels, comparisons of equal pair and levels become one row: those rows are
    the sufficient statistic, so nothing is lost.
    """
    comparisons, value = contrasts.comparisons, contrasts.value
    items = np.concatenate([np.zeros(0, dtype=np.int64), *groups])
    position = np.full(comparisons.n_items, -1, dtype=np.int64)
    position[items] = np.arange(items.size)
    ends = np.cumsum([0, *(group.size for group in groups)]).tolist()
    blocks = tuple(slice(start, end) for start, end in pairwise(ends))
    key = comparisons.key.astype(np.int64, copy=False)
    code, pair = numbered(key // OUTCOMES, comparisons.n_items**2)
    left, right = np.divmod(code, max(comparisons.n_items, 1))
    merged = _merged(pair, code.size, value)
    row_of = None
    if merged is not None:
        row_of, first = merged
        pair, value = pair[first], value[:, first]
    entries = comparisons.entries()
    row = row_of
    if entries.row is not None:
        row = entries.row if row_of is None else row_of[entries.row]
    votes = Votes(
        n_rows=pair.size,
        n_comparisons=comparisons.key.size,
        row=row,
        outcome=np.minimum(entries.key.astype(np.int64, copy=False) % OUTCOMES, TIED),
        weight=entries.weight,
        comparison=entries.row,
    )
    return Design(Rows(items, blocks, position[left], position[right], pair, value), votes, row_of)


class _Merged(NamedTuple):
    row_of: Ints
    first: Ints


def numbered(code: Ints, n_codes: int) -> tuple[Ints, Ints]:
    """The different codes out of 0…n_codes - 1, ascending, and each one's number among them."""
    if n_codes > max(_DENSE_CODES, 4 * code.size):
        found, number = np.unique(code, return_inverse=True)
        return found, number
    is_used = np.zeros(n_codes, dtype=np.bool_)
    is_used[code] = True
    number_of = np.cumsum(is_used) - 1
    return np.flatnonzero(is_used), number_of[code]


def _merged(pair: Ints, n_pairs: int, value: Floats) -> _Merged | None:
    """The merged row of each comparison and one comparison of each row, if merging is worth it."""
    cell, n_cells = pair, n_pairs
    for row in value:
        levels = np.unique(row[:_SAMPLE])
        if levels.size > _FEW_LEVELS or levels.size * n_cells * _WORTH_MERGING > pair.size:
            return None
        if levels.size == 1 and bool((row == levels[0]).all()):
            continue
        level = np.minimum(np.searchsorted(levels, row), levels.size - 1)
        if not np.array_equal(levels[level], row):
            return None  # a level that the sample did not show
        cell, n_cells = cell * levels.size + level, n_cells * levels.size
    if n_cells * _WORTH_MERGING > pair.size:
        return None
    codes, row_of = numbered(cell, n_cells)
    first = np.zeros(codes.size, dtype=np.int64)
    first[row_of] = np.arange(row_of.size)
    return _Merged(row_of, first)
