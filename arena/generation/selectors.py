"""Reads on jobs and responses."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from django.db.models import Count, Q, QuerySet

from arena.catalog.models import Arena, Prompt, PromptSet, System
from arena.generation.models import Job, Outage, Response
from arena.ranking.covariates.style import text_style


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
    systems = System.objects.runnable().filter(admissions__arena=arena)
    prompts = Prompt.objects.filter(prompt_set__in=PromptSet.objects.filter(arenas=arena))
    jobs = Job.objects.filter(purpose=Job.Purpose.STOCK, prompt__in=prompts, system__in=systems)
    counts = jobs.aggregate(
        done=Count("id", filter=Q(status=Job.Status.DONE)),
        failed=Count("id", filter=Q(status__in=[Job.Status.FAILED, Job.Status.CANCELLED])),
    )
    return StockProgress(**counts, total=systems.count() * prompts.count())


def systems_in_service() -> QuerySet[System]:
    """Systems that can be asked now: runnable, and in no outage."""
    return System.objects.runnable().exclude(pk__in=Outage.objects.standing().values("system"))


def live_queue_length() -> int:
    return Job.objects.filter(
        purpose=Job.Purpose.LIVE, status__in=[Job.Status.QUEUED, Job.Status.RUNNING]
    ).count()


def live_jobs_ahead(*, job_id: int) -> int:
    """Voters' jobs that wait and are older."""
    return Job.objects.filter(purpose=Job.Purpose.LIVE, status=Job.Status.QUEUED, pk__lt=job_id).count()


def response_styles(responses: Collection[int]) -> dict[int, dict[str, float]]:
    """What each answer looks like: `arena.ranking.covariates.style.text_style` of its text."""
    texts = Response.objects.filter(pk__in=responses).values_list("pk", "text").iterator(chunk_size=2000)
    return {pk: text_style(text) for pk, text in texts}
