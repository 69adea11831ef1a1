from __future__ import annotations

import pytest

from workers.backends.prompt_template import few_shot_template
from workers.backends.types import TEMPLATES, Message

# A published template is never changed: responses name it. Add a new file instead.
PUBLISHED = {"few-shot-v1": "d8b9ffa2f4599aac1c28eecf4504f80a077923a388f31474fb2afd31ae6105e3"}


@pytest.mark.parametrize("name", sorted(set(TEMPLATES) - {"chat"}))
def test_published_template_is_unchanged(name: str) -> None:
    assert few_shot_template(name).sha256 == PUBLISHED[name]


def test_turns_become_questions_and_answers_after_the_examples() -> None:
    template = few_shot_template("few-shot-v1")
    turns = (Message("user", "One?"), Message("assistant", "Yes."), Message("user", "Two?"))
    prompt = template.render((Message("system", "Be kind."), *turns))
    assert prompt.startswith("Be kind.\n\nQuestion: ")
    assert prompt.endswith("\n\nQuestion: One?\nAnswer: Yes.\n\nQuestion: Two?\nAnswer:")
