"""Reads the stream of an OpenAI-compatible endpoint: its text piece by piece, and what else it tells."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from workers.backends.errors import BackendGarbage, BackendRejected, BackendUnavailable


@dataclass
class StreamReport:
    """What a stream tells besides its text. Filled while `pieces` is read, `is_refused` by the caller."""

    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    served_model: str | None = None
    fingerprint: str | None = None
    chunks: int = 0
    is_refused: bool = False

    @property
    def tokens(self) -> int | None:
        """What the request cost, as far as it is known: nothing, if the endpoint did not take it."""
        if self.is_refused:
            return 0
        if self.prompt_tokens is None or self.completion_tokens is None:
            return None
        return self.prompt_tokens + self.completion_tokens

    def check_end(self) -> None:
        """Raise unless a stream that was read to its end also ended well."""
        if self.chunks == 0:
            raise BackendGarbage("The endpoint's answer is not a stream of the OpenAI kind.")
        if self.finish_reason is None:
            raise BackendUnavailable("The endpoint broke off its answer.")
        if self.finish_reason == "content_filter":
            raise BackendRejected("The endpoint's own content filter stopped the answer.")
        if self.finish_reason not in ("stop", "length"):
            raise BackendGarbage("The endpoint ended its answer for an unknown reason.")


async def pieces(chunks: AsyncIterator[Any], report: StreamReport) -> AsyncIterator[str]:
    """Raises TypeError, AttributeError or LookupError for a chunk of a wrong shape."""
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
