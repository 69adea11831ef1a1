"""Sums of squared cluster scores, the middle of a clustered sandwich. It knows cells and slopes and no
model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from arena.ranking.arrays import Floats, Ints, sum_by

_BLOCK = 1 << 21  # numbers in a block of dense scores
_SPARSE_COST = 60.0  # a product of two stored numbers costs as much as so many of a dense block


class Slope(NamedTuple):
    """What one unit of weight in a cell adds to the score of one parameter.

    place       int64[C], the parameter of each cell
    value       float64[C]
    """

    place: Ints
    value: Floats


def squared_scores(cells: sparse.csr_array, slopes: Sequence[Slope], size: int) -> Floats:
    """float64[size, size], sum over clusters of s s^T, where s float64[size] is the sum over the cluster's
    cells of weight times slope.

    cells       sparse float64[G, C], weight of each cell in each cluster

    Clusters that touch many parameters are summed as dense blocks, few and small ones as sparse rows.
    """
    stored = np.diff(cells.indptr).astype(np.float64)
    touched = np.minimum(len(slopes) * stored, size)
    if cells.shape[0] * size**2 > _SPARSE_COST * float((touched**2).sum()):
        return _sparse(cells, slopes, size)
    found = np.zeros((size, size))
    rows = max(1, _BLOCK // size)
    for start in range(0, cells.shape[0], rows):
        end = min(start + rows, cells.shape[0])
        part = slice(int(cells.indptr[start]), int(cells.indptr[end]))
        cell, weight = cells.indices[part], cells.data[part]
        row = np.repeat(np.arange(end - start), np.diff(cells.indptr[start : end + 1])) * size
        block = np.zeros((end - start) * size)
        for place, value in slopes:
            block += sum_by(row + place[cell], weight * value[cell], block.size)
        scores = block.reshape(end - start, size)
        found += scores.T @ scores
    return found


def _sparse(cells: sparse.csr_array, slopes: Sequence[Slope], size: int) -> Floats:
    count = cells.shape[1]
    place = np.concatenate([slope.place for slope in slopes])
    value = np.concatenate([slope.value for slope in slopes])
    entries = (value, (np.tile(np.arange(count), len(slopes)), place))
    scores = cells @ sparse.csr_array(sparse.coo_array(entries, shape=(count, size)))
    found: Floats = (scores.T @ scores).toarray()
    return found
