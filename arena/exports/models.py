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
    lease = models.UUIDField(null=True, help_text="Held by the worker that writes the files.")
    attempts = models.PositiveSmallIntegerField(default=0)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    manifest = models.JSONField(default=dict)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "data release"
        constraints = [
            models.UniqueConstraint(
                fields=["arena"],
                condition=models.Q(status__in=["queued", "running"]),
                name="export_one_unfinished_per_arena",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.arena} {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def is_unfinished(self) -> bool:
        return self.status in (self.Status.QUEUED, self.Status.RUNNING)
