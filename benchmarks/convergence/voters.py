"""Simulated voters: they know the truth, the methods do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LabelVoter:
    """Ranks by the true order without error; with chance `noise` the ballot is a random ranking instead."""

    rank: NDArray[np.int64]
    noise: float

    def vote(self, shown: list[int], rng: np.random.Generator) -> list[int]:
        """The systems shown, best first."""
        if rng.random() < self.noise:
            return [shown[i] for i in rng.permutation(len(shown)).tolist()]
        return sorted(shown, key=self.rank.__getitem__)


@dataclass(frozen=True)
class LuceVoter:
    """Plackett-Luce with natural-log strengths (pairs: Bradley-Terry): they plus Gumbel noise, sorted."""

    theta: NDArray[np.float64]

    def vote(self, shown: list[int], rng: np.random.Generator) -> list[int]:
        """The systems shown, best first."""
        felt = self.theta[shown] + rng.gumbel(size=len(shown))
        return [shown[i] for i in np.argsort(-felt).tolist()]
