"""Names for the array types that the library passes around, and the one sum that everything is built on."""

from typing import Any

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
