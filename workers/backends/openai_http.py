"""Runs a system behind an OpenAI-compatible endpoint: llama.cpp, vLLM, SGLang, TGI, hosted ones.

Answers are streamed. Nothing is retried here: the job engine does that. Keys come from the worker's
environment by name; neither a key nor the address appears in an error or in the provenance.

The settings decide the endpoint: template "chat" uses /chat/completions, every other one /completions.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from workers.backends.endpoint_access import is_loopback, resolve_key, resolve_url
from workers.backends.engines import import_engine
from workers.backends.errors import (
    BackendError,
    BackendGarbage,
    BackendRejected,
    BackendUnavailable,
    DeadlineExceeded,
    InvalidSettings,
)
from workers.backends.event_loop import EventLoopThread
from workers.backends.openai_errors import error_from_status, error_in_stream
from workers.backends.options import OptionField, read_options
from workers.backends.prompt_template import few_shot_template
from workers.backends.text_stream import TextStream
from workers.backends.types import CHAT, Generation, GenerationRequest, GenerationSettings, OnText

if TYPE_CHECKING:
    import openai

TITLE = "OpenAI-compatible endpoint"

EXTENDED = "extended"
STRICT = "openai"

OPTIONS = (
    OptionField(
        name="base_url",
        help="Address of the endpoint up to and including /v1, or env:NAME_URL to read it from that "
        "environment variable of the worker.",
        required=True,
    ),
    OptionField(name="model", help="The model's name at this endpoint.", required=True),
    OptionField(
        name="api_key_env",
        help="Name of the worker's environment variable that holds the key; it must end in _API_KEY. "
        "Never the key itself. Leave empty when the endpoint asks for none.",
    ),
    OptionField(
        name="dialect",
        help="extended: also sends top_k, min_p and the repetition penalty, which llama.cpp, vLLM and others "
        "read. openai: only what OpenAI's own service accepts, which refuses unknown names.",
        choices=(EXTENDED, STRICT),
        default=EXTENDED,
    ),
    OptionField(
        name="timeout_s",
        help="Seconds without any data from the endpoint after which it counts as unavailable.",
        type="number",
        default=60.0,
    ),
)

_CONNECT_TIMEOUT_S = 10.0
# The loop thread ends every request at its deadline; the caller waits a little longer before it gives up too.
_GRACE_S = 2.0
# Generous: most tokens are about four characters, the longest runs of spaces some hundred.
_CHARACTERS_PER_TOKEN = 128


def create(options: Mapping[str, Any]) -> OpenAIBackend:
    return OpenAIBackend(**read_options(OPTIONS, options))


@dataclass
class _Report:
    """What a stream tells besides its text."""

    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    served_model: str | None = None
    fingerprint: str | None = None
    chunks: int = field(default=0)


class OpenAIBackend:
    def __init__(
        self, *, base_url: str, model: str, api_key_env: str | None, dialect: str, timeout_s: float
    ) -> None:
        self._base_url = resolve_url(base_url)
        self._api_key = resolve_key(api_key_env)
        self._model = model
        self._dialect = dialect
        self._timeout_s = timeout_s
        self._openai = import_engine("openai")
        self._lock = threading.Lock()
        self._loop: EventLoopThread | None = None
        self._client: openai.AsyncOpenAI | None = None

    def generate(
        self, request: GenerationRequest, *, on_text: OnText | None = None, deadline_s: float
    ) -> Generation:
        started = time.perf_counter()
        endpoint, prompt, stop = _endpoint(request)
        parameters = self._parameters(request.settings, endpoint, request.seed, stop)
        stream = TextStream(on_text, stop)
        report = _Report()
        pieces: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        reading = self._start(
            lambda client: self._read(client, endpoint, prompt | parameters, report, pieces.put), deadline_s
        )
        reading.add_done_callback(lambda _: pieces.put(None))
        first_token_s: float | None = None
        received = 0
        try:
            while (piece := pieces.get(timeout=deadline_s + _GRACE_S)) is not None:
                first_token_s = first_token_s or time.perf_counter() - started
                received += len(piece)
                if received > _CHARACTERS_PER_TOKEN * request.settings.max_tokens:
                    raise BackendGarbage("The endpoint sent far more text than it was asked for.")
                stream.push(piece)
                if stream.is_stopped:
                    break
        except queue.Empty:
            raise DeadlineExceeded.after(deadline_s) from None
        finally:
            reading.cancel()
        if not stream.is_stopped:
            self._check(reading, report, deadline_s)
        text = stream.finish()
        if not text:
            raise BackendGarbage("The endpoint answered without any text.")
        return Generation(
            text=text,
            finish_reason="stop" if stream.is_stopped or report.finish_reason == "stop" else "length",
            prompt_tokens=report.prompt_tokens,
            completion_tokens=report.completion_tokens,
            load_s=0.0,
            first_token_s=first_token_s or 0.0,
            total_s=time.perf_counter() - started,
            provenance=self._provenance(request, endpoint, prompt, parameters, report),
        )

    def close(self) -> None:
        with self._lock:
            loop, client = self._loop, self._client
            self._loop = self._client = None
        if loop is not None and client is not None:
            with suppress(TimeoutError):
                loop.submit(client.close()).result(timeout=_GRACE_S)
            loop.close()

    def _start(self, work: Callable[[openai.AsyncOpenAI], Any], deadline_s: float) -> Future[None]:
        with self._lock:
            if self._loop is None or self._client is None:
                self._loop = EventLoopThread("openai-http")
                self._client = self._open_client()
            loop, client = self._loop, self._client

        async def bounded() -> None:
            async with asyncio.timeout(deadline_s):
                await work(client)

        return loop.submit(bounded())

    def _open_client(self) -> openai.AsyncOpenAI:
        timeout = self._openai.Timeout(self._timeout_s, connect=min(self._timeout_s, _CONNECT_TIMEOUT_S))
        http_client = self._openai.DefaultAsyncHttpxClient(
            timeout=timeout,
            # A company's proxy setting must not swallow requests to this very machine.
            trust_env=not is_loopback(self._base_url),
        )
        client: openai.AsyncOpenAI = self._openai.AsyncOpenAI(
            base_url=self._base_url,
            # Never None: the client would then send OPENAI_API_KEY to whatever address this is.
            api_key=self._api_key or "none",
            # A kept connection may be closed by the server just as the next request goes out: llama.cpp does
            # so after a hundred requests. That would look like an outage, and nothing is retried here.
            default_headers={"Connection": "close"},
            max_retries=0,
            timeout=timeout,
            http_client=http_client,
        )
        return client

    def _parameters(
        self, settings: GenerationSettings, endpoint: str, seed: int, stop: tuple[str, ...]
    ) -> dict[str, Any]:
        parameters: dict[str, Any] = {
            "model": self._model,
            "max_tokens": settings.max_tokens,
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "seed": seed,
        }
        if stop:
            parameters["stop"] = list(stop)
        if self._dialect == EXTENDED:
            # llama.cpp calls it repeat_penalty, the others repetition_penalty; each ignores the other's name.
            # min_p 0 switches off llama.cpp's default of 0.05.
            parameters["extra_body"] = {
                "top_k": settings.top_k,
                "min_p": 0.0,
                "repeat_penalty": settings.repetition_penalty,
                "repetition_penalty": settings.repetition_penalty,
            }
            return parameters
        if settings.top_k != 0 or settings.repetition_penalty != 1.0:
            raise InvalidSettings("The dialect openai knows neither top_k nor repetition_penalty.")
        if endpoint == "chat/completions":
            parameters["max_completion_tokens"] = parameters.pop("max_tokens")
        return parameters

    async def _read(
        self,
        client: openai.AsyncOpenAI,
        endpoint: str,
        arguments: dict[str, Any],
        report: _Report,
        put: Callable[[str], None],
    ) -> None:
        resource = client.chat.completions if endpoint == "chat/completions" else client.completions
        chunks = await resource.create(**arguments, stream=True, stream_options={"include_usage": True})
        try:
            async for piece in _pieces(chunks, report):
                put(piece)
        finally:
            await chunks.close()

    def _check(self, reading: Future[None], report: _Report, deadline_s: float) -> None:
        """Raise what ended the reading, unless it ended well. `from None`: causes may repeat a key."""
        try:
            reading.result()
        except CancelledError:
            raise BackendUnavailable("The worker closed this backend.") from None
        except TimeoutError:
            raise DeadlineExceeded.after(deadline_s) from None
        except BackendError:
            raise
        except self._openai.APIStatusError as error:
            raise error_from_status(error.status_code, error.body, secret=self._api_key) from None
        except self._openai.APITimeoutError:
            raise BackendUnavailable(f"The endpoint sent nothing for {self._timeout_s:g} seconds.") from None
        except self._openai.APIConnectionError:
            raise BackendUnavailable("The endpoint cannot be reached, or the connection was lost.") from None
        except self._openai.APIError as error:
            raise error_in_stream(error.body, secret=self._api_key) from None
        except (ValueError, TypeError, AttributeError, LookupError):
            # json.JSONDecodeError is a ValueError; a chunk of a wrong shape raises the others.
            raise BackendGarbage("The endpoint's stream is malformed.") from None
        if report.chunks == 0:
            raise BackendGarbage("The endpoint's answer is not a stream of the OpenAI kind.")
        if report.finish_reason is None:
            raise BackendUnavailable("The endpoint broke off its answer.")
        if report.finish_reason == "content_filter":
            raise BackendRejected("The endpoint's own content filter stopped the answer.")
        if report.finish_reason not in ("stop", "length"):
            raise BackendGarbage("The endpoint ended its answer for an unknown reason.")

    def _provenance(
        self,
        request: GenerationRequest,
        endpoint: str,
        prompt: dict[str, Any],
        parameters: dict[str, Any],
        report: _Report,
    ) -> dict[str, Any]:
        provenance = {
            "backend": "openai",
            "endpoint": endpoint,
            "served_model": report.served_model,
            "system_fingerprint": report.fingerprint,
            "parameters": parameters,
            "prompt_sha256": hashlib.sha256(json.dumps(prompt, sort_keys=True).encode()).hexdigest(),
            "seed": request.seed,
            "settings": request.settings.to_dict(),
            "libraries": {"openai": version("openai")},
        }
        if request.settings.template != CHAT:
            provenance["template_sha256"] = few_shot_template(request.settings.template).sha256
        return provenance


def _endpoint(request: GenerationRequest) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    """The path, the part of the body that holds the prompt, and the stop strings."""
    conversation = request.conversation
    if request.settings.template == CHAT:
        messages = [{"role": message.role, "content": message.content} for message in conversation]
        return "chat/completions", {"messages": messages}, request.settings.stop
    template = few_shot_template(request.settings.template)
    return "completions", {"prompt": template.render(conversation)}, (*request.settings.stop, *template.stop)


async def _pieces(chunks: AsyncIterator[Any], report: _Report) -> AsyncIterator[str]:
    async for chunk in chunks:
        report.chunks += 1
        report.served_model = chunk.model or report.served_model
        report.fingerprint = getattr(chunk, "system_fingerprint", None) or report.fingerprint
        if chunk.usage is not None:
            report.prompt_tokens = chunk.usage.prompt_tokens
            report.completion_tokens = chunk.usage.completion_tokens
        for choice in chunk.choices:
            report.finish_reason = choice.finish_reason or report.finish_reason
            piece = choice.delta.content if hasattr(choice, "delta") else choice.text
            if piece:
                yield piece
