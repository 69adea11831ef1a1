"""Which systems are out of service: they are asked nothing but a probe, until one is answered.

A system that fails several times in a row is taken out by itself and probed; an admin can take one out, too.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F

from arena.catalog.models import Prompt, System
from arena.core.queue import Task, enqueue
from arena.generation.models import Job, Outage, SystemHealth

PROBE_TEXT = "Say hello in one short sentence."
PROBE_SEED = 1
PROBE_PRIORITY = 5  # before stock, after whoever waits
REASON_MAX = 400


class AlreadyOut(Exception):
    """The system is out of service; it has to come back before it can be taken out again."""


class NotOut(Exception):
    """The system is in service."""


@transaction.atomic
def outage_begin(*, system: System, reason: str, by: str, now: datetime) -> Outage:
    """Take a system out by hand, until somebody brings it back. One that took itself out stays out.

    Raises:
        AlreadyOut: when an admin took it out before.
    """
    System.objects.select_for_update().get(pk=system.pk)
    standing = Outage.objects.standing().filter(system=system).first()
    if standing and standing.kind == Outage.Kind.MANUAL:
        raise AlreadyOut(f"{system} is out of service already.")
    if standing:
        _end(standing, by=by, now=now)
    outage = Outage.objects.create(
        system=system, kind=Outage.Kind.MANUAL, reason=reason[:REASON_MAX], begun_by=by
    )
    live_jobs_give_up(system=system, now=now)
    return outage


@transaction.atomic
def outage_end(*, system: System, by: str, now: datetime) -> None:
    """Bring a system back into service.

    Raises:
        NotOut: when it is in service.
    """
    System.objects.select_for_update().get(pk=system.pk)
    standing = Outage.objects.standing().filter(system=system).first()
    if standing is None:
        raise NotOut(f"{system} is in service.")
    _end(standing, by=by, now=now)
    SystemHealth.objects.filter(system=system).update(failures_in_a_row=0)
    # Its stock has waited: somebody should look at once.
    enqueue(Task.GENERATE)


def _end(outage: Outage, *, by: str, now: datetime) -> None:
    outage.ended_at, outage.ended_by = now, by
    outage.save(update_fields=["ended_at", "ended_by"])


def answer_noted(*, job: Job, now: datetime) -> None:
    """The system answered: its failures are forgotten, and if it took itself out it is back."""
    SystemHealth.objects.update_or_create(
        system_id=job.system_id, defaults={"failures_in_a_row": 0, "answered_at": now}
    )
    back = Outage.objects.standing().filter(system_id=job.system_id, kind=Outage.Kind.AUTOMATIC)
    if back.update(ended_at=now, ended_by="it answered again"):
        enqueue(Task.GENERATE)


def failure_noted(*, job: Job, error: str, error_kind: str, now: datetime) -> None:
    """A failure that says something of the system, not of one prompt. Too many in a row take it out.

    Called inside the transaction that records the failure of the job.
    """
    health, _ = SystemHealth.objects.select_for_update().get_or_create(system_id=job.system_id)
    health.failures_in_a_row += 1
    health.failed_at = now
    health.save(update_fields=["failures_in_a_row", "failed_at"])
    standing = Outage.objects.standing().filter(system_id=job.system_id).first()
    if standing is None and health.failures_in_a_row >= settings.OUTAGE_AFTER_FAILURES:
        Outage.objects.create(
            system_id=job.system_id,
            kind=Outage.Kind.AUTOMATIC,
            reason=error[:REASON_MAX],
            error_kind=error_kind[:60],
            probe_at=now + timedelta(seconds=settings.OUTAGE_PROBE_S),
        )
        live_jobs_give_up(system=job.system, now=now)
    elif standing and standing.kind == Outage.Kind.AUTOMATIC and job.purpose == Job.Purpose.PROBE:
        standing.reason, standing.error_kind = error[:REASON_MAX], error_kind[:60]
        standing.save(update_fields=["reason", "error_kind"])


def live_jobs_give_up(*, system: System, now: datetime) -> int:
    """Nobody is let wait for a system that is out: the battle's other stage asks another one instead."""
    waiting = Job.objects.filter(system=system, purpose=Job.Purpose.LIVE, status=Job.Status.QUEUED)
    return waiting.update(
        status=Job.Status.FAILED,
        finished_at=now,
        error="The system was taken out of service.",
        error_kind="OutOfService",
        is_retryable=False,
    )


def outages_probe(*, now: datetime) -> int:
    """Ask every system that took itself out whether it is back, each time after a longer pause."""
    due = Outage.objects.standing().filter(kind=Outage.Kind.AUTOMATIC, probe_at__lte=now)
    return sum(_probe(outage, now=now) for outage in due.select_related("system"))


@transaction.atomic
def outage_probe_now(*, system: System, now: datetime) -> None:
    """An admin does not want to wait for the next probe.

    Raises:
        NotOut: when the system did not take itself out.
    """
    standing = Outage.objects.standing().filter(system=system, kind=Outage.Kind.AUTOMATIC).first()
    if standing is None:
        raise NotOut(f"{system} did not take itself out of service.")
    _probe(standing, now=now)


def _probe(outage: Outage, *, now: datetime) -> bool:
    pause_s = min(settings.OUTAGE_PROBE_S * 2 ** (outage.probes + 1), settings.OUTAGE_PROBE_LONGEST_S)
    own = Outage.objects.standing().filter(pk=outage.pk, probes=outage.probes)
    unfinished = Job.objects.filter(
        system_id=outage.system_id,
        purpose=Job.Purpose.PROBE,
        status__in=[Job.Status.QUEUED, Job.Status.RUNNING],
    )
    # Two sweeps at once: the one that counts the probe up asks it.
    if not own.update(probes=F("probes") + 1, probe_at=now + timedelta(seconds=pause_s)):
        return False
    if unfinished.exists():
        return False
    prompt = Prompt.objects.filter(text=PROBE_TEXT, prompt_set=None, author=None).order_by("pk").first()
    Job.objects.create(
        system_id=outage.system_id,
        prompt=prompt or Prompt.objects.create(text=PROBE_TEXT, language="en"),
        purpose=Job.Purpose.PROBE,
        seed=PROBE_SEED,
        priority=PROBE_PRIORITY,
    )
    enqueue(Task.GENERATE)
    return True
