"""Correction of p-values for asking many questions at once. It tests nothing itself."""

from __future__ import annotations

import numpy as np

from arena.ranking.arrays import Floats


def holm(p_value: Floats) -> Floats:
    """float64[k], p-values adjusted so that the chance of any false rejection is at most the level, whatever
    their dependence (Holm 1979, Scand. J. Statist. 6:65-70).
    """
    order = np.argsort(p_value, kind="stable")
    scaled = p_value[order] * np.arange(p_value.size, 0, -1)
    adjusted = np.empty(p_value.size)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted
