"""Bring the boards of an arena up to date."""

from __future__ import annotations

from django.utils import timezone

from arena.catalog.models import Arena
from arena.core.queue import Task
from arena.leaderboards.services import arena_refresh
from workers.celery import app


@app.task(name=Task.SNAPSHOT.value, soft_time_limit=240, time_limit=300)
def snapshot(arena_id: int) -> None:
    arena_refresh(arena=Arena.objects.get(pk=arena_id), now=timezone.now())
