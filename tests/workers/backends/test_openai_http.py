"""Faults of an endpoint, each mapped to the error class that the job engine acts on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from tests.workers.backends.ports import free_port
from tests.workers.backends.scripted_endpoint import DONE, Answer, ScriptedEndpoint, chunk, status, stream
from workers.backends.errors import (
    AnswerTooLarge,
    BackendError,
    BackendGarbage,
    BackendMisconfigured,
    BackendRejected,
    BackendUnavailable,
    DeadlineExceeded,
    InvalidSettings,
    PromptTooLong,
)
from workers.backends.registry import create
from workers.backends.types import Generation, GenerationRequest, GenerationSettings, Message, OnText

KEY = "sk-very-secret-0123456789"
WELL = stream(chunk("Red"), chunk(" wine"), chunk(finish="stop"), DONE)


@pytest.fixture
def endpoint() -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint(WELL).serving() as endpoint:
        yield endpoint


def ask(
    base_url: str,
    *,
    deadline_s: float = 20,
    on_text: OnText | None = None,
    settings: Any = None,
    **options: Any,
) -> Generation:
    backend = create("openai", {"base_url": base_url, "model": "m", **options})
    request = GenerationRequest(
        messages=(Message("user", "Name a colour."),),
        seed=1,
        settings=GenerationSettings.from_dict(settings or {}),
    )
    try:
        return backend.generate(request, deadline_s=deadline_s, on_text=on_text)
    finally:
        backend.close()


def error_of(endpoint: ScriptedEndpoint, answer: Answer, **options: Any) -> BackendError:
    endpoint.answer = answer
    with pytest.raises(BackendError) as caught:
        ask(endpoint.url, **options)
    return caught.value


def test_text_and_finish_reason_are_read(endpoint: ScriptedEndpoint) -> None:
    generation = ask(endpoint.url)
    assert (generation.text, generation.finish_reason) == ("Red wine", "stop")
    assert generation.prompt_tokens is None


def test_every_setting_is_sent(endpoint: ScriptedEndpoint) -> None:
    ask(
        endpoint.url,
        settings={"top_k": 40, "top_p": 0.9, "repetition_penalty": 1.1, "stop": ["END"], "max_tokens": 9},
    )
    path, _, body = endpoint.requests[0]
    assert path == "/v1/chat/completions"
    sent = {
        name: value for name, value in body.items() if name not in ("messages", "stream", "stream_options")
    }
    assert sent == {
        "model": "m", "max_tokens": 9, "temperature": 0.7, "top_p": 0.9, "seed": 1, "stop": ["END"],
        "top_k": 40, "min_p": 0.0, "repeat_penalty": 1.1, "repetition_penalty": 1.1,
    }  # fmt: skip


def test_strict_dialect_sends_no_foreign_names(endpoint: ScriptedEndpoint) -> None:
    ask(endpoint.url, dialect="openai")
    _, _, body = endpoint.requests[0]
    assert not {"top_k", "min_p", "repeat_penalty", "repetition_penalty", "max_tokens"} & body.keys()
    with pytest.raises(InvalidSettings, match="repetition_penalty"):
        ask(endpoint.url, dialect="openai", settings={"repetition_penalty": 1.1})


def test_base_model_gets_a_few_shot_prompt_and_stops_at_the_next_question(endpoint: ScriptedEndpoint) -> None:
    endpoint.answer = stream(
        '{"model": "m", "choices": [{"index": 0, "text": " Blue.\\n\\nQues", "finish_reason": null}]}',
        '{"model": "m", "choices": [{"index": 0, "text": "tion: more", "finish_reason": "length"}]}',
        DONE,
    )
    generation = ask(endpoint.url, settings={"template": "few-shot-v1"})
    path, _, body = endpoint.requests[0]
    assert path == "/v1/completions"
    assert body["prompt"].endswith("\n\nQuestion: Name a colour.\nAnswer:")
    assert body["stop"] == ["\nQuestion:"]
    assert (generation.text, generation.finish_reason) == ("Blue.", "stop")
    assert len(generation.provenance["template_sha256"]) == 64


def test_key_is_read_by_name_and_sent(endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", KEY)
    generation = ask(endpoint.url, api_key_env="SOME_API_KEY")
    assert endpoint.requests[0][1]["authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(generation)


def test_foreign_key_of_the_environment_is_not_sent(
    endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    ask(endpoint.url)
    assert KEY not in repr(endpoint.requests)


def test_address_may_come_from_the_environment(
    endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_LLAMA_URL", endpoint.url)
    assert ask("env:SOME_LLAMA_URL").text == "Red wine"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (status(429, {"message": "slow down"}), BackendUnavailable),
        (status(429, {"message": "pay", "code": "insufficient_quota"}), BackendMisconfigured),
        (status(500, {"message": "oops"}), BackendUnavailable),
        (status(503, {"message": "Loading model"}), BackendUnavailable),
        (status(401, {"message": f"wrong key {KEY}"}), BackendMisconfigured),
        (status(404, {"message": "no such model"}), BackendMisconfigured),
        (status(400, {"message": f"bad temperature {KEY}"}), BackendRejected),
        (status(400, {"message": "no", "code": "context_length_exceeded"}), PromptTooLong),
        (status(400, {"message": "This model's maximum context length is 10 tokens"}), PromptTooLong),
        (status(400, "just words"), BackendRejected),
        (stream('{"error": {"message": "out of slots", "code": 500}}'), BackendUnavailable),
        (stream(chunk("Red"), cut=True), BackendUnavailable),
        (stream(chunk("Red")), BackendUnavailable),
        (stream(chunk("Red"), "{not json"), BackendGarbage),
        (stream('{"choices": [{"delta": 5}]}', DONE), BackendGarbage),
        (stream('{"choices": 5}', DONE), BackendGarbage),
        (stream("[1, 2]", DONE), BackendGarbage),
        (stream(chunk('{"a": 1}', finish="tool_calls"), DONE), BackendGarbage),
        (stream(chunk(" \n "), chunk(finish="stop"), DONE), BackendGarbage),
        (stream(chunk("no", finish="content_filter"), DONE), BackendRejected),
        (stream(chunk("far too much " * 10_000), chunk(finish="stop"), DONE), AnswerTooLarge),
        (stream(), BackendGarbage),
        (status(501, {"message": "never"}), BackendRejected),
    ],
)
def test_fault_has_its_class_and_tells_no_secret(
    endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch, answer: Answer, expected: type[BackendError]
) -> None:
    monkeypatch.setenv("SOME_API_KEY", KEY)
    error = error_of(endpoint, answer, api_key_env="SOME_API_KEY", tries=1)
    assert type(error) is expected
    assert KEY not in str(error)
    assert endpoint.url not in str(error)


def test_refused_connection_is_unavailable() -> None:
    with pytest.raises(BackendUnavailable, match="cannot be reached"):
        ask(f"http://127.0.0.1:{free_port()}/v1", tries=1)


def test_silent_endpoint_is_unavailable(endpoint: ScriptedEndpoint) -> None:
    over = threading.Event()
    try:
        error = error_of(endpoint, lambda _: over.wait(10) and None, timeout_s=0.2)
    finally:
        over.set()
    assert type(error) is BackendUnavailable
    assert "0.2 seconds" in str(error)


def test_endpoint_that_only_keeps_the_line_open_meets_the_deadline(endpoint: ScriptedEndpoint) -> None:
    over = threading.Event()

    def ping(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        try:
            while not over.wait(0.02):
                handler.wfile.write(b": still here\n\n")
        except OSError:
            """The client left."""

    started = time.monotonic()
    try:
        error = error_of(endpoint, ping, deadline_s=0.3)
    finally:
        over.set()
    assert type(error) is DeadlineExceeded
    assert time.monotonic() - started < 2


def test_on_text_is_called_in_the_callers_thread(endpoint: ScriptedEndpoint) -> None:
    threads: set[threading.Thread] = set()
    ask(endpoint.url, on_text=lambda _: threads.add(threading.current_thread()))
    assert threads == {threading.current_thread()}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"base_url": "ftp://host/v1"}, "http://"),
        ({"base_url": f"http://user:{KEY}@host/v1"}, "api_key_env"),
        ({"base_url": "env:SECRET_KEY"}, "_URL"),
        ({"base_url": "env:NOT_SET_URL"}, "NOT_SET_URL is not set"),
        ({"base_url": "http://host/v1", "api_key_env": KEY}, "name of a variable"),
        ({"base_url": "http://host/v1", "api_key_env": "NOT_SET_API_KEY"}, "NOT_SET_API_KEY is not set"),
        ({"base_url": "http://host/v1", "api_key_env": "DJANGO_SECRET_KEY"}, "_API_KEY"),
        ({"base_url": "http://host/v1", "dialect": "klingon"}, "dialect must be one of"),
        ({"base_url": "http://host/v1", "timeout_s": "soon"}, "timeout_s must be a number"),
        ({}, "base_url is missing"),
    ],
)
def test_wrong_options_are_refused_in_words_without_secrets(options: dict[str, Any], words: str) -> None:
    with pytest.raises(BackendMisconfigured, match=words) as caught:
        create("openai", {"model": "m", **options})
    assert KEY not in str(caught.value)
