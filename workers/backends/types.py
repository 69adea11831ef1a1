"""What goes into a backend and what comes out: plain frozen values, the same for every kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Protocol

from workers.backends.errors import BackendRejected, InvalidSettings
from workers.backends.images import Image

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length"]
OnText = Callable[[str], None]

CHAT = "chat"
FEW_SHOT_V1 = "few-shot-v1"
TEMPLATES = (CHAT, FEW_SHOT_V1)

SEED_LIMIT = 2**31

# Generous: most tokens are about four characters, the longest runs of spaces some hundred.
_CHARACTERS_PER_TOKEN = 128
_CHARACTERS_MOST = 1_000_000


@dataclass(frozen=True)
class Message:
    """A text and the images that it speaks of, which come before it."""

    role: Role
    content: str
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GenerationSettings:
    """How to decode. Every field is sent to the backend: no server's own default slips in.

    temperature 0 is greedy. top_k 0 and top_p 1 are off, so is repetition_penalty 1.
    template: "chat" uses the model's own chat format; the others are text files of this package
    for base models, each of which is never changed once published.
    """

    max_tokens: int = 256
    temperature: float = 0.7
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    system_prompt: str | None = None
    template: str = CHAT

    def __post_init__(self) -> None:
        _require_whole("max_tokens", self.max_tokens, 1, 32_768)
        _require_number("temperature", self.temperature, 0.0, 5.0)
        _require_number("top_p", self.top_p, 0.01, 1.0)
        _require_whole("top_k", self.top_k, 0, 1_000_000)
        _require_number("repetition_penalty", self.repetition_penalty, 0.1, 10.0)
        if not isinstance(self.stop, tuple) or not all(isinstance(text, str) and text for text in self.stop):
            raise InvalidSettings("stop must be a list of texts, none of them empty.")
        if self.system_prompt is not None and not isinstance(self.system_prompt, str):
            raise InvalidSettings("system_prompt must be a text, or left out.")
        if self.template not in TEMPLATES:
            raise InvalidSettings(f"template must be one of {', '.join(TEMPLATES)}.")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> GenerationSettings:
        """Read a JSON object. Raises InvalidSettings, which names the offending keys."""
        known = {entry.name for entry in fields(cls)}
        unknown = sorted(str(key) for key in values if key not in known)
        if unknown:
            raise InvalidSettings(
                f"Unknown generation settings: {', '.join(unknown)}. Known are: {', '.join(sorted(known))}."
            )
        settings = dict(values)
        if isinstance(settings.get("stop"), list):
            settings["stop"] = tuple(settings["stop"])
        return cls(**settings)

    @property
    def characters_most(self) -> int:
        """A longer answer is not one to these settings."""
        return min(_CHARACTERS_PER_TOKEN * self.max_tokens, _CHARACTERS_MOST)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: `from_dict` reads it back."""
        return {**asdict(self), "stop": list(self.stop)}


@dataclass(frozen=True, kw_only=True)
class GenerationRequest:
    """One answer to make. The last message is the one to answer."""

    messages: tuple[Message, ...]
    seed: int
    settings: GenerationSettings = field(default_factory=GenerationSettings)

    def __post_init__(self) -> None:
        if not self.messages or self.messages[-1].role != "user":
            raise InvalidSettings("A request ends with a message of the user.")
        if not 0 <= self.seed < SEED_LIMIT:
            raise InvalidSettings(f"seed must be a whole number from 0 to {SEED_LIMIT - 1}.")

    @property
    def conversation(self) -> tuple[Message, ...]:
        """The messages with the system prompt in front, unless they bring their own."""
        if self.settings.system_prompt is None or self.messages[0].role == "system":
            return self.messages
        return (Message("system", self.settings.system_prompt), *self.messages)

    def require_text(self) -> None:
        """Raise BackendRejected if there are images: for backends that would have to drop them."""
        if any(message.images for message in self.messages):
            raise BackendRejected("This system is run in a way that takes no images.")


@dataclass(frozen=True, kw_only=True)
class Generation:
    """One answer. `text` has no white space around it and is never empty.

    Token counts are None where a server does not tell them. Durations count from the call, in seconds;
    `load_s` is the part of it spent loading the model, 0 when it was loaded already.
    `provenance` is JSON: what is needed to make the answer again, without secrets or host names.
    """

    text: str
    finish_reason: FinishReason
    prompt_tokens: int | None
    completion_tokens: int | None
    load_s: float
    first_token_s: float
    total_s: float
    provenance: dict[str, Any]


class Backend(Protocol):
    """Runs one system. Made once per worker process and kept; a model is loaded at the first request."""

    def generate(
        self, request: GenerationRequest, *, on_text: OnText | None = None, deadline_s: float
    ) -> Generation:
        """Answer, or raise a BackendError within about `deadline_s` seconds.

        `on_text` gets each new piece of text (the delta, not the text so far), in the caller's thread;
        the pieces together are exactly the text of the result. What it raises ends the generation.
        """
        ...

    def close(self) -> None:
        """Free model, memory and connections. May be called twice; a later request starts afresh."""
        ...


def _require_whole(name: str, value: object, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidSettings(f"{name} must be a whole number from {least} to {most}.")


def _require_number(name: str, value: object, least: float, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidSettings(f"{name} must be a number.")
    if not math.isfinite(value) or not least <= value <= most:
        raise InvalidSettings(f"{name} must be from {least:g} to {most:g}.")
