"""The shared horizontal scale of a column of drawn intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

PADDING = 0.06
LEAST_ROOM = 0.005
WHOLE_NUMBERS = 10.0
MAX_TICKS = 4


@dataclass(frozen=True)
class Scale:
    low: float
    high: float

    @classmethod
    def spanning(cls, values: Iterable[float | None]) -> Scale:
        """A scale that shows all finite values with a little room around them."""
        finite = [value for value in values if value is not None and math.isfinite(value)]
        if not finite:
            return cls(900.0, 1100.0)
        low, high = min(finite), max(finite)
        least = LEAST_ROOM * max(abs(low), abs(high)) or 1.0
        room = max((high - low) * PADDING, least)
        return cls(low - room, high + room)

    @property
    def digits(self) -> int:
        """Decimals that tell scores of this scale apart: none for Elo points, three for shares of 1."""
        span = self.high - self.low
        return 0 if span >= WHOLE_NUMBERS else max(0, 2 - math.floor(math.log10(span)))

    def percent(self, value: float | None, *, default: float) -> float:
        """Position from 0 to 100; `default` for a bound that does not exist."""
        if value is None:
            return default
        return round(min(max((value - self.low) / (self.high - self.low), 0), 1) * 100, 2)

    @property
    def tick_digits(self) -> int:
        return max(0, -math.floor(math.log10(self._step) + 1e-9))

    @property
    def _step(self) -> float:
        span = self.high - self.low
        magnitude: float = 10.0 ** math.floor(math.log10(span / MAX_TICKS))
        return next(m * magnitude for m in (1, 2, 5, 10) if span / (m * magnitude) <= MAX_TICKS)

    def ticks(self) -> list[tuple[float, float]]:
        """(position in percent, value) at round numbers."""
        step = self._step
        first = math.ceil(self.low / step)
        last = math.floor(self.high / step)
        return [(self.percent(i * step, default=0), i * step) for i in range(first, last + 1)]
