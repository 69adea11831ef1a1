"""What the Fleet page tells: workers, queues, systems, failures. Reads only, in a fixed number of queries."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Avg, Count, F, Max, Min, Q
from django.db.models.functions import NullIf

from arena.catalog.models import System
from arena.generation.models import Job, Outage, Response, SystemHealth, WorkerProcess

WORKER_SILENT = timedelta(seconds=60)
LAST_HOUR = timedelta(hours=1)
FAILURES_SHOWN = 30


@dataclass(frozen=True)
class WorkerLine:
    process: WorkerProcess
    is_silent: bool
    running: list[Job]
    systems: list[str]


@dataclass(frozen=True)
class QueueLine:
    """Jobs of one purpose: how many wait and run, and since when the first one waits."""

    purpose: str
    waiting: int
    running: int
    oldest: datetime | None


@dataclass(frozen=True)
class SystemLine:
    system: System
    outage: Outage | None
    failures_in_a_row: int
    answered_at: datetime | None
    waiting: int
    running: int
    answered: int
    """In the last hour, like `failed`."""
    failed: int
    mean_s: float | None
    tokens_per_s: float | None


@dataclass(frozen=True)
class Fleet:
    workers: list[WorkerLine]
    queues: list[QueueLine]
    systems: list[SystemLine]
    failures: list[Job]
    now: datetime

    @property
    def answered(self) -> int:
        return sum(line.answered for line in self.systems)

    @property
    def failed(self) -> int:
        return sum(line.failed for line in self.systems)

    @property
    def is_manned(self) -> bool:
        """Somebody is there to answer jobs."""
        return any(not line.is_silent for line in self.workers)


def fleet(*, now: datetime) -> Fleet:
    systems = list(System.objects.exclude(provider="").exclude(status=System.Status.RETIRED).order_by("name"))
    failures = (
        Job.objects.filter(Q(status=Job.Status.FAILED) | Q(status=Job.Status.QUEUED, attempts__gt=0))
        .exclude(error="")
        .select_related("system")
        .order_by("-id")[:FAILURES_SHOWN]
    )
    return Fleet(_workers(systems, now), _queues(), _systems(systems, now), list(failures), now)


def _workers(systems: list[System], now: datetime) -> list[WorkerLine]:
    names = {system.pk: system.name for system in systems}
    running: dict[str, list[Job]] = defaultdict(list)
    for job in Job.objects.filter(status=Job.Status.RUNNING).select_related("system").order_by("pk"):
        running[job.worker].append(job)
    return [
        WorkerLine(
            process,
            now - process.seen_at > WORKER_SILENT,
            running[process.name],
            [names[pk] for pk in process.systems if pk in names],
        )
        for process in WorkerProcess.objects.order_by("name")
    ]


def _queues() -> list[QueueLine]:
    unfinished = Job.objects.filter(status__in=[Job.Status.QUEUED, Job.Status.RUNNING])
    waits = Q(status=Job.Status.QUEUED)
    rows = unfinished.values("purpose").annotate(
        waiting=Count("id", filter=waits),
        running=Count("id", filter=~waits),
        oldest=Min("created_at", filter=waits),
    )
    nobody: dict[str, Any] = {"waiting": 0, "running": 0, "oldest": None}
    found = {row["purpose"]: row for row in rows}
    lines = [(label, found.get(purpose, nobody)) for purpose, label in Job.Purpose.choices]
    return [QueueLine(label, row["waiting"], row["running"], row["oldest"]) for label, row in lines]


def _systems(systems: list[System], now: datetime) -> list[SystemLine]:
    outages = {outage.system_id: outage for outage in Outage.objects.standing()}
    health = {health.system_id: health for health in SystemHealth.objects.all()}
    unfinished = Job.objects.filter(status__in=[Job.Status.QUEUED, Job.Status.RUNNING])
    queued: dict[int, Any] = {
        row["system"]: row
        for row in unfinished.values("system").annotate(
            waiting=Count("id", filter=Q(status=Job.Status.QUEUED)),
            running=Count("id", filter=Q(status=Job.Status.RUNNING)),
        )
    }
    answered: dict[int, Any] = {
        row["system"]: row
        for row in Response.objects.filter(created_at__gt=now - LAST_HOUR, job__isnull=False)
        .values("system")
        .annotate(
            count=Count("id"),
            mean_s=Avg("total_s"),
            tokens_per_s=Avg(F("completion_tokens") / NullIf(F("total_s"), 0.0)),
        )
    }
    failed = {
        row["system"]: row["count"]
        for row in Job.objects.filter(status=Job.Status.FAILED, finished_at__gt=now - LAST_HOUR)
        .values("system")
        .annotate(count=Count("id"), newest=Max("id"))
    }
    lines = []
    for system in systems:
        waiting: dict[str, Any] = queued.get(system.pk, {})
        done: dict[str, Any] = answered.get(system.pk, {})
        own = health.get(system.pk)
        lines.append(
            SystemLine(
                system=system,
                outage=outages.get(system.pk),
                failures_in_a_row=own.failures_in_a_row if own else 0,
                answered_at=own.answered_at if own else None,
                waiting=waiting.get("waiting", 0),
                running=waiting.get("running", 0),
                answered=done.get("count", 0),
                failed=failed.get(system.pk, 0),
                mean_s=done.get("mean_s"),
                tokens_per_s=done.get("tokens_per_s"),
            )
        )
    return lines
