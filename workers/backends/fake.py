"""A deterministic stand-in for tests: the same request gets the same words. Never part of a demo's claims."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections.abc import Mapping
from typing import Any

from workers.backends.errors import (
    BackendError,
    BackendGarbage,
    BackendRejected,
    BackendUnavailable,
    DeadlineExceeded,
    PromptTooLong,
)
from workers.backends.options import OptionField, read_options
from workers.backends.text_stream import TextStream
from workers.backends.types import Generation, GenerationRequest, OnText

TITLE = "Fake (tests only)"

_FAILURES: dict[str, type[BackendError]] = {
    "unavailable": BackendUnavailable,
    "rejected": BackendRejected,
    "garbage": BackendGarbage,
}

OPTIONS = (
    OptionField(name="name", help="Another name makes other texts.", default="fake"),
    OptionField(name="delay_s", help="Seconds to wait before the first word.", type="number", default=0.0),
    OptionField(name="fail_times", help="How many requests fail first.", type="whole", default=0),
    OptionField(
        name="failure", help="How they fail.", choices=tuple(_FAILURES), default=next(iter(_FAILURES))
    ),
    OptionField(
        name="output",
        help="words; empty: no text at all; hang: nothing until the deadline.",
        choices=("words", "empty", "hang"),
        default="words",
    ),
    OptionField(name="text", help="Answer with exactly this text instead of words.", default=None),
    OptionField(name="context_tokens", help="Words of prompt that fit.", type="whole", default=1000),
)

# fmt: off
_WORDS = (
    "amber", "bridge", "cloud", "dance", "early", "forest", "gentle", "harbour", "island", "jolly", "kettle",
    "lantern", "meadow", "north", "open", "paper", "quiet", "river", "silver", "tower", "velvet", "winter",
)
# fmt: on


def create(options: Mapping[str, Any]) -> FakeBackend:
    return FakeBackend(**read_options(OPTIONS, options))


class FakeBackend:
    """A word is a token. Greedy answers do not depend on the seed."""

    def __init__(
        self,
        *,
        name: str,
        delay_s: float,
        fail_times: int,
        failure: str,
        output: str,
        text: str | None,
        context_tokens: int,
    ) -> None:
        self._name = name
        self._delay_s = delay_s
        self._fails_left = fail_times
        self._failure = failure
        self._output = output
        self._text = text
        self._context_tokens = context_tokens

    def generate(
        self, request: GenerationRequest, *, on_text: OnText | None = None, deadline_s: float
    ) -> Generation:
        started = time.perf_counter()
        request.require_text()
        wait_s = deadline_s if self._output == "hang" else min(self._delay_s, deadline_s)
        if wait_s > 0:
            threading.Event().wait(wait_s)
        if self._output == "hang" or self._delay_s > deadline_s:
            raise DeadlineExceeded.after(deadline_s)
        if self._fails_left > 0:
            self._fails_left -= 1
            raise _FAILURES[self._failure]("The fake backend was told to fail.")
        prompt_tokens = sum(len(message.content.split()) for message in request.conversation)
        if prompt_tokens > self._context_tokens:
            raise PromptTooLong.counted(prompt_tokens, self._context_tokens)

        settings = request.settings
        tokens = self._tokens(request)
        stream = TextStream(on_text, settings.stop)
        used = 0
        for token in tokens[: settings.max_tokens]:
            stream.push(token)
            used += 1
            if stream.is_stopped:
                break
        text = stream.finish()
        if not text:
            raise BackendGarbage("The fake backend answered without any text.")
        spent_s = time.perf_counter() - started
        return Generation(
            text=text,
            finish_reason="stop" if stream.is_stopped or used == len(tokens) else "length",
            prompt_tokens=prompt_tokens,
            completion_tokens=used,
            load_s=0.0,
            first_token_s=spent_s,
            total_s=spent_s,
            provenance={
                "backend": "fake",
                "name": self._name,
                "seed": request.seed,
                "settings": settings.to_dict(),
            },
        )

    def close(self) -> None:
        """Nothing is held."""

    def _tokens(self, request: GenerationRequest) -> list[str]:
        if self._output == "empty":
            return []
        if self._text is not None:
            return [f"{word} " for word in self._text.split(" ")]
        conversation = [(message.role, message.content) for message in request.conversation]
        seed = request.seed if request.settings.temperature > 0 else None
        settings = {**request.settings.to_dict(), "max_tokens": None, "stop": None}
        key = json.dumps([self._name, conversation, seed, settings], sort_keys=True)
        rng = random.Random(hashlib.sha256(key.encode()).digest())
        return [f"{rng.choice(_WORDS)} " for _ in range(rng.randint(24, 40))]
