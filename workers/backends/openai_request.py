"""Writes a request for an OpenAI-compatible endpoint: which path, which prompt, which parameters.

The settings decide the path: template "chat" uses /chat/completions, every other one /completions.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from workers.backends.errors import InvalidSettings
from workers.backends.prompt_template import few_shot_template
from workers.backends.types import CHAT, GenerationRequest, GenerationSettings, Message

EXTENDED = "extended"
STRICT = "openai"


@dataclass(frozen=True, kw_only=True)
class EndpointRequest:
    """`prompt` and `parameters` together are the body. `stop` is looked for on our side too."""

    is_chat: bool
    prompt: dict[str, Any]
    parameters: dict[str, Any]
    stop: tuple[str, ...]
    template_sha256: str | None

    @property
    def path(self) -> str:
        return "chat/completions" if self.is_chat else "completions"

    @property
    def prompt_sha256(self) -> str:
        return hashlib.sha256(json.dumps(self.prompt, sort_keys=True).encode()).hexdigest()


def endpoint_request(request: GenerationRequest, *, model: str, dialect: str) -> EndpointRequest:
    """Raises InvalidSettings for what the dialect cannot say, BackendRejected for images to a base model."""
    settings = request.settings
    if settings.template == CHAT:
        return EndpointRequest(
            is_chat=True,
            prompt={"messages": [_message(message) for message in request.conversation]},
            parameters=_parameters(request, model, dialect, settings.stop),
            stop=settings.stop,
            template_sha256=None,
        )
    request.require_text()
    template = few_shot_template(settings.template)
    stop = (*settings.stop, *template.stop)
    return EndpointRequest(
        is_chat=False,
        prompt={"prompt": template.render(request.conversation)},
        parameters=_parameters(request, model, dialect, stop),
        stop=stop,
        template_sha256=template.sha256,
    )


def tokens_most(request: GenerationRequest) -> int:
    """What to set aside for a request: no tokenizer makes more tokens of a text than it has bytes.

    What a chat format adds and what images count for is known only from the endpoint's own count, afterwards.
    """
    return request.settings.max_tokens + sum(len(m.content.encode()) for m in request.conversation)


def _message(message: Message) -> dict[str, Any]:
    """Images as data URLs, in front of the text: the endpoint must fetch nothing."""
    if not message.images:
        return {"role": message.role, "content": message.content}
    images = [{"type": "image_url", "image_url": {"url": image.data_url}} for image in message.images]
    return {"role": message.role, "content": [*images, {"type": "text", "text": message.content}]}


def _parameters(
    request: GenerationRequest, model: str, dialect: str, stop: tuple[str, ...]
) -> dict[str, Any]:
    settings = request.settings
    parameters: dict[str, Any] = {
        "model": model,
        "max_tokens": settings.max_tokens,
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "seed": request.seed,
    }
    if stop:
        parameters["stop"] = list(stop)
    if dialect == EXTENDED:
        return parameters | {"extra_body": _extended(settings)}
    if settings.top_k != 0 or settings.repetition_penalty != 1.0:
        raise InvalidSettings("The dialect openai knows neither top_k nor repetition_penalty.")
    if settings.template == CHAT:
        parameters["max_completion_tokens"] = parameters.pop("max_tokens")
    return parameters


def _extended(settings: GenerationSettings) -> dict[str, Any]:
    # llama.cpp calls it repeat_penalty, the others repetition_penalty; each ignores the other's name.
    # min_p 0 switches off llama.cpp's default of 0.05.
    return {
        "top_k": settings.top_k,
        "min_p": 0.0,
        "repeat_penalty": settings.repetition_penalty,
        "repetition_penalty": settings.repetition_penalty,
    }
