"""Reads on evaluators and what they still have to do."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet

from arena.generation.models import Response
from arena.judging.models import JudgeSpec, Score


def scorers_active() -> QuerySet[JudgeSpec]:
    return JudgeSpec.objects.filter(kind=JudgeSpec.Kind.SCORER, is_active=True).exclude(implementation="")


def responses_without_score(*, judge: JudgeSpec) -> QuerySet[Response]:
    """Responses that were made here and that this scorer has not seen; imported ones are not scored."""
    scored = Score.objects.filter(judge=judge, response=OuterRef("pk"))
    return (
        Response.objects.filter(~Exists(scored), is_test=False, job__isnull=False)
        .select_related("prompt")
        .order_by("pk")
    )
