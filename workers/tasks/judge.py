"""Let every active scorer see the responses it has not scored."""

from __future__ import annotations

import structlog

from arena.core.queue import Task, enqueue
from arena.judging.selectors import responses_without_score, scorers_active
from arena.judging.services import scores_store
from evaluators import registry
from evaluators.types import EvaluatorError, Sample
from workers.celery import app

logger = structlog.get_logger(__name__)
BATCH = 128


@app.task(name=Task.SCORE.value, soft_time_limit=240, time_limit=300)
def score() -> None:
    for judge in scorers_active():
        responses = list(responses_without_score(judge=judge)[:BATCH])
        if not responses:
            continue
        try:
            scorer = registry.create(judge.implementation, judge.params)
        except EvaluatorError:
            logger.exception("evaluator_not_usable", evaluator=judge.slug)
            continue
        samples = [Sample(prompt=response.prompt.text, response=response.text) for response in responses]
        scores_store(judge=judge, responses=responses, scores=scorer.score(samples))
        if len(responses) == BATCH:
            enqueue(Task.SCORE)
