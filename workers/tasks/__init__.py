"""Celery tasks: thin, ids in, nothing out. Each calls services of the stages."""

from workers.tasks import exports, generate, judge, rank, sweep

__all__ = ["exports", "generate", "judge", "rank", "sweep"]
