"""Reads on jobs and responses."""

from __future__ import annotations

from typing import NamedTuple

from django.db.models import Count, Q

from arena.catalog.models import Arena
from arena.generation.models import Job


class StockProgress(NamedTuple):
    done: int
    failed: int
    total: int

    @property
    def is_complete(self) -> bool:
        return self.done + self.failed >= self.total

    @property
    def percent(self) -> int:
        return round(100 * (self.done + self.failed) / self.total) if self.total else 100


def stock_progress(*, arena: Arena) -> StockProgress:
    """How far the answers to the arena's prompt sets have come."""
    counts = Job.objects.filter(
        purpose=Job.Purpose.STOCK, prompt__prompt_set__arenas=arena, system__admissions__arena=arena
    ).aggregate(
        done=Count("id", filter=Q(status=Job.Status.DONE)),
        failed=Count("id", filter=Q(status__in=[Job.Status.FAILED, Job.Status.CANCELLED])),
        total=Count("id"),
    )
    return StockProgress(**counts)


def live_queue_length() -> int:
    return Job.objects.filter(
        purpose=Job.Purpose.LIVE, status__in=[Job.Status.QUEUED, Job.Status.RUNNING]
    ).count()
