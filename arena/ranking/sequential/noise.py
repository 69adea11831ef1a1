"""How a ballot departs from the true order, and how much of that the ballots themselves show."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from arena.ranking.arrays import Floats
from arena.ranking.errors import InvalidSetting

_RANDOM_SHARES = np.array([0.003, 0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.45, 0.65])
_FLIPS = np.array([0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8])


class Noise(NamedTuple):
    """`random_share` of the ballots are random rankings; in the others each discordant pair costs a factor
    `flip`.
    """

    random_share: float
    flip: float


class NoiseModel:
    """P(ballot | order) = (1 - e) f^d / Z + e u: Mallows' model (1957) on the systems shown, mixed with
    random rankings. d = pairs that the ballot and the order put differently.

    A full ranking of k has Z = prod over j <= k of (1 - f^j) / (1 - f) and u = 1 / k!. With ties only the m
    strict pairs count, and Z = (1 + f)^m, u = 2^-m, which is exact where these pairs share no system.

    random_prior    b of the Beta(1, b) prior of e
    flip_prior      b of the Beta(1, b) prior of f

    e and f are the best of an 11 by 10 grid for the discordance that the ballots show. Error-free, repeated
    and near-random voters, and the mild flips of Bradley-Terry voters, are all points of this grid. For pairs
    alone e and f are one number in two shapes, and the priors share it out.
    """

    def __init__(self, *, random_prior: float, flip_prior: float) -> None:
        for name, value in (("random_prior", random_prior), ("flip_prior", flip_prior)):
            if not (math.isfinite(value) and value >= 1.0):
                raise InvalidSetting(f"{name} must be finite and at least 1, not {value}")
        shares, flips = np.meshgrid(_RANDOM_SHARES, _FLIPS, indexing="ij")
        self._share, self._flip = shares.ravel(), flips.ravel()
        self._log_prior = (random_prior - 1.0) * np.log1p(-self._share)
        self._log_prior += (flip_prior - 1.0) * np.log1p(-self._flip)
        self._kinds: dict[tuple[int, int], int] = {}
        self._grid = np.zeros((self._share.size, 0, 1))
        self._best = int(self._log_prior.argmax())
        self.table: Floats = self._grid[self._best]
        """float64[kinds, width]: log-likelihood of a ballot of a kind by its discordance."""

    @property
    def width(self) -> int:
        """One more than the largest discordance that any kind of ballot can have."""
        return int(self._grid.shape[2])

    @property
    def noise(self) -> Noise:
        """The estimate so far."""
        return Noise(float(self._share[self._best]), float(self._flip[self._best]))

    @property
    def agreement(self) -> float:
        """Log-likelihood that a ballot loses by its first discordant pair; the least of the kinds seen."""
        if not self._kinds:
            return 0.0
        return float((self.table[:, 0] - self.table[:, 1]).min())

    def kind(self, size: int, pairs: int) -> int:
        """Number of the kind "`size` systems, `pairs` strictly ordered"; a new kind widens the table."""
        key = (size, pairs)
        if key not in self._kinds:
            self._kinds[key] = len(self._kinds)
            width = max(self.width, pairs + 1)
            grown = np.zeros((self._share.size, len(self._kinds), width))
            grown[:, :-1, : self.width] = self._grid
            grown[:, -1, : pairs + 1] = self._likelihood(size, pairs)
            self._grid, self.table = grown, grown[self._best]
        return self._kinds[key]

    def fit(self, seen: Floats) -> None:
        """Choose e and f for `seen`, float64[kinds, width]: weight of the ballots by kind and discordance."""
        value = self._grid.reshape(self._share.size, -1) @ seen.ravel() + self._log_prior
        self._best = int(value.argmax())
        self.table = self._grid[self._best]

    def _likelihood(self, size: int, pairs: int) -> Floats:
        flip, share = self._flip[:, None], self._share[:, None]
        if pairs == size * (size - 1) // 2:
            total, random = np.ones_like(flip), 1.0 / math.factorial(size)
            for j in range(2, size + 1):
                total = total * (1.0 - flip**j) / (1.0 - flip)
        else:
            total, random = (1.0 + flip) ** pairs, 0.5**pairs
        value: Floats = np.log((1.0 - share) * flip ** np.arange(pairs + 1) / total + share * random)
        return value
