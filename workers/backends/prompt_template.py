"""Prompts for base models, which know no chat format: example questions with answers, then the question."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from workers.backends.types import FEW_SHOT_V1, Message

_FOLDER = Path(__file__).parent / "templates"
_FILES = {FEW_SHOT_V1: "few_shot_v1.txt"}


@dataclass(frozen=True)
class FewShotTemplate:
    """`stop` holds what a base model writes when it goes on with a question of its own."""

    name: str
    examples: str
    stop: tuple[str, ...]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.examples.encode()).hexdigest()

    def render(self, conversation: Sequence[Message]) -> str:
        """The examples with the conversation after them. A system message comes first of all."""
        instructions = [message.content for message in conversation if message.role == "system"]
        turns = [
            f"Question: {message.content}" if message.role == "user" else f"Answer: {message.content}\n"
            for message in conversation
            if message.role != "system"
        ]
        return "\n\n".join([*instructions, self.examples]) + "\n\n" + "\n".join([*turns, "Answer:"])


@cache
def few_shot_template(name: str) -> FewShotTemplate:
    examples = (_FOLDER / _FILES[name]).read_text(encoding="utf-8").strip()
    return FewShotTemplate(name=name, examples=examples, stop=("\nQuestion:",))
