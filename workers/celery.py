"""The Celery app: `celery -A workers.celery worker`."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arena.settings")

import django

django.setup()

from celery import Celery, signals  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.checks import run_checks  # noqa: E402
from django.core.checks.messages import ERROR  # noqa: E402
from django_structlog.celery.steps import DjangoStructLogInitStep  # noqa: E402

from arena.core.queue import Queue, Task, celery_settings  # noqa: E402

app = Celery("arena")
app.add_defaults(celery_settings)
app.steps["worker"].add(DjangoStructLogInitStep)
app.autodiscover_tasks(["workers"], related_name="tasks")


def every(seconds: float, task: Task, **kwargs: str) -> dict[str, Any]:
    """A beat entry whose message dies before the next one comes."""
    queue = kwargs.get("queue", task.queue.value)
    return {
        "task": task.value,
        "schedule": seconds,
        "kwargs": kwargs,
        "options": {"queue": queue, "expires": seconds},
    }


app.conf.beat_schedule = {
    "sweep": every(5.0, Task.SWEEP),
    "reconcile": every(20.0, Task.RECONCILE),
    "ping-generate": every(15.0, Task.PING, queue=Queue.GENERATE.value),
    "thin": every(6 * 3600.0, Task.THIN),
}


@signals.worker_init.connect
def check_settings(**_kwargs: Any) -> None:
    """Workers do not run Django's checks by themselves; a wrong lease order must stop them too."""
    errors = [message for message in run_checks() if message.level >= ERROR]
    if errors:
        raise SystemExit("\n".join(str(error) for error in errors))


@signals.setup_logging.connect
def keep_logging(**_kwargs: Any) -> None:
    """Django has configured logging already; Celery must not replace it."""
    import logging.config

    logging.config.dictConfig(settings.LOGGING)
