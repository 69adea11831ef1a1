"""The backstop for lost messages and dead workers: look at the rows, send again what is stale."""

from __future__ import annotations

import numpy as np
from django.utils import timezone

from arena.battles.selectors import jobs_of_stuck_battles
from arena.battles.services import battle_replace_failed, battles_abandon
from arena.catalog.models import Arena
from arena.core.health import heartbeat
from arena.core.queue import Queue, Task, enqueue
from arena.exports.selectors import exports_waiting
from arena.generation.outages import outages_probe
from arena.generation.services import (
    jobs_recover,
    jobs_resend,
    stock_ensure,
    stock_retry,
    streams_sweep,
    workers_forget,
)
from arena.judging.selectors import responses_without_score, scorers_active
from arena.leaderboards.services import boards_ensure, snapshots_thin
from workers.celery import app
from workers.tasks.generate import report


@app.task(name=Task.SWEEP.value, soft_time_limit=50, time_limit=60)
def sweep() -> None:
    """Every few seconds: jobs of dead workers, battles of failed jobs, messages that never came."""
    now = timezone.now()
    heartbeat("worker:default")
    jobs_recover(now=now)
    for job in jobs_of_stuck_battles():
        battle_replace_failed(job=job, now=now, rng=np.random.default_rng())
    battles_abandon(now=now)
    outages_probe(now=now)
    jobs_resend(now=now)
    if any(responses_without_score(judge=judge).exists() for judge in scorers_active()):
        enqueue(Task.SCORE)


@app.task(name=Task.RECONCILE.value, soft_time_limit=50, time_limit=60)
def reconcile() -> None:
    """Now and then: stock that is missing, boards that lag behind, releases that were never started."""
    now = timezone.now()
    streams_sweep(now=now)
    stock_retry(now=now)
    workers_forget(now=now)
    boards_ensure()
    for arena in Arena.objects.filter(is_open=True):
        stock_ensure(arena=arena)
    for arena_id in Arena.objects.filter(boards__isnull=False).distinct().values_list("pk", flat=True):
        enqueue(Task.SNAPSHOT, arena_id=arena_id)
    for export_id in exports_waiting(now=now):
        enqueue(Task.EXPORT, export_id=export_id)


@app.task(name=Task.PING.value, soft_time_limit=10, time_limit=20)
def ping(queue: str) -> None:
    """A sign of life of the workers of one queue, for the health page."""
    heartbeat(f"worker:{queue}")
    if queue == Queue.GENERATE.value:
        report()


@app.task(name=Task.THIN.value, soft_time_limit=240, time_limit=300)
def thin() -> None:
    snapshots_thin(now=timezone.now())
