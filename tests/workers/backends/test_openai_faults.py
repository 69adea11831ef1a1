"""A real llama.cpp server behind a proxy that spoils connections: what is tried again, and what is not."""

from __future__ import annotations

import logging
import random
import time
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from tests.workers.backends.fault_proxy import (
    Fault,
    FaultProxy,
    closed,
    cut_after,
    cut_in,
    dripped,
    hung,
    passed_on,
    preceded_by,
    replied,
)
from workers.backends.errors import (
    AnswerTooLarge,
    BackendError,
    BackendGarbage,
    BackendRejected,
    BackendUnavailable,
    BudgetSpent,
    DeadlineExceeded,
    LimitReached,
)
from workers.backends.images import Image
from workers.backends.openai_http import OPTIONS, OpenAIBackend
from workers.backends.options import read_options
from workers.backends.types import Generation, GenerationRequest, GenerationSettings, Message, OnText

KEY = "sk-very-secret-0123456789"
ENOUGH_S = 60.0
REQUEST = GenerationRequest(
    messages=(Message("user", "What is rain?"),),
    seed=7,
    settings=GenerationSettings(max_tokens=6, temperature=0.8),
)
PNG = Image("image/png", b"\x89PNG\r\n\x1a\n" + b"rest")

BUSY = replied("429 Too Many Requests", headers=["Retry-After: 3"], body=b'{"error": {"message": "slow"}}')


class Pauses(list[float]):
    """What the backend would have slept."""


@pytest.fixture
def proxy(llama_url: str) -> Iterator[FaultProxy]:
    with FaultProxy(llama_url).serving() as proxy:
        yield proxy


@pytest.fixture(scope="module")
def untroubled(llama_url: str) -> str:
    """The answer to REQUEST without any fault."""
    with FaultProxy(llama_url).serving() as proxy:
        return ask(proxy, Pauses()).text


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


def ask(
    proxy: FaultProxy,
    pauses: Pauses,
    *,
    request: GenerationRequest = REQUEST,
    deadline_s: float = ENOUGH_S,
    on_text: OnText | None = None,
    **options: Any,
) -> Generation:
    values = read_options(OPTIONS, {"base_url": proxy.url, "model": "smollm2", **options})
    backend = OpenAIBackend(**values, rng=random.Random(5), sleep=pauses.append)
    try:
        return backend.generate(request, on_text=on_text, deadline_s=deadline_s)
    finally:
        backend.close()


def error_of(proxy: FaultProxy, pauses: Pauses, **options: Any) -> BackendError:
    with pytest.raises(BackendError) as caught:
        ask(proxy, pauses, **options)
    return caught.value


@pytest.mark.parametrize(
    "fault",
    [
        BUSY,
        replied("408 Request Timeout"),
        replied("409 Conflict"),
        replied("425 Too Early"),
        replied("500 Internal Server Error", body=b"<html>not JSON</html>"),
        replied("502 Bad Gateway"),
        replied("503 Service Unavailable"),
        closed,
        cut_after(20),
        cut_in(b'"role":"assistant"'),
        cut_in(b'"content":"'),
    ],
)
def test_fault_before_the_first_token_is_tried_again(
    proxy: FaultProxy, pauses: Pauses, untroubled: str, fault: Fault
) -> None:
    proxy.plan(fault)
    deltas: list[str] = []
    assert ask(proxy, pauses, on_text=deltas.append).text == untroubled == "".join(deltas)
    assert proxy.connections == 2
    assert len(pauses) == 1


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (replied("400 Bad Request"), BackendRejected),
        (replied("501 Not Implemented"), BackendRejected),
        (replied("200 OK", headers=["Content-Type: text/html"], body=b"<html>" * 50), BackendGarbage),
        (preceded_by(b"data: {not json\n\n"), BackendGarbage),
        (preceded_by(b'data: {"choices": "none"}\n\n'), BackendGarbage),
        (preceded_by(b"data: \xff\xfe\n\n"), BackendGarbage),
    ],
)
def test_other_faults_are_not_tried_again(
    proxy: FaultProxy, pauses: Pauses, fault: Fault, expected: type[BackendError]
) -> None:
    proxy.plan(fault)
    assert type(error_of(proxy, pauses)) is expected
    assert (proxy.connections, pauses) == (1, [])


def test_answer_that_has_begun_is_never_begun_again(proxy: FaultProxy, pauses: Pauses) -> None:
    proxy.plan(cut_after(1500))
    deltas: list[str] = []
    error = error_of(proxy, pauses, on_text=deltas.append)
    assert type(error) is BackendUnavailable
    assert deltas
    assert (proxy.connections, pauses) == (1, [])


def test_tries_are_bounded(proxy: FaultProxy, pauses: Pauses) -> None:
    proxy.plan(*[replied("503 Service Unavailable")] * 9)
    assert "HTTP 503" in str(error_of(proxy, pauses, tries=4))
    assert proxy.connections == 4
    assert [pause <= bound for pause, bound in zip(pauses, (0.5, 1.0, 2.0), strict=True)] == [True] * 3


def test_pause_that_the_endpoint_asks_for_is_kept(proxy: FaultProxy, pauses: Pauses) -> None:
    proxy.plan(BUSY)
    ask(proxy, pauses)
    assert 3 <= pauses[0] <= 3.5


def test_pause_beyond_the_deadline_is_not_begun(proxy: FaultProxy, pauses: Pauses) -> None:
    proxy.plan(BUSY)
    error = error_of(proxy, pauses, deadline_s=2.5)
    assert "asks to wait 3 seconds" in str(error)
    assert (proxy.connections, pauses) == (1, [])


