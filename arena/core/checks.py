"""System checks for settings that would otherwise fail late; workers run them at start too."""

from __future__ import annotations

import itertools
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

DEADLINE_ORDER = (
    "JOB_DEADLINE_S",
    "JOB_SOFT_LIMIT_S",
    "JOB_HARD_LIMIT_S",
    "JOB_LEASE_S",
    "BROKER_VISIBILITY_TIMEOUT_S",
)


@register()
def check_deadline_order(**_kwargs: Any) -> list[CheckMessage]:
    """Backend deadline < soft limit < hard limit < lease < visibility timeout, or a job runs twice."""
    return [
        Error(
            f"{shorter} ({getattr(settings, shorter)} s) must be shorter than {longer} "
            f"({getattr(settings, longer)} s).",
            id="arena.E001",
        )
        for shorter, longer in itertools.pairwise(DEADLINE_ORDER)
        if getattr(settings, shorter) >= getattr(settings, longer)
    ]


@register()
def check_heartbeat(**_kwargs: Any) -> list[CheckMessage]:
    """A job is taken from a dead worker after a few missed heartbeats, never after one."""
    if settings.JOB_HEARTBEAT_STALE_S >= 3 * settings.JOB_HEARTBEAT_S:
        return []
    return [Error("JOB_HEARTBEAT_STALE_S must be at least three JOB_HEARTBEAT_S.", id="arena.E002")]
