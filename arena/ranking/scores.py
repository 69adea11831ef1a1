"""Sums of squared cluster scores, the middle of a clustered sandwich. It knows cells and slopes and no
model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from arena.ranking.arrays import Floats, Ints, sum_by
from arena.ranking.freedom import raised

_BLOCK = 1 << 18  # numbers in a block of dense scores: two of them stay in the second-level cache
_SPARSE_COST = 60.0  # a product of two stored numbers costs as much as so many of a dense block


class Slope(NamedTuple):
    """What one unit of weight in a cell adds to the score of one parameter, and to what is known of it.

    place           int64[C], the parameter of each cell
    value           float64[C]
    information     float64[C], the model's mean of the value's square over the outcomes of the cell's pair
    """

    place: Ints
    value: Floats
    information: Floats


class Squares(NamedTuple):
    """Sums over clusters, each score raised by its cluster's share of the information
    (`arena.ranking.freedom`).

    scores      float64[size, size], of s s^T
    shares      float64[size], of squared shares; 0 where there is no information
    """

    scores: Floats
    shares: Floats


def squared_scores(cells: sparse.csr_array, slopes: Sequence[Slope], size: int) -> Squares:
    """A cluster's score of a parameter is the sum over the cluster's cells of weight times slope.

    cells       sparse float64[G, C], weight of each cell in each cluster

    Clusters that touch many parameters are summed as dense blocks, few and small ones as sparse rows.
    """
    stored = np.diff(cells.indptr).astype(np.float64)
    touched = np.minimum(len(slopes) * stored, size)
    if cells.shape[0] * size**2 > _SPARSE_COST * float((touched**2).sum()):
        return _sparse(cells, slopes, size)
    weight_of = sum_by(cells.indices, cells.data, cells.shape[1])
    total = sum((sum_by(place, weight_of * known, size) for place, _, known in slopes), np.zeros(size))
    inverse = np.where(total > 0, 1.0 / np.where(total > 0, total, 1.0), 0.0)
    found, shares = np.zeros((size, size)), np.zeros(size)
    rows = max(1, _BLOCK // size)
    for start in range(0, cells.shape[0], rows):
        end = min(start + rows, cells.shape[0])
        part = slice(int(cells.indptr[start]), int(cells.indptr[end]))
        cell, weight = cells.indices[part], cells.data[part]
        row = np.repeat(np.arange(end - start), np.diff(cells.indptr[start : end + 1])) * size
        block, share = np.zeros((end - start) * size), np.zeros((end - start) * size)
        for place, value, known in slopes:
            at = row + place[cell]
            block += sum_by(at, weight * value[cell], block.size)
            share += sum_by(at, weight * known[cell], block.size)
        scores, share = block.reshape(end - start, size), share.reshape(end - start, size)
        share *= inverse
        shares += np.einsum("gk,gk->k", share, share)
        scores *= raised(share)
        found += scores.T @ scores
    return Squares(found, shares)


def squared_rows(rows: sparse.csr_array) -> Squares:
    """The same from sparse complex128[G, size]: a cluster's score of each parameter, and as imaginary part
    its information, which so share one product and one pattern.
    """
    found = raised_rows(rows)
    return Squares((found.scores.T @ found.scores).toarray(), found.shares)


class RaisedRows(NamedTuple):
    """Sparse float64[G, size] raised scores, and the sums of squared shares float64[size]."""

    scores: sparse.csr_array
    shares: Floats


def raised_rows(rows: sparse.csr_array) -> RaisedRows:
    """Of rows as `squared_rows` takes them."""
    size, column = rows.shape[1], rows.indices
    total = sum_by(column, rows.data.imag, size)
    share = rows.data.imag / np.where(total > 0, total, 1.0)[column]
    scores = sparse.csr_array((rows.data.real * raised(share), column, rows.indptr), shape=rows.shape)
    return RaisedRows(scores, sum_by(column, share**2, size))


def _sparse(cells: sparse.csr_array, slopes: Sequence[Slope], size: int) -> Squares:
    count = cells.shape[1]
    place = np.concatenate([slope.place for slope in slopes])
    value = np.concatenate([slope.value + 1j * slope.information for slope in slopes])
    entries = (value, (np.tile(np.arange(count), len(slopes)), place))
    return squared_rows(cells @ sparse.csr_array(sparse.coo_array(entries, shape=(count, size))))
