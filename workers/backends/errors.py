"""What can go wrong in a backend. The class says what the job engine should do, the text tells an admin why.

Messages are plain words without secrets: no key, no header, no credentials of an address.
"""

from __future__ import annotations

from typing import ClassVar


class BackendError(Exception):
    """Base of all.

    is_retryable        the same request may succeed later or on another worker
    concerns_system     it says something of the system, not of this request: too many take it out of service
    """

    is_retryable: ClassVar[bool] = False
    concerns_system: ClassVar[bool] = False


class BackendUnavailable(BackendError):
    """Refused connection, lost connection, rate limit, server error, not enough memory now."""

    is_retryable = True
    concerns_system = True


class DeadlineExceeded(BackendUnavailable):
    """The whole generation, loading included, took longer than it was given."""

    @classmethod
    def after(cls, deadline_s: float) -> DeadlineExceeded:
        return cls(f"No complete answer within {deadline_s:g} seconds.")


class LimitReached(BackendUnavailable):
    """This worker has used what the system's options allow it for now; nothing was sent."""

    concerns_system = False


class BudgetSpent(LimitReached):
    """The tokens of the day are spent: it passes at midnight UTC."""

    concerns_system = True


class BackendRejected(BackendError):
    """This request will never succeed as it is."""


class BackendMisconfigured(BackendRejected):
    """The system's entry is wrong: options, address, key, model name, missing package."""

    concerns_system = True


class InvalidSettings(BackendRejected, ValueError):
    """Generation settings that are unknown, ill-typed or out of range."""

    concerns_system = True


class PromptTooLong(BackendRejected):
    """The prompt does not fit the model."""

    @classmethod
    def counted(cls, prompt_tokens: int | None, limit_tokens: int | None) -> PromptTooLong:
        """None where a server does not tell the number."""
        counts = "" if prompt_tokens is None else f": {prompt_tokens} tokens"
        counts += "" if limit_tokens is None else f", at most {limit_tokens} fit"
        return cls(f"The prompt is too long for this system{counts}.")


class BackendGarbage(BackendError):
    """Empty or malformed output. Not retryable: the same seed gives the same again."""

    concerns_system = True


class AnswerTooLarge(BackendGarbage):
    """More text or bytes than was asked for or allowed. What came until then is thrown away."""


class ProgramFailed(BackendError):
    """A program ended with an error of its own. Not retryable: the same input fails the same way again."""

    concerns_system = True


class MediaNotKept(BackendRejected):
    """The answer holds files, and there is no place yet to keep them."""

    concerns_system = True
