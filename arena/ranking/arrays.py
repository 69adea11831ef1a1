"""Names for the array types that the library passes around, and the one sum that everything is built on."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Ints32 = NDArray[np.int32]
Ints16 = NDArray[np.int16]
Bools = NDArray[np.bool_]


def sum_by(index: NDArray[np.integer[Any]], value: NDArray[Any], size: int) -> Floats:
    """float64[size], sum of `value` over equal `index`."""
    return np.bincount(index, weights=value, minlength=size).astype(np.float64, copy=False)


class Runs(NamedTuple):
    """Where an ascending index changes; sums over its runs take a tenth of the time of `sum_by`.

    start       int64[r], first position of each run
    value       int64[r], the index on it
    """

    start: Ints
    value: Ints

    @classmethod
    def of(cls, index: Ints) -> Runs | None:
        """None if the index falls somewhere or is empty."""
        if not index.size:
            return None
        step = np.diff(index)
        if int(step.min(initial=0)) < 0:
            return None
        start = np.concatenate([[0], np.flatnonzero(step) + 1])
        return cls(start, index[start])

    def sum(self, value: NDArray[Any], size: int) -> Floats:
        """float64[size], as `sum_by` of the index."""
        found = np.zeros(size)
        found[self.value] = np.add.reduceat(value, self.start)
        return found
