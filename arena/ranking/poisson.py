"""Poisson draws for many cells at once: what a bootstrap of single votes asks of a table of counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import pdtr

from arena.ranking.arrays import Floats, Ints, sum_by

LARGEST = 64
"""Largest mean that is drawn by a table; larger ones are sums of several draws."""

_LEVELS = 1 << 16
_MANY = 8 * LARGEST


@dataclass(frozen=True, eq=False)
class PoissonCells:
    """Independent Poisson variables with integer means.

    A mean up to LARGEST is drawn by looking a 16-bit uniform number up in its quantiles: mean and variance
    are right to 3e-4, values rarer than 2^-17 do not occur. Larger means are sums of such draws, the largest
    numpy's own.

    cell, row       int64[d], the variable that each draw belongs to, and its row of the table
    large           int64, variables left to numpy
    mean            int64[q]
    """

    mean: Ints
    cell: Ints
    row: Ints
    large: Ints

    @classmethod
    def of(cls, mean: Ints) -> PoissonCells:
        """`mean` int64[q], 0 or more."""
        large = np.flatnonzero(mean > _MANY)
        small = np.where(mean > _MANY, 0, mean)
        parts = np.maximum(-(-small // LARGEST), 0)
        cell = np.repeat(np.arange(mean.size), parts)
        part = np.arange(cell.size) - np.repeat(np.cumsum(parts) - parts, parts)
        row = np.minimum(small[cell] - part * LARGEST, LARGEST)
        order = np.argsort(row, kind="stable")  # neighbours read the same row of the table
        return cls(mean, cell[order], row[order] * _LEVELS, large)

    def draw(self, rng: np.random.Generator) -> Floats:
        """float64[q]."""
        level = np.frombuffer(rng.bytes(2 * self.cell.size), dtype="<u2")
        whole = sum_by(self.cell, _quantiles()[self.row + level], self.mean.size)
        if self.large.size:
            whole[self.large] = rng.poisson(self.mean[self.large])
        return whole


@lru_cache(maxsize=1)
def _quantiles() -> NDArray[np.uint8]:
    """uint8[(LARGEST + 1) * 65536]: row m holds the quantiles of Poisson(m) at (u + 1/2) / 65536."""
    level = (np.arange(_LEVELS) + 0.5) / _LEVELS
    table = np.zeros((LARGEST + 1, _LEVELS), dtype=np.uint8)
    for mean in range(1, LARGEST + 1):
        below = pdtr(np.arange(256), mean)
        table[mean] = np.searchsorted(below, level, side="left")
    return table.reshape(-1)
