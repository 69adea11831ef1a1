"""Is the site alive, and could it store a vote right now?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import Error as DatabaseError
from django.utils import timezone
from kombu import Connection

from arena.core.models import Heartbeat

WORKER_STALE = timedelta(seconds=90)


class Readiness(NamedTuple):
    can_store_votes: bool
    report: dict[str, Any]


def heartbeat(name: str) -> None:
    Heartbeat.objects.update_or_create(name=name, defaults={"seen_at": timezone.now()})


def readiness() -> Readiness:
    """Only a database that refuses a write makes the site unready; the rest is reported as degraded."""
    try:
        heartbeat("web")
    except DatabaseError as error:
        return Readiness(False, {"status": "unavailable", "database": type(error).__name__})
    degraded = {}
    if not broker_answers():
        degraded["broker"] = "not reachable; jobs wait in the database"
    for name, what in (("worker:default", "boards are not refreshed"), ("worker:generate", "no new answers")):
        seen = Heartbeat.objects.filter(name=name).values_list("seen_at", flat=True).first()
        if seen is None or timezone.now() - seen > WORKER_STALE:
            degraded[name] = f"not seen lately; {what}"
    status = "degraded" if degraded else "ok"
    return Readiness(True, {"status": status, "database": "ok", "degraded": degraded})


def broker_answers() -> bool:
    options = {"socket_connect_timeout": 1, "socket_timeout": 1}
    try:
        with Connection(settings.BROKER_URL, transport_options=options, connect_timeout=1) as connection:
            connection.ensure_connection(max_retries=1, timeout=1)
    except Exception:  # noqa: BLE001  (any transport raises its own kind; the answer is the same)
        return False
    return True
