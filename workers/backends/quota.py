"""How much of an endpoint may be used: requests per minute, tokens per day.

Each worker process counts for itself, in memory, from zero at its start: N processes may use N times as much,
and a restarted one forgets what it spent. It is a brake on this side; the account's own limit is the wall.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from workers.backends.errors import BackendMisconfigured, BudgetSpent, LimitReached

_MINUTE_S = 60.0
_DAY_S = 86_400.0


@dataclass(frozen=True, kw_only=True)
class QuotaLimits:
    """0 is no limit. Days are those of UTC."""

    requests_per_minute: int = 0
    budget_tokens_per_day: int = 0


@dataclass
class Turn:
    """One request under way. `tokens` is what it counts for at its end: what was set aside, until told."""

    tokens: int


class Quota:
    """`clock` is the time in seconds since 1970."""

    def __init__(
        self,
        limits: QuotaLimits,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._starts: deque[float] = deque()
        self._reserved = 0
        self._spent = 0
        self._day = 0

    @contextmanager
    def turn(self, *, tokens_most: int, wait_s: float) -> Iterator[Turn]:
        """Hold a place for one request, waiting up to `wait_s` for it.

        Raises LimitReached when no place becomes free in that time, BudgetSpent when the tokens left today
        are fewer than `tokens_most`, BackendMisconfigured when a whole day's are.
        """
        give_up = self._clock() + wait_s
        while (ready_s := self._take(tokens_most, give_up)) > 0:
            self._sleep(ready_s)
        turn = Turn(tokens_most)
        try:
            yield turn
        finally:
            with self._lock:
                self._reserved -= tokens_most
                self._spent += turn.tokens

    def _take(self, tokens_most: int, give_up: float) -> float:
        """0 when a place is taken, otherwise the seconds until there may be one."""
        with self._lock:
            self._check_budget(tokens_most)
            now = self._clock()
            ready_s = self._ready_s(now)
            if ready_s > 0:
                if now + ready_s > give_up:
                    raise LimitReached(
                        f"This worker has sent {len(self._starts)} requests to this system within a minute, "
                        f"its limit; the next one may go in {ready_s:.0f} seconds."
                    )
                return ready_s
            self._starts.append(now)
            self._reserved += tokens_most
            return 0.0

    def _ready_s(self, now: float) -> float:
        while self._starts and self._starts[0] <= now - _MINUTE_S:
            self._starts.popleft()
        most = self._limits.requests_per_minute
        if not most or len(self._starts) < most:
            return 0.0
        return self._starts[0] + _MINUTE_S - now

    def _check_budget(self, tokens_most: int) -> None:
        budget = self._limits.budget_tokens_per_day
        if not budget:
            return
        if tokens_most > budget:
            raise BackendMisconfigured(
                f"One request may cost {tokens_most} tokens, more than budget_tokens_per_day ({budget})."
            )
        today = int(self._clock() // _DAY_S)
        if today != self._day:
            self._day, self._spent = today, 0
        if self._spent + self._reserved + tokens_most > budget:
            raise BudgetSpent(
                f"This worker has used {self._spent} of the {budget} tokens that this system may cost a day "
                f"(UTC); this request may cost {tokens_most} more."
            )


_shared: dict[Hashable, Quota] = {}
_shared_lock = threading.Lock()


def shared_quota(key: Hashable, limits: QuotaLimits) -> Quota:
    """The process's one quota of that key and those limits: it outlives backends that are closed."""
    with _shared_lock:
        return _shared.setdefault((key, limits), Quota(limits))
