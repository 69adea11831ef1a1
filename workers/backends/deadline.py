"""How much of a call's time is left."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from workers.backends.errors import DeadlineExceeded


@dataclass(frozen=True)
class Deadline:
    """Counts from when it is made, in seconds."""

    total_s: float
    started: float = field(default_factory=time.perf_counter)

    def spent_s(self) -> float:
        return time.perf_counter() - self.started

    def left_s(self) -> float:
        return self.total_s - self.spent_s()

    def exceeded(self) -> DeadlineExceeded:
        return DeadlineExceeded.after(self.total_s)
