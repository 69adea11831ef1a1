"""Is the site alive, and could it store a vote right now?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import Error as DatabaseError
from django.utils import timezone
from kombu import Connection

from arena.core.models import Heartbeat

STALE = timedelta(seconds=90)
SIGNS_OF_LIFE = {
    "worker:default": "boards and releases are not made",
    "worker:generate": "no new answers",
    "snapshots": "boards may be older than their votes",
}


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
    seen = dict(Heartbeat.objects.values_list("name", "seen_at"))
    for name, what in SIGNS_OF_LIFE.items():
        if name not in seen or timezone.now() - seen[name] > STALE:
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
