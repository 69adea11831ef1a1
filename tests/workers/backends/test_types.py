from __future__ import annotations

import pickle
from typing import Any

import pytest

from workers.backends.errors import DeadlineExceeded, InvalidSettings, PromptTooLong
from workers.backends.types import GenerationRequest, GenerationSettings, Message


def test_settings_survive_json() -> None:
    settings = GenerationSettings(max_tokens=9, stop=("a", "b"), system_prompt="Be brief.")
    assert GenerationSettings.from_dict(settings.to_dict()) == settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", 0),
        ("max_tokens", "12"),
        ("max_tokens", True),
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("temperature", "warm"),
        ("temperature", None),
        ("top_p", 0),
        ("top_k", 1.5),
        ("repetition_penalty", float("inf")),
        ("stop", "END"),
        ("stop", [""]),
        ("stop", [1]),
        ("system_prompt", 5),
        ("template", "alpaca"),
        ("template", ["chat"]),
    ],
)
def test_wrong_value_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidSettings, match=name):
        GenerationSettings.from_dict({name: value})


def test_system_prompt_of_the_settings_comes_first_unless_the_request_has_its_own() -> None:
    settings = GenerationSettings(system_prompt="Be brief.")
    question = Message("user", "Why?")
    plain = GenerationRequest(messages=(question,), seed=0, settings=settings)
    assert plain.conversation == (Message("system", "Be brief."), question)
    own = GenerationRequest(messages=(Message("system", "Sing."), question), seed=0, settings=settings)
    assert own.conversation == own.messages


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_seed_that_not_every_engine_takes_is_refused(seed: int) -> None:
    with pytest.raises(InvalidSettings, match="seed"):
        GenerationRequest(messages=(Message("user", "Why?"),), seed=seed)


@pytest.mark.parametrize("messages", [(), (Message("user", "a"), Message("assistant", "b"))])
def test_request_without_a_question_is_refused(messages: tuple[Message, ...]) -> None:
    with pytest.raises(InvalidSettings):
        GenerationRequest(messages=messages, seed=1)


def test_errors_travel_between_processes() -> None:
    for error in (DeadlineExceeded.after(3), PromptTooLong.counted(9, 5)):
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
