"""Writes on jobs and responses: the job engine. Workers call it; it never runs a model itself."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Case, IntegerField, Q, QuerySet, Value, When

from arena.accounts.models import Voter
from arena.catalog.models import Arena, Prompt, System
from arena.core.queue import Task, enqueue
from arena.generation.models import Job, Outage, Response, StreamedText, WorkerProcess
from arena.generation.outages import answer_noted, failure_noted

PRIORITY = {Job.Purpose.LIVE: 20, Job.Purpose.TEST: 10, Job.Purpose.STOCK: 0}
STOCK_SEED = 1
STOCK_PLACES = 30_000
RETRY_WAIT_S = (2, 10)
LOCK_SPACE = 7301
ASKED_ALWAYS = (Job.Purpose.TEST, Job.Purpose.PROBE)
"""What a system out of service is still asked."""

WORKER_FORGOTTEN = timedelta(days=1)


@dataclass(frozen=True)
class FinishedText:
    """What a backend produced, in the words of the response table."""

    text: str
    finish_reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    load_s: float | None = None
    first_token_s: float | None = None
    total_s: float | None = None
    provenance: dict[str, Any] = field(default_factory=dict)


def job_create(
    *, system: System, prompt: Prompt, purpose: Job.Purpose, seed: int, requested_by: Voter | None = None
) -> Job:
    job = Job.objects.create(
        system=system,
        prompt=prompt,
        purpose=purpose,
        seed=seed,
        priority=PRIORITY[purpose],
        requested_by=requested_by,
    )
    enqueue(Task.GENERATE)
    return job


@transaction.atomic
def job_create_for_test(*, system: System, text: str) -> Job:
    """One prompt for an admin's eyes; its response never enters a battle or a score."""
    prompt = Prompt.objects.create(text=text)
    return job_create(system=system, prompt=prompt, purpose=Job.Purpose.TEST, seed=STOCK_SEED)


def stock_ensure(*, arena: Arena) -> int:
    """Queue what the arena's prompt sets still lack; returns how many jobs are new.

    Jobs are made prompt by prompt, so that the first battle is possible after a few responses.
    """
    systems = (
        System.objects.runnable().filter(admissions__arena=arena).order_by("pk").values_list("pk", flat=True)
    )
    in_sets = Prompt.objects.filter(prompt_set__arenas=arena).order_by("prompt_set", "external_id")
    prompts = in_sets.values_list("pk", flat=True)
    existing = set(
        Job.objects.filter(purpose=Job.Purpose.STOCK, system__in=systems, seed=STOCK_SEED).values_list(
            "prompt_id", "system_id"
        )
    )
    missing = [
        Job(
            system_id=system,
            prompt_id=prompt,
            purpose=Job.Purpose.STOCK,
            seed=STOCK_SEED,
            # The first prompts of a new arena or system come before the last ones of an old one.
            priority=PRIORITY[Job.Purpose.STOCK] - min(place, STOCK_PLACES),
        )
        for place, prompt in enumerate(prompts)
        for system in systems
        if (prompt, system) not in existing
    ]
    # Two sweeps at once are harmless: the constraint keeps one job per system and prompt.
    Job.objects.bulk_create(missing, ignore_conflicts=True, batch_size=500)
    made = len(missing)
    if made:
        jobs_nudge(count=min(made, 4))
    return made


def jobs_nudge(*, count: int) -> None:
    for _ in range(count):
        enqueue(Task.GENERATE)


@transaction.atomic
def job_claim(*, worker: str, now: datetime, prefer_systems: Collection[int] = ()) -> Job | None:
    """Take the next job: highest priority first, then a system that is loaded already, then the oldest."""
    loaded = Case(
        When(system_id__in=list(prefer_systems), then=Value(0)), default=Value(1), output_field=IntegerField()
    )
    out = Outage.objects.standing().values("system")
    waiting = (
        Job.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("system", "prompt")
        .filter(Q(not_before__isnull=True) | Q(not_before__lte=now), status=Job.Status.QUEUED)
        .exclude(~Q(purpose__in=ASKED_ALWAYS), system__in=out)
        .order_by("-priority", loaded, "id")
    )
    full: list[int] = []
    while True:
        job = waiting.exclude(system__in=full).first()
        if job is None:
            return None
        if _has_room(job.system):
            break
        full.append(job.system_id)
    job.status = Job.Status.RUNNING
    job.lease = uuid.uuid4()
    job.worker = worker[:120]
    job.started_at = job.heartbeat_at = now
    job.attempts += 1
    job.save(update_fields=["status", "lease", "worker", "started_at", "heartbeat_at", "attempts"])
    return job


