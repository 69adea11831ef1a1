"""What every backend promises, tried on each: the fake, a llama.cpp server, a program, torch in here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from workers.backends.engines import import_engine
from workers.backends.errors import BackendMisconfigured, DeadlineExceeded, InvalidSettings, PromptTooLong
from workers.backends.registry import create
from workers.backends.types import Backend, Generation, GenerationRequest, GenerationSettings, Message

ENOUGH_S = 100.0
# The first of them converts and loads the model, which takes its time on a busy machine.
LOADING_S = 300.0
TORCH = [pytest.mark.torch, pytest.mark.timeout(LOADING_S)]


def request_for(text: str, *, seed: int = 7, **settings: Any) -> GenerationRequest:
    settings = {"max_tokens": 12, "temperature": 0.8} | settings
    return GenerationRequest(
        messages=(Message("user", text),), seed=seed, settings=GenerationSettings.from_dict(settings)
    )


def answer(backend: Backend, request: GenerationRequest) -> Generation:
    return backend.generate(request, deadline_s=ENOUGH_S)


@pytest.fixture(
    scope="session", params=["fake", "openai", "command", pytest.param("transformers", marks=TORCH)]
)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def options(kind: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    if kind == "openai":
        return {"base_url": request.getfixturevalue("llama_url"), "model": "smollm2"}
    if kind == "command":
        return {"command": request.getfixturevalue("word_command")}
    if kind == "transformers":
        # Like llama.cpp's, torch's threads spin: two of them on a busy core are slower than one.
        import_engine("torch").set_num_threads(1)
        file: Path = request.getfixturevalue("smollm2_file")
        cache: Path = request.getfixturevalue("model_cache")
        return {
            "model": str(file.parent),
            "gguf_file": file.name,
            "cache_dir": str(cache),
            "max_context": 200,
        }
    return {"context_tokens": 200}


@pytest.fixture(scope="session")
def backend(kind: str, options: dict[str, Any]) -> Iterator[Backend]:
    backend = create(kind, options)
    backend.generate(request_for("Warm up.", max_tokens=4), deadline_s=LOADING_S)
    yield backend
    backend.close()


def test_same_seed_gives_the_same_text(backend: Backend) -> None:
    request = request_for("Invent a name for a boat.")
    assert answer(backend, request).text == answer(backend, request).text


def test_another_seed_gives_another_text(backend: Backend) -> None:
    request = request_for("Invent a name for a boat.", temperature=1.5)
    assert answer(backend, request).text != answer(backend, replace(request, seed=8)).text


def test_greedy_text_does_not_depend_on_the_seed(backend: Backend) -> None:
    request = request_for("What is rain?", temperature=0)
    assert answer(backend, request).text == answer(backend, replace(request, seed=8)).text


def test_deltas_together_are_the_text(backend: Backend, kind: str) -> None:
    deltas: list[str] = []
    generation = backend.generate(request_for("What is rain?"), on_text=deltas.append, deadline_s=ENOUGH_S)
    assert len(deltas) > 1 or kind == "command", "a program answers at its end"
    assert "".join(deltas) == generation.text
    assert generation.text == generation.text.strip()


def test_no_more_tokens_than_asked_for(backend: Backend) -> None:
    generation = answer(backend, request_for("Tell me a long story.", max_tokens=5))
    assert generation.completion_tokens == 5
    assert generation.finish_reason == "length"


def test_text_ends_before_the_stop_string(backend: Backend) -> None:
    whole = answer(backend, request_for("What is rain?", temperature=0)).text
    middle = len(whole) // 2
    stop = whole[middle : middle + 3]
    stopped = answer(backend, request_for("What is rain?", temperature=0, stop=[stop]))
    assert stopped.text == whole[: whole.index(stop)].rstrip()
    assert stopped.finish_reason == "stop"


def test_system_prompt_is_part_of_the_prompt(backend: Backend) -> None:
    plain = answer(backend, request_for("What is rain?", temperature=0))
    told = answer(
        backend,
        request_for("What is rain?", temperature=0, system_prompt="You are a pirate. Begin with: Ahoy!"),
    )
    assert told.text != plain.text
    assert told.prompt_tokens != plain.prompt_tokens


def test_too_long_a_prompt_is_refused_by_name(backend: Backend) -> None:
    with pytest.raises(PromptTooLong, match="too long"):
        answer(backend, request_for("word " * 2000))


def test_generation_reports_counts_durations_and_provenance(backend: Backend, kind: str) -> None:
    request = request_for("What is rain?")
    generation = answer(backend, request)
    assert generation.prompt_tokens
    assert generation.completion_tokens
    assert 0 <= generation.first_token_s <= generation.total_s
    assert generation.provenance["backend"] == kind
    assert generation.provenance["seed"] == request.seed
    assert generation.provenance["settings"] == request.settings.to_dict()


def test_deadline_ends_the_generation(backend: Backend, kind: str) -> None:
    slow = create("fake", {"output": "hang"}) if kind == "fake" else backend
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        slow.generate(request_for("Tell me a story.", max_tokens=150, temperature=0), deadline_s=0.2)
    assert time.monotonic() - started < 10


def test_error_of_on_text_ends_the_generation_and_the_backend_goes_on(backend: Backend) -> None:
    def leave(_: str) -> None:
        raise KeyError("the voter left")

    with pytest.raises(KeyError):
        backend.generate(request_for("What is rain?"), on_text=leave, deadline_s=ENOUGH_S)
    assert answer(backend, request_for("What is rain?", max_tokens=2)).text


def test_unknown_settings_are_refused_by_name() -> None:
    with pytest.raises(InvalidSettings, match="temprature"):
        request_for("Hello", temprature=1)


def test_unknown_options_are_refused_by_name(kind: str, options: dict[str, Any]) -> None:
    with pytest.raises(BackendMisconfigured, match="modle"):
        create(kind, {**options, "modle": "x"})


def test_closed_backend_opens_again(kind: str, options: dict[str, Any]) -> None:
    backend = create(kind, options)
    assert answer(backend, request_for("Hello", max_tokens=2)).text
    backend.close()
    backend.close()
    assert answer(backend, request_for("Hello", max_tokens=2)).text
    backend.close()