def test_slow_drips_are_an_answer(proxy: FaultProxy, pauses: Pauses, untroubled: str) -> None:
    proxy.plan(dripped(37, pause_s=0.001))
    assert ask(proxy, pauses).text == untroubled


def test_drips_that_are_too_slow_meet_the_deadline(proxy: FaultProxy, pauses: Pauses) -> None:
    proxy.plan(dripped(1, pause_s=0.02))
    started = time.monotonic()
    assert type(error_of(proxy, pauses, deadline_s=0.4)) is DeadlineExceeded
    assert time.monotonic() - started < 5


def test_silence_is_not_asked_again(proxy: FaultProxy, pauses: Pauses) -> None:
    proxy.plan(hung, passed_on)
    error = error_of(proxy, pauses, timeout_s=0.2)
    assert type(error) is BackendUnavailable
    assert "nothing for 0.2 seconds" in str(error)
    assert proxy.connections == 1


def test_ten_megabytes_of_text_are_refused(proxy: FaultProxy, pauses: Pauses) -> None:
    long = b'data: {"choices": [{"index": 0, "delta": {"content": "' + b"x" * 10_000_000 + b'"}}]}\n\n'
    proxy.plan(replied("200 OK", headers=["Content-Type: text/event-stream"], body=long))
    deltas: list[str] = []
    error = error_of(proxy, pauses, on_text=deltas.append)
    assert type(error) is AnswerTooLarge
    assert "over 768 characters" in str(error)
    assert deltas == []


def test_endless_line_is_refused(proxy: FaultProxy, pauses: Pauses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.backends.response_limit._STREAM_BYTES_MAX", 2**20)
    body = b"data: " + b"x" * 10_000_000
    proxy.plan(replied("200 OK", headers=["Content-Type: text/event-stream"], body=body))
    error = error_of(proxy, pauses)
    assert type(error) is AnswerTooLarge
    assert "more than 1 MiB" in str(error)


def test_ten_megabytes_of_error_page_are_read_to_a_sentence(proxy: FaultProxy, pauses: Pauses) -> None:
    proxy.plan(replied("500 Internal Server Error", body=b'{"error": "' + b"x" * 10_000_000 + b'"}'))
    error = error_of(proxy, pauses, tries=1)
    assert "HTTP 500" in str(error)
    assert len(str(error)) < 400


def test_compressed_answer_is_refused(proxy: FaultProxy, pauses: Pauses) -> None:
    proxy.plan(replied("200 OK", headers=["Content-Encoding: gzip"], body=b"\x1f\x8b"))
    assert "compresses" in str(error_of(proxy, pauses))


@pytest.mark.parametrize(
    "fault",
    [
        closed,
        cut_after(1500),
        cut_in(b'"content":"'),
        preceded_by(f'data: {{"error": {{"message": "bad key {KEY}"}}}}\n\n'.encode()),
        preceded_by(f"data: {{{KEY}\n\n".encode()),
        *(
            replied(status, body=f'{{"error": {{"message": "the key {KEY} is wrong"}}}}'.encode())
            for status in ("400 Bad Request", "401 Unauthorized", "429 Too Many Requests", "500 Oops")
        ),
    ],
)
def test_key_is_in_no_error_log_line_or_repr(
    proxy: FaultProxy,
    pauses: Pauses,
    fault: Fault,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SOME_API_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    proxy.plan(fault)
    error = error_of(proxy, pauses, api_key_env="SOME_API_KEY", tries=1)
    told = [*traceback.format_exception(error), repr(error), repr(error.__context__), repr(error.__cause__)]
    told += [caplog.text, *capfd.readouterr()]
    assert caplog.text
    assert not any(KEY in text for text in told)


def test_key_is_not_in_the_repr_of_a_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", KEY)
    values = {"base_url": "http://127.0.0.1:1/v1", "model": "m", "api_key_env": "SOME_API_KEY"}
    assert KEY not in repr(OpenAIBackend(**read_options(OPTIONS, values)))


def test_every_try_counts_as_a_request(proxy: FaultProxy, pauses: Pauses) -> None:
    proxy.plan(replied("503 Service Unavailable"))
    error = error_of(proxy, pauses, requests_per_minute=1, deadline_s=5)
    assert type(error) is LimitReached
    assert "1 requests" in str(error)
    assert proxy.connections == 1


def test_tokens_of_the_day_are_counted_as_the_endpoint_tells_them(proxy: FaultProxy, pauses: Pauses) -> None:
    told = ask(proxy, pauses, budget_tokens_per_day=50)
    assert told.prompt_tokens is not None
    assert told.completion_tokens == 6
    error = error_of(proxy, pauses, budget_tokens_per_day=50)
    assert type(error) is BudgetSpent
    assert f"used {told.prompt_tokens + 6} of the 50 tokens" in str(error)


def test_refused_requests_cost_no_tokens(proxy: FaultProxy, pauses: Pauses) -> None:
    proxy.plan(*[replied("400 Bad Request")] * 5)
    for _ in range(5):
        assert type(error_of(proxy, pauses, budget_tokens_per_day=60)) is BackendRejected


def test_images_go_as_data_urls_and_a_text_model_refuses_them_by_name(
    proxy: FaultProxy, pauses: Pauses
) -> None:
    request = GenerationRequest(messages=(Message("user", "What is this?", (PNG,)),), seed=1)
    error = error_of(proxy, pauses, request=request)
    assert type(error) is BackendRejected
    assert "takes no images" in str(error)
    assert proxy.connections == 1