def _has_room(system: System) -> bool:
    """Whether the system may answer one more job now. Whoever asks holds the others until it has claimed."""
    if system.max_concurrency is None:
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_SPACE, system.pk])
    running = Job.objects.filter(system=system, status=Job.Status.RUNNING).count()
    return running < system.max_concurrency


def job_heartbeat(*, job: Job, now: datetime) -> bool:
    """Say that the job is still being worked on; False when it was taken away meanwhile."""
    running = Job.objects.filter(pk=job.pk, status=Job.Status.RUNNING, lease=job.lease)
    return running.update(heartbeat_at=now) == 1


def job_stream(*, job: Job, text: str, now: datetime) -> None:
    """Show the text so far to whoever watches the job."""
    StreamedText.objects.update_or_create(
        job_id=job.pk,
        defaults={"text": text.replace("\x00", ""), "attempt": job.lease or uuid.uuid4(), "updated_at": now},
    )


@transaction.atomic
def job_finish(*, job: Job, result: FinishedText, now: datetime) -> Response | None:
    """Store the response. None when the lease was lost: somebody else finishes, nothing is stored twice."""
    running = Job.objects.filter(pk=job.pk, status=Job.Status.RUNNING, lease=job.lease)
    if running.update(status=Job.Status.DONE, finished_at=now, error="", error_kind="", traceback="") != 1:
        return None
    answer_noted(job=job, now=now)
    if job.is_shown and job.system.answered_at is None:
        # From now on its settings are fixed: what answers differently is another system.
        System.objects.filter(pk=job.system_id, answered_at__isnull=True).update(answered_at=now)
    text = result.text.replace("\x00", "")
    started = job.started_at or now
    return Response.objects.create(
        system_id=job.system_id,
        prompt_id=job.prompt_id,
        job=job,
        text=text,
        checksum=Response.checksum_of(text),
        is_test=not job.is_shown,
        is_stock=job.purpose == Job.Purpose.STOCK,
        finish_reason=result.finish_reason,
        prompt_tokens=result.prompt_tokens,
        completion_tokens=result.completion_tokens,
        queue_s=max(0.0, (started - job.created_at).total_seconds()),
        load_s=result.load_s,
        first_token_s=result.first_token_s,
        total_s=result.total_s,
        provenance={**result.provenance, "settings_hash": job.system.settings_hash, "seed": job.seed},
    )


@transaction.atomic
def job_fail(
    *,
    job: Job,
    error: str,
    error_kind: str,
    traceback: str,
    is_retryable: bool,
    now: datetime,
    is_of_system: bool = False,
) -> Job:
    """Record a failure: queued again after a pause, or failed for good.

    `is_of_system`: it says something of the system, not of this prompt; too many take the system out.
    """
    retry = is_retryable and job.attempts < settings.JOB_MAX_ATTEMPTS
    wait_s = RETRY_WAIT_S[min(job.attempts, len(RETRY_WAIT_S)) - 1]
    changes = {
        "status": Job.Status.QUEUED if retry else Job.Status.FAILED,
        "not_before": now + timedelta(seconds=wait_s) if retry else None,
        "finished_at": None if retry else now,
        "error": error[:400].replace("\x00", ""),
        "error_kind": error_kind[:60],
        "is_retryable": is_retryable,
        "traceback": traceback[-8000:].replace("\x00", ""),
        "lease": None,
    }
    running = Job.objects.filter(pk=job.pk, status=Job.Status.RUNNING, lease=job.lease)
    if running.update(**changes) and is_of_system:
        failure_noted(job=job, error=error, error_kind=error_kind, now=now)
    if retry:
        enqueue(Task.GENERATE, countdown_s=wait_s)
    job.refresh_from_db()
    return job


def jobs_recover(*, now: datetime) -> list[Job]:
    """Take jobs from workers that fell silent; returns those that failed for good."""
    silent = Q(heartbeat_at__lt=now - timedelta(seconds=settings.JOB_HEARTBEAT_STALE_S))
    overdue = Q(started_at__lt=now - timedelta(seconds=settings.JOB_LEASE_S))
    stale = Job.objects.filter(silent | overdue, status=Job.Status.RUNNING)
    spent = list(stale.filter(attempts__gte=settings.JOB_MAX_ATTEMPTS).select_related("system"))
    given_up = [job for job in spent if _give_up(job, now=now)]
    stale.filter(attempts__lt=settings.JOB_MAX_ATTEMPTS).update(
        status=Job.Status.QUEUED, lease=None, error="The worker stopped answering; the job was queued again."
    )
    return given_up


