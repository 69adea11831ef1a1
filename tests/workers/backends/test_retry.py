from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.backends.errors import BackendUnavailable
from workers.backends.openai_errors import asked_pause_s
from workers.backends.retry import Passing, Retries


@given(seed=st.integers(0, 999), failures=st.integers(1, 12), asked_s=st.none() | st.floats(0, 100))
def test_pause_is_jitter_below_a_doubling_bound_on_top_of_what_was_asked(
    seed: int, failures: int, asked_s: float | None
) -> None:
    retries = Retries(tries=9, rng=random.Random(seed), base_s=0.5, longest_s=10)
    pause_s = retries.pause_s(failures, asked_s=asked_s)
    asked = asked_s or 0.0
    assert asked <= pause_s <= asked + min(10, 0.5 * 2 ** (failures - 1)) + 1e-9


def test_last_error_is_raised_without_causes() -> None:
    pauses: list[float] = []
    retries = Retries(tries=3, rng=random.Random(1), sleep=pauses.append)
    errors = iter(BackendUnavailable(str(number)) for number in range(9))

    def attempt() -> None:
        raise Passing(next(errors))

    with pytest.raises(BackendUnavailable, match="2") as caught:
        retries.run(attempt, left_s=lambda: 100.0)
    assert len(pauses) == 2
    assert caught.value.__context__ is None


def test_no_pause_is_begun_that_ends_after_the_deadline() -> None:
    retries = Retries(tries=3, rng=random.Random(1), sleep=lambda _: pytest.fail("slept"))

    def attempt() -> None:
        raise Passing(BackendUnavailable("busy"), asked_s=5)

    with pytest.raises(BackendUnavailable, match="busy"):
        retries.run(attempt, left_s=lambda: 5.0)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", None),
        ("soon", None),
        ("", None),
        ("1e999", None),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 40.0),
        ("Thu, 01 Jan 1970 00:00:10 GMT", 0.0),
    ],
)
def test_header_holds_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert asked_pause_s({"retry-after": value}, now=60.0) == seconds


def test_missing_header_asks_for_nothing() -> None:
    assert asked_pause_s({}, now=60.0) is None
