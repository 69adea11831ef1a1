"""Writes on scores. The evaluator itself runs in a worker."""

from __future__ import annotations

from collections.abc import Sequence

from arena.catalog.models import Arena
from arena.core.queue import Task, enqueue
from arena.generation.models import Response
from arena.judging.models import JudgeSpec, Score
from evaluators.types import Score as ScoreValue


def scores_store(*, judge: JudgeSpec, responses: Sequence[Response], scores: Sequence[ScoreValue]) -> int:
    """Store what a scorer said; a response it scored before keeps its score."""
    rows = [
        Score(judge=judge, response=response, value=score.value, detail=dict(score.detail))
        for response, score in zip(responses, scores, strict=True)
    ]
    Score.objects.bulk_create(rows, ignore_conflicts=True)
    prompts = {response.prompt_id for response in responses}
    arenas = Arena.objects.filter(prompt_sets__prompts__in=prompts) | Arena.objects.filter(
        battles__prompt__in=prompts
    )
    for arena_id in set(arenas.values_list("pk", flat=True)):
        enqueue(Task.SNAPSHOT, arena_id=arena_id)
    return len(rows)
