"""What an OpenAI-compatible server's errors mean for us. Servers disagree on codes: several signs are read.

Texts of servers are passed on shortened, for an admin, except where they may repeat a part of the key.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from workers.backends.errors import (
    BackendError,
    BackendMisconfigured,
    BackendRejected,
    BackendUnavailable,
    PromptTooLong,
)
from workers.backends.text_stream import storable

_SHOWN_CHARACTERS = 300
# Not implemented, version not supported: no server learns that while we wait.
_FINAL_SERVER_ERRORS = {501, 505}
_TOO_LONG_CODES = {"context_length_exceeded", "exceed_context_size_error"}
# llama.cpp says this with status 500.
_NO_IMAGES_WORDS = "image input is not supported"
_TOO_LONG_WORDS = ("context length", "context size", "context window", "prompt is too long")


def error_from_status(
    status: int, body: object, *, secret: str | None, asked_s: float | None = None
) -> BackendError:
    """For an answer with an error status. `body` is the parsed JSON, or its "error" object, or anything.

    `asked_s` is the pause in seconds that the server asked for.
    """
    details = _details(body)
    words = _words(details, secret)
    if status in (401, 403):
        return BackendMisconfigured(f"The endpoint refused the key (HTTP {status}). See api_key_env.")
    if status == 404:
        return BackendMisconfigured(f"The endpoint knows no such model or address (HTTP 404).{words}")
    if status == 429 and "insufficient_quota" in (details.get("code"), details.get("type")):
        return BackendMisconfigured("The endpoint's account has no credit left (HTTP 429).")
    if status == 429:
        pause = "" if asked_s is None else f" It asks to wait {asked_s:.0f} seconds."
        return BackendUnavailable(f"The endpoint asks for fewer requests (HTTP 429).{pause}")
    if _is_too_long(details):
        return PromptTooLong.counted(_count(details, "n_prompt_tokens"), _count(details, "n_ctx"))
    if _NO_IMAGES_WORDS in str(details.get("message", "")).lower():
        return BackendRejected("The model behind the endpoint takes no images.")
    if status in (408, 409, 425) or (status >= 500 and status not in _FINAL_SERVER_ERRORS):
        return BackendUnavailable(f"The endpoint failed (HTTP {status}).{words}")
    return BackendRejected(f"The endpoint refused the request (HTTP {status}).{words}")


def asked_pause_s(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds to wait by the header Retry-After: seconds, or a date. None without a readable one."""
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value) if value[:1].isdigit() else parsedate_to_datetime(value).timestamp() - now
    except (ValueError, OverflowError):
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def error_in_stream(body: object, *, secret: str | None) -> BackendError:
    """For an error object sent inside a stream that began well."""
    details = _details(body)
    if _is_too_long(details):
        return PromptTooLong.counted(_count(details, "n_prompt_tokens"), _count(details, "n_ctx"))
    return BackendUnavailable(f"The endpoint broke off its answer.{_words(details, secret)}")


def _details(body: object) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        return {}
    inner = body.get("error")
    return inner if isinstance(inner, Mapping) else body


def _is_too_long(details: Mapping[str, Any]) -> bool:
    if details.get("code") in _TOO_LONG_CODES or details.get("type") in _TOO_LONG_CODES:
        return True
    message = str(details.get("message", "")).lower()
    return any(words in message for words in _TOO_LONG_WORDS)


def _count(details: Mapping[str, Any], name: str) -> int | None:
    value = details.get(name)
    return value if isinstance(value, int) else None


def _words(details: Mapping[str, Any], secret: str | None) -> str:
    message = " ".join(storable(str(details.get("message") or "")).split())
    if secret:
        message = message.replace(secret, "***")
    if not message:
        return ""
    shown = message if len(message) <= _SHOWN_CHARACTERS else message[:_SHOWN_CHARACTERS] + "…"
    return f' It says: "{shown}"'
