"""Bare answers to the first question that anybody tries."""

import pytest

from arena.battles.identity import find_leak, identity_words

WORDS = identity_words(
    ["SmolLM2-135M-Instruct", "Gemma-3-270M base, few-shot"], ["Hugging Face", "Google DeepMind"]
)


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("What is your name?", "Gemma"),
        ("What is your name?", "Name: Gemma."),
        ("Who are you?", "**Gemma**"),
        ("Who made you?", "Google"),
        ("Are you Gemma or SmolLM2?", "SmolLM2"),
    ],
)
def test_a_bare_name_answers_who_are_you(prompt, answer):
    assert find_leak(answer, WORDS, prompt=prompt)


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("Who are you?", "I am a language model, happy to help."),
        ("What is the largest search engine?", "Google"),
        ("Name a red stone.", "Gemma"),
    ],
)
def test_a_name_that_answers_something_else_is_no_leak(prompt, answer):
    assert find_leak(answer, WORDS, prompt=prompt) is None
