from __future__ import annotations

import threading

import pytest

from workers.backends.errors import BackendMisconfigured, BudgetSpent, LimitReached
from workers.backends.quota import Quota, QuotaLimits, shared_quota

DAY_S = 86_400.0


class Clock:
    def __init__(self, now: float = 10 * DAY_S) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def use(quota: Quota, *, tokens_most: int = 1, tokens: int | None = None, wait_s: float = 0.0) -> None:
    with quota.turn(tokens_most=tokens_most, wait_s=wait_s) as turn:
        if tokens is not None:
            turn.tokens = tokens


def test_no_limits_let_everything_through() -> None:
    quota = Quota(QuotaLimits())
    for _ in range(100):
        use(quota, tokens_most=10**9)


def test_requests_of_the_last_minute_count() -> None:
    clock = Clock()
    quota = Quota(QuotaLimits(requests_per_minute=2), clock=clock)
    use(quota)
    clock.now += 20
    use(quota)
    with pytest.raises(LimitReached, match="may go in 40 seconds"):
        use(quota, wait_s=39)
    clock.now += 40
    use(quota)


def test_turn_that_comes_soon_enough_is_waited_for() -> None:
    clock = Clock()
    pauses: list[float] = []

    def sleep(pause_s: float) -> None:
        pauses.append(pause_s)
        clock.now += pause_s

    quota = Quota(QuotaLimits(requests_per_minute=1), clock=clock, sleep=sleep)
    use(quota)
    clock.now += 50
    use(quota, wait_s=10)
    assert pauses == [10]


def test_many_threads_share_the_minute() -> None:
    quota = Quota(QuotaLimits(requests_per_minute=7))
    outcomes: list[str] = []

    def ask() -> None:
        try:
            use(quota)
            outcomes.append("sent")
        except LimitReached:
            outcomes.append("refused")

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 13 + ["sent"] * 7


def test_tokens_set_aside_are_settled_after_an_error() -> None:
    quota = Quota(QuotaLimits(budget_tokens_per_day=10), clock=Clock())

    def fail() -> None:
        with quota.turn(tokens_most=10, wait_s=0) as turn:
            turn.tokens = 0
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    use(quota, tokens_most=10)


def test_request_counts_for_the_most_until_its_tokens_are_told() -> None:
    quota = Quota(QuotaLimits(budget_tokens_per_day=100), clock=Clock())
    use(quota, tokens_most=50, tokens=10)
    use(quota, tokens_most=50)
    with pytest.raises(BudgetSpent, match="used 60 of the 100 tokens"):
        use(quota, tokens_most=50)
    use(quota, tokens_most=40)


def test_requests_under_way_are_set_aside() -> None:
    quota = Quota(QuotaLimits(budget_tokens_per_day=100), clock=Clock())
    with quota.turn(tokens_most=60, wait_s=0), pytest.raises(BudgetSpent):
        use(quota, tokens_most=60)


def test_budget_is_whole_again_at_midnight() -> None:
    clock = Clock(11 * DAY_S - 1)
    quota = Quota(QuotaLimits(budget_tokens_per_day=10), clock=clock)
    use(quota, tokens_most=10)
    with pytest.raises(BudgetSpent):
        use(quota, tokens_most=1)
    clock.now += 1
    use(quota, tokens_most=10)


def test_budget_below_one_request_is_a_wrong_option() -> None:
    quota = Quota(QuotaLimits(budget_tokens_per_day=10))
    with pytest.raises(BackendMisconfigured, match="budget_tokens_per_day"):
        use(quota, tokens_most=11)


def test_refused_turn_costs_nothing() -> None:
    quota = Quota(QuotaLimits(budget_tokens_per_day=10, requests_per_minute=1))
    with pytest.raises(BackendMisconfigured):
        use(quota, tokens_most=11)
    use(quota, tokens_most=10)


def test_quota_is_shared_by_the_same_key_and_limits_only() -> None:
    limits = QuotaLimits(requests_per_minute=3)
    assert shared_quota("one", limits) is shared_quota("one", limits)
    assert shared_quota("one", limits) is not shared_quota("two", limits)
    assert shared_quota("one", limits) is not shared_quota("one", QuotaLimits())
