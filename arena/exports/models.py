"""Data releases: the votes of an arena as files, with the snapshot fitted on exactly their rows."""

from __future__ import annotations

import uuid

from django.db import models

from arena.catalog.models import Arena
from arena.core.models import TimestampedModel
from arena.leaderboards.models import Snapshot


class Export(TimestampedModel):
    class Status(models.TextChoices):
        QUEUED = "queued", "Waiting for a worker"
        RUNNING = "running", "Being written"
        DONE = "done", "Ready"
        FAILED = "failed", "Failed"

    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    arena = models.ForeignKey(Arena, on_delete=models.CASCADE, related_name="exports")
    snapshot = models.ForeignKey(Snapshot, null=True, on_delete=models.PROTECT, related_name="exports")
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    manifest = models.JSONField(default=dict)
    error = models.CharField(max_length=300, blank=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.arena} {self.created_at:%Y-%m-%d %H:%M}"
