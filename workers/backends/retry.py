"""Tries a request again after a failure that may pass: full jitter, and never past the deadline.

Which failures may pass is said by whoever raises `Passing`; a request whose answer somebody has begun to
read is not one of them. Longer outages are the job engine's.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

from workers.backends.errors import BackendError

T = TypeVar("T")


class Passing(Exception):
    """A failure before the first token. `asked_s` is the pause that the server asked for."""

    def __init__(self, error: BackendError, *, asked_s: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.asked_s = asked_s


@dataclass(frozen=True, kw_only=True)
class Retries:
    """`tries` counts the first one too. Pauses are in seconds."""

    tries: int
    rng: random.Random
    sleep: Callable[[float], None] = time.sleep
    base_s: float = 0.5
    longest_s: float = 10.0

    def run(self, attempt: Callable[[], T], *, left_s: Callable[[], float]) -> T:
        """The first answer. Raises the last `Passing`'s error when tries or time are used up."""
        for failures in count(1):
            try:
                return attempt()
            except Passing as failure:
                last = failure
            pause_s = self.pause_s(failures, asked_s=last.asked_s)
            if failures >= self.tries or pause_s >= left_s():
                break
            self.sleep(pause_s)
        # Outside of the handler: the error must not carry causes, which may repeat a key.
        raise last.error

    def pause_s(self, failures: int, *, asked_s: float | None) -> float:
        """Anything up to a bound that doubles: callers that failed together come back apart.

        "Full jitter" of Brooker, Exponential Backoff And Jitter (AWS Architecture Blog, 2015). A pause that
        the server asked for is kept, with the jitter on top.
        """
        bound_s = min(self.longest_s, self.base_s * 2.0 ** (failures - 1))
        return (asked_s or 0.0) + self.rng.uniform(0.0, bound_s)
