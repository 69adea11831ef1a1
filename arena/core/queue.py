"""Task names, and the one way to start a task from the web process, which never imports `workers`."""

from __future__ import annotations

import enum
from typing import Any

import structlog
from celery import Celery
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

logger = structlog.get_logger(__name__)


class Queue(enum.StrEnum):
    GENERATE = "generate"
    DEFAULT = "default"


class Task(enum.StrEnum):
    """Names under which `workers.tasks` registers its tasks."""

    GENERATE = "generate.run"
    SCORE = "judging.score"
    SNAPSHOT = "leaderboards.snapshot"
    EXPORT = "exports.build"
    SWEEP = "sweep.run"
    RECONCILE = "sweep.reconcile"
    PING = "sweep.ping"
    THIN = "sweep.thin"

    @property
    def queue(self) -> Queue:
        return Queue.GENERATE if self is Task.GENERATE else Queue.DEFAULT


def celery_settings() -> dict[str, Any]:
    """One set of Celery settings for both sides of the wall."""
    return {
        "broker_url": settings.BROKER_URL,
        "broker_transport_options": {
            "visibility_timeout": settings.BROKER_VISIBILITY_TIMEOUT_S,
            "socket_connect_timeout": 2,
            "socket_timeout": 5,
            "retry_on_timeout": True,
        },
        "broker_connection_retry_on_startup": True,
        # A voter must not wait for a dead broker: the row is stored, the sweep sends the nudge later.
        "task_publish_retry": False,
        "task_ignore_result": True,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "accept_content": ["json"],
        "task_serializer": "json",
        "task_default_queue": Queue.DEFAULT.value,
        "task_routes": {task.value: {"queue": task.queue.value} for task in Task},
        "worker_hijack_root_logger": False,
        "timezone": "UTC",
    }


sender = Celery("arena.sender", set_as_current=False)
sender.add_defaults(celery_settings)


def enqueue(task: Task, *, countdown_s: float = 0, **ids: int | str) -> None:
    """Send `task` once the current transaction commits.

    A broker that is down costs nothing but time: every task is recoverable from rows by the sweep, so the
    failure is logged and swallowed here, at the edge of the process.
    """

    def send() -> None:
        try:
            sender.send_task(task.value, kwargs=ids, queue=task.queue.value, countdown=countdown_s or None)
        except (OperationalError, OSError) as error:
            logger.warning("enqueue_failed", task=task.value, error=str(error), **ids)

    transaction.on_commit(send)