def _give_up(job: Job, *, now: datetime) -> bool:
    running = Job.objects.filter(pk=job.pk, status=Job.Status.RUNNING, lease=job.lease)
    return bool(
        running.update(
            status=Job.Status.FAILED,
            lease=None,
            finished_at=now,
            error=f"The worker stopped answering {job.attempts} times.",
            error_kind="WorkerLost",
            is_retryable=True,
        )
    )


def stock_retry(*, now: datetime) -> int:
    """Queue stock again that failed for a reason which may have passed: an outage must not empty it."""
    failed = Job.objects.filter(
        status=Job.Status.FAILED,
        purpose=Job.Purpose.STOCK,
        is_retryable=True,
        finished_at__lt=now - timedelta(seconds=settings.STOCK_RETRY_S),
    )
    return jobs_requeue(jobs=failed)


def jobs_resend(*, now: datetime, limit: int = 4) -> int:
    """Nudge the workers about jobs that wait although nobody seems to run them."""
    waiting = (
        Job.objects.filter(
            Q(not_before__isnull=True) | Q(not_before__lte=now),
            status=Job.Status.QUEUED,
            created_at__lt=now - timedelta(seconds=5),
        )
        .exclude(~Q(purpose__in=ASKED_ALWAYS), system__in=Outage.objects.standing().values("system"))
        .count()
    )
    count = min(waiting, limit)
    jobs_nudge(count=count)
    return count


def streams_sweep(*, now: datetime) -> int:
    """Delete streamed text that nobody needs: its response exists, or its job ended long ago."""
    done = StreamedText.objects.exclude(job__status__in=[Job.Status.QUEUED, Job.Status.RUNNING])
    deleted, _ = done.filter(updated_at__lt=now - timedelta(minutes=10)).delete()
    return deleted


def jobs_requeue(*, jobs: QuerySet[Job]) -> int:
    """Give failed jobs another chance, with fresh attempts; live ones are too late to be asked again."""
    failed = jobs.filter(status=Job.Status.FAILED).exclude(purpose=Job.Purpose.LIVE)
    count = failed.update(status=Job.Status.QUEUED, attempts=0, not_before=None, finished_at=None, error="")
    jobs_nudge(count=min(count, 4))
    return count


def jobs_cancel(*, jobs: QuerySet[Job]) -> int:
    """Take back jobs that no worker has begun."""
    waiting = Job.objects.filter(pk__in=jobs.values("pk"), status=Job.Status.QUEUED)
    return waiting.update(status=Job.Status.CANCELLED, error="The voter left.", error_kind="VoterLeft")


ERASED = "(erased at the wish of the person who wrote the prompt)"


@transaction.atomic
def prompts_erase(*, prompts: QuerySet[Prompt]) -> int:
    """Erase texts that a person wrote, and what systems answered to them: the one change a response knows."""
    pks = list(prompts.values_list("pk", flat=True))
    unfinished = Job.objects.filter(prompt__in=pks, status__in=[Job.Status.QUEUED, Job.Status.RUNNING])
    unfinished.update(status=Job.Status.CANCELLED, lease=None)
    StreamedText.objects.filter(job__prompt__in=pks).delete()
    Response.objects.filter(prompt__in=pks).update(text=ERASED, checksum=Response.checksum_of(ERASED))
    Prompt.objects.filter(pk__in=pks).update(text=ERASED, author=None)
    return len(pks)


def worker_seen(*, name: str, systems: Collection[int], code_version: str, now: datetime) -> None:
    """A worker says that it is alive, and which systems it holds."""
    WorkerProcess.objects.update_or_create(
        name=name,
        defaults={"seen_at": now, "systems": list(systems), "code_version": code_version},
        create_defaults={
            "seen_at": now,
            "begun_at": now,
            "systems": list(systems),
            "code_version": code_version,
        },
    )


def workers_forget(*, now: datetime) -> int:
    """Drop processes that have not been seen for a day."""
    deleted, _ = WorkerProcess.objects.filter(seen_at__lt=now - WORKER_FORGOTTEN).delete()
    return deleted
